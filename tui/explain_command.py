"""`quarterdeck explain`: how many replicas each slot has, what its metrics ask for, and why there are not others."""

from collections.abc import Callable

from core.config.config import endpoint_name
from core.domain.errors import Unreachable
from core.domain.model import Scaled
from core.engine.project import Project
from core.scaling.facts import ScalingFacts, facts_of
from core.scaling.reasons import explain
from core.scaling.sentences import measure
from core.state.endpoint import Endpoint
from core.state.fold import fold_all
from core.state.snapshot import LogLine, Snapshot
from core.system.text import counted
from tui import format as as_text
from tui.asked_place import as_of, asked, why_nothing
from tui.audit_command import past
from tui.moments import iso
from tui.output import json_line
from tui.real_weights import real_weights, share

DECISIONS, CLUSTER = 5, "cluster"
"""So many of the last are told."""
BEGIN = "; begin with 'quarterdeck release'"
Write = Callable[[str], None]


async def explained(project: Project, write: Write, as_json: bool = False) -> int:
    """Each slot in a line, its reasons below it, then what was decided last; raises Unreachable where nothing is known.

    What the place has now is told; where it can't be asked, what was last heard of it, and when that was.
    """
    with past(project) as journal:
        now = journal.clock.now()
        snapshot = fold_all(journal.recent(now))
    name = endpoint_name(project.settings)
    snapshot, trouble = await asked(project.settings, snapshot, now)
    if trouble and not snapshot.endpoint(name).slots:
        raise Unreachable(f"{name}: nothing is known of it here, and its place can't be asked: {trouble}")
    found = facts_of(snapshot, name, now)
    if as_json:
        endpoint = snapshot.endpoint(name)
        told = [_told(line) for line in decisions(snapshot, name)]
        warned = [_told(line) for line in warnings(snapshot, name)]
        real = real_weights(snapshot, name, now)
        slots = [_slot(endpoint, one, real.get(one.slot)) for one in found]
        heard = {"as_of": iso(as_of(snapshot, name)), "trouble": trouble} if trouble else {}
        about = {"endpoint": name, "environment": project.settings.environment, **heard}
        write(json_line({**about, "slots": slots, "decisions": told, "warnings": warned}))
        return 0
    if not found:
        why = await why_nothing(project.settings)
        write(f"{name}: nothing is served{f': {why}' if why else BEGIN}")
        return 0
    if trouble:
        heard_at = as_of(snapshot, name)
        write(f"as of {as_text.clock(heard_at)}, {as_text.about(now - heard_at)} ago: {trouble}")
        write(f"  → {project.typed('doctor')} says what is wrong")
    for line in _lines(snapshot, name, found, now, asked_now=not trouble):
        write(line)
    return 0


def decisions(snapshot: Snapshot, name: str) -> list[LogLine]:
    """What was last decided about an endpoint's size, by its autoscaler or by hand, oldest first."""
    return [line for line in snapshot.log if line.endpoint == name and line.source == "scaling"][-DECISIONS:]


def warnings(snapshot: Snapshot, name: str) -> list[LogLine]:
    """What a cluster noted last about an endpoint's objects, oldest first."""
    return [line for line in snapshot.log if line.endpoint == name and line.source == CLUSTER][-DECISIONS:]


def _lines(snapshot: Snapshot, name: str, found: tuple[ScalingFacts, ...], now: float, asked_now: bool) -> list[str]:
    endpoint, lines, real = snapshot.endpoint(name), [name], real_weights(snapshot, name, now)
    for one in found:
        seen = endpoint.slots[one.slot]
        version = f"{seen.version.model} {seen.version.label}" if seen.version else "empty"
        weights = f"{one.weight:5.1f} %  real {share(real.get(one.slot))}"
        lines.append(f"  {one.slot:<8} {version:<16} {weights}  {_size(one)}")
        reasons = explain(one)
        for reason in reasons:
            lines += [f"    {'·' if reason.calm else '!'} {reason.text}", f"      → {reason.todo}"]
        if not reasons and asked_now:
            lines.append("    nothing is in its way" if one.weight > 0 else "    it has no traffic and keeps its size")
    for title, told in (
        ("last decisions", decisions(snapshot, name)),
        ("last warnings of the cluster", warnings(snapshot, name)),
    ):
        lines += [title, *(f"  {as_text.clock(line.at)}  {line.text}" for line in told)] if told else []
    return lines


def _told(line: LogLine) -> dict[str, str | None]:
    return {"at": iso(line.at), "text": line.text}


def _size(one: ScalingFacts) -> str:
    """`2 of 1–4 replicas, 2 ready · cpu 41 % of 60 % · 2 stay, 3 s ago`."""
    look = one.look
    if look is None:
        return f"{one.ready} of {counted(one.wanted, 'replica')} ready"
    measured = "".join(f" · {measure(reading)}" for reading in look.readings)
    # Between its bounds is only what is scaled at all.
    bounded = look.min < look.max and one.wanted > 0
    between = f"{one.wanted} of {look.min}–{look.max} replicas" if bounded else counted(one.wanted, "replica")
    return f"{between}, {one.ready} ready{measured} · {_last(look, one)}"


def _last(look: Scaled, one: ScalingFacts) -> str:
    # Where the size is another since, what the look kept is past.
    kept = f"keeps {look.after}" if look.after == one.wanted else f"kept {look.after}"
    did = f"{look.before} → {look.after}" if look.before != look.after else kept
    return f"{did}, {as_text.about(one.looked_s)} ago"


def _slot(endpoint: Endpoint, one: ScalingFacts, real: float | None) -> dict[str, object]:
    seen, look = endpoint.slots[one.slot], one.look
    readings = look.readings if look is not None else ()
    reasons = [
        {"cause": found.cause.value, "text": found.text, "next": found.todo, "calm": found.calm}
        for found in explain(one)
    ]
    return {
        "slot": one.slot,
        "version": seen.version.label if seen.version else None,
        "percent": one.weight,
        "real_percent": real,
        "wanted": one.wanted,
        "ready": one.ready,
        "min": look.min if look is not None else None,
        "max": look.max if look is not None else None,
        "proposed": look.proposed if look is not None else None,
        "metrics": [{"name": r.name, "percent": r.value, "target": r.target} for r in readings],
        "looked_at": iso(look.at) if look is not None else None,
        "reasons": reasons,
    }

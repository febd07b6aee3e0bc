"""`quarterdeck backtest`: what other gates would have decided on recordings, and how often wrongly."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from core.config.config import endpoint_name
from core.config.other_gates import PARTS, gates_of
from core.domain.errors import BadInput
from core.domain.gates import Gate
from core.engine import recording
from core.engine.project import Project
from core.rollout.backtest import BackTest, backtest
from core.state.delivery import releases
from tui.audit_command import events_of, past
from tui.format import clock, span
from tui.output import json_line
from tui.replay_command import recorded

Write = Callable[[str], None]
SET = tuple(f"release.{part}" for part in PARTS)
"""How a `--set` begins that says other gates."""


def gates_for(
    project: Callable[[], Project], path: Path | None, env: str | None, sets: Sequence[str]
) -> tuple[Gate, ...] | None:
    """Those to judge by: of a file, else the project's where they are set for this call; None: each recording's own."""
    if path is not None:
        return gates_of(path, env)
    if any(one.partition("=")[0].startswith(SET) for one in sets):
        return tuple(gate.gate() for gate in project().settings.release.all_gates)
    return None


def run(
    project: Callable[[], Project],
    names: Sequence[str],
    wanted: tuple[Gate, ...] | None,
    whole: bool,
    as_json: bool,
    write: Write,
) -> int:
    """Judge recordings by their names, or all of a project, with the gates that are wanted or their own."""
    if not names and not whole:
        raise BadInput("name a release or a recording, or --all")
    told: list[BackTest] = []
    for one in _recordings(project, names, whole):
        result = backtest(one.events, one.release, wanted)
        told.append(result)
        write(json_line({**asdict(result), "catch_s": result.catch_s}) if as_json else said(result))
    if as_json:
        write(json_line(figures(told)))
    elif len(told) != 1:
        write(summary(told))
    return 0


def _recordings(project: Callable[[], Project], names: Sequence[str], whole: bool) -> Iterator[recording.Recorded]:
    """One at a time: telemetry is large."""
    for name in names:
        yield recorded(name, project)
    if whole:
        own = project()
        with past(own) as journal:
            rows = releases(events_of(journal.written()))
            mine = endpoint_name(own.settings) if own.env else ""
            for row in rows:
                if row.served_at is not None and mine in ("", row.endpoint):
                    yield recording.taken(journal, row.id)


def said(one: BackTest) -> str:
    """One recording in a line."""
    head = f"{one.release}  {one.outcome}"
    if not one.looks:
        return f"{head}: no hold in it, nothing to judge"
    coarse = f"; exact to {one.coarse_s:g} s, its samples are that long" if one.blurred else ""
    if one.stop_at is None and one.bad and one.blurred:
        return f"{head}: can't be told, its samples are {one.coarse_s:g} s long"
    if one.stop_at is None:
        return f"{head}: stops nothing in {one.looks} looks{coarse}"
    when = f"stops at {clock(one.stop_at)}, {span(one.into_hold_s)} into the hold at {one.share:g} %"
    traffic = f", {one.catch_s:.0f} s after its first traffic" if one.catch_s is not None else ""
    sooner = f", {one.back_at - one.stop_at:.0f} s before it went back" if one.back_at is not None else ""
    return f"{head}: {when}{traffic}{sooner}: {one.why}{coarse}"


def figures(told: Sequence[BackTest]) -> dict[str, object]:
    """How often the gates would have been wrong: `healthy` were done in the end, `bad` had traffic and were not."""
    judged = [one for one in told if one.looks and one.outcome != "under way"]
    bad = [one for one in judged if one.bad]
    healthy = [one for one in judged if not one.bad]
    caught = sorted(one.catch_s for one in bad if one.catch_s is not None)
    return {
        "recordings": len(told),
        "healthy": len(healthy),
        "false_stops": [one.release for one in healthy if one.stop_at is not None],
        "bad": len(bad),
        "misses": [one.release for one in bad if one.stop_at is None and not one.blurred],
        "too_coarse": [one.release for one in bad if one.stop_at is None and one.blurred],
        "catch_s": {"median": median(caught), "worst": caught[-1]} if caught else None,
    }


def summary(told: Sequence[BackTest]) -> str:
    """The same in a line."""
    bad = [one for one in told if one.looks and one.bad]
    healthy = [one for one in told if one.looks and not one.bad and one.outcome != "under way"]
    stops, unstopped = sum(one.stop_at is not None for one in healthy), [one for one in bad if one.stop_at is None]
    misses, coarse = sum(not one.blurred for one in unstopped), sum(one.blurred for one in unstopped)
    caught = sorted(one.catch_s for one in bad if one.catch_s is not None)
    catch = f"; caught {median(caught):.0f} s after first traffic, at worst {caught[-1]:.0f} s" if caught else ""
    wrong = f"{stops} of {len(healthy)} healthy ones stopped falsely, {misses} of {len(bad)} bad ones missed"
    wrong += f", {coarse} kept too coarsely to tell" if coarse else ""
    return f"{len(told)} recordings: {wrong}{catch}"

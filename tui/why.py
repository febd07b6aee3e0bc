"""Why the service is as it is, in words: what `y` says on every pane that is about it. Nothing of it is rounded up."""

from collections.abc import Mapping

from core.state.endpoint import MarkKind
from core.state.gone import gone_slots
from tui import format as as_text
from tui.evidence import (
    SILENT_S,
    RecentAnswers,
    at_the_client,
    at_the_router,
    driver,
    no_answer_s,
    nobody_drives,
    silent_s,
)
from tui.health import health, moved
from tui.pending import pending
from tui.styled import Line
from tui.summary import proof
from tui.view import View

LAST = 3
"""So many of each kind are told, newest first."""
BLAMED = ("target", "router", "host", "registry")
"""Whose complaints are reasons."""


def service(view: View) -> list[str]:
    """What is known of the service now, what happened to it lately, and what is still to be done."""
    endpoint = view.endpoint
    gone = [] if endpoint is None else gone_slots(view.snapshot, endpoint, view.now)
    if endpoint is None or not (endpoint.slots or gone):
        return [*_refused(view), "nothing is served"]
    return [
        f"service {_plain(health(view))}",
        *(f"{one.text}; {one.todo}" for one in gone),
        *_silences(view),
        *_errors(view),
        f"traffic {_plain(proof(view)) or 'has not been moved from here'}",
        *([elsewhere.todo] if (elsewhere := moved(view)) is not None and elsewhere.todo else []),
        *_died(view),
        *_restarts(view),
        *pending(view),
        *_driver(view),
        *_refused(view),
    ]


def _plain(line: Line) -> str:
    return "".join(text for text, _ in line).strip()


def _silences(view: View) -> list[str]:
    silence, unheard = no_answer_s(view), silent_s(view)
    said = [f"no answer to the load is known of for {as_text.about(silence)}"] if silence is not None else []
    if unheard is not None:
        said.append(f"the target was last heard of {as_text.about(unheard)} ago: what stands here is as old")
    return said


def _errors(view: View) -> list[str]:
    """The share of errors that clients met, and that the router counted for each slot."""
    client = at_the_client(view)
    said = [f"errors at the client {_share(client)}"] if client is not None else []
    for slot, seen in sorted((view.endpoint.slots if view.endpoint else {}).items()):
        counted = at_the_router(view, slot)
        label = seen.version.label if seen.version else slot
        if counted is not None:
            said.append(f"errors at the router of {label} {_share(counted)}")
    return [*(said or ["no answer was counted in the last seconds"]), *_callers(view)]


def _callers(view: View) -> list[str]:
    """What was the callers' own doing: it is held against no version, and hidden from nobody."""
    said = []
    for slot in sorted(view.endpoint.slots if view.endpoint else {}):
        last = view.series(slot).last
        if last is not None and last.refused and not last.mirrored and view.now - last.at <= SILENT_S:
            said.append(f"asked wrongly of {slot} in its last sample: {top(last.refused)}")
    return said


def _share(counted: RecentAnswers) -> str:
    kinds = top(counted.failed)
    of = f"{as_text.share(counted.failed_percent)} of {counted.requests:,} requests"
    return f"{of}: {kinds}" if kinds else of


def top(failed: Mapping[str, int], most: int = LAST) -> str:
    """The kinds of failure that came most often: `503 ×120, timeout ×3`."""
    kinds = sorted(failed.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{kind} ×{count:,}" for kind, count in kinds[:most] if count)


def _died(view: View) -> list[str]:
    marks = [mark for mark in (view.endpoint.marks if view.endpoint else ()) if mark.kind is MarkKind.DIED]
    return [f"at {as_text.clock(mark.at)} {mark.text}" for mark in marks[-LAST:][::-1]]


def _restarts(view: View) -> list[str]:
    said = []
    for slot, seen in sorted((view.endpoint.slots if view.endpoint else {}).items()):
        again = {replica.name: replica.restarts for replica in seen.replicas if replica.restarts}
        if again:
            most = sorted(again.items(), key=lambda item: -item[1])[:LAST]
            said.append(
                f"{slot} has restarted ×{sum(again.values())}: " + ", ".join(f"{name} ×{n}" for name, n in most)
            )
        if seen.why:
            said.append(f"{slot}: {seen.why}")
        said += [f"{r.name} {r.state.value}: {r.why}" for r in seen.replicas if r.why][:LAST]
    return said


def _driver(view: View) -> list[str]:
    name = view.endpoint.driver if view.endpoint else ""
    if view.hangs_s is not None:
        silent = as_text.about(view.hangs_s)
        return [f"{driver(view)} hangs: no sign of life for {silent}; another takes over if that lasts"]
    if nobody_drives(view):
        return ["nobody drives the release: 'quarterdeck watch' starts who does"]
    since = f" since {as_text.clock(view.driven_since)}" if view.driven_since is not None else ""
    live = view.release is not None and view.release.live
    return [f"the release is driven by {name}{since}"] if name and live else []


def _refused(view: View) -> list[str]:
    """What was refused: by the target until now, by it and what is around it lately, and to this deck."""
    deaths = {mark.text for mark in (view.endpoint.marks if view.endpoint else ()) if mark.kind is MarkKind.DIED}
    lines = [
        (line.at, f"{line.source}: {line.text}")
        for line in view.log
        if line.endpoint in ("", view.name)
        and line.level != "info"
        and line.source in BLAMED
        and line.text not in deaths
    ]
    asked = [(refusal.at, f"refused: {refusal.why}") for refusal in view.refusals]
    lately = sorted([*lines[-LAST:], *asked[-LAST:]], reverse=True)
    return [*_not_taken(view), *(f"at {as_text.clock(at)} {text}" for at, text in lately)]


def _not_taken(view: View) -> list[str]:
    """What the target has not taken of what the release asks now."""
    release = view.release
    if release is None or not release.live:
        return []
    whys = (release.current.refusal if release.current else "", release.way.refusal if release.way else "")
    return [f"the target has not taken it so far: {why}" for why in whys if why]

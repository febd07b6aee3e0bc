"""Decisions in words: who did what to which endpoint, and why. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.domain.plan import title
from core.state import events as ev
from core.state.messages import message_of, share

QUIET = (
    *(ev.StepStarted, ev.StepAsked, ev.AskFailed, ev.StepDone, ev.Grew, ev.Applied, ev.RetireDue),
    *(ev.Tailed, ev.Drove, ev.Pended, ev.Reported, ev.Told, ev.Promised, ev.Overtaken, ev.Reached),
)
"""What a release does between two decisions; told only where all is asked for."""


_OUTCOMES = frozenset(outcome.value for outcome in ev.Outcome)
"""What came of it is no reason why it was done."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of the audit. `why` is the reason that was given, else what led to it."""

    seq: int
    at: float
    who: str
    endpoint: str
    environment: str
    release: str
    version: str
    kind: str
    what: str
    why: str


def _silently(body: ev.Body) -> str:
    """What no screen says, for whoever asks for all of it."""
    match body:
        case ev.Routed(weights=weights):
            return f"traffic: {share(weights)} asked for"
        case ev.Drove(driver=driver):
            return f"driver: {driver} drives"
        case ev.OtherDrove(other=other):
            return f"driver: {other.by or 'none'} of another machine"
        case ev.StepAsked(index=index):
            return f"step {index + 1}: asked of the target"
        case ev.Pended(kind=kind, why=why):
            return f"pending: {kind.value}{f': {why}' if why else ''}"
        case ev.Promised(notice=notice, receivers=receivers):
            return f"told: {notice.title}, to {', '.join(receivers)}"
        case _:
            # Of a kind that came later: its name in words is better than none.
            return re.sub(r"(?<!^)(?=[A-Z])", " ", type(body).__name__).lower()


def deeds(decisions: Iterable[ev.Event], whole: bool = False) -> Iterator[Deed]:
    """The decisions that people ask about, in order; `whole`: every one."""
    began: dict[str, ev.Began] = {}
    environments: dict[str, str] = {}
    versions: dict[str, str] = {}
    for event in decisions:
        body = event.body
        release = getattr(body, "release", None) or ""
        if isinstance(body, ev.Began):
            began[release] = body
            environments[body.endpoint] = body.environment
        if isinstance(body, ev.Chose):
            versions[release] = f"{body.version.model} {body.version.label}"
        of = began.get(release)
        said = message_of(event, tuple(title(step) for step in of.plan.steps) if of is not None else ())
        # That somebody is told again is no decision; that they could not be told at all is news.
        again = isinstance(body, ev.TellingFailed) and not body.dead
        if not whole and (said is None or again or isinstance(body, QUIET)):
            continue
        endpoint = getattr(body, "endpoint", "") or (of.endpoint if of is not None else "")
        kind = type(body).__name__
        # Who did it stands in a column of its own.
        what = f"{said.source}: {said.text.removeprefix(f'{event.who}: ')}" if said is not None else _silently(body)
        why = getattr(body, "reason", "") or getattr(body, "why", "")
        why = "" if why in _OUTCOMES else why
        environment = environments.get(endpoint, "")
        yield Deed(
            event.seq, event.at, event.who, endpoint, environment, release, versions.get(release, ""), kind, what, why
        )

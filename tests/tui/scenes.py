"""Moments of the recording, and what could have come next."""

from collections.abc import Sequence

from core.domain.gates import Gate, GateResult, Verdict
from core.state import events as ev
from core.state.events import Event
from tests.recordings.make import ENDPOINT, KEY, MOMENT, RELEASE
from tests.tui.replay import recorded

HOLD = 10
"""The index of the hold at 10 %."""


def at_ten() -> list[Event]:
    """v7 holds 10 % of the traffic."""
    return recorded(MOMENT)


def then(events: Sequence[Event], *bodies: ev.Body, at: float = MOMENT) -> list[Event]:
    """The same, and then these."""
    seq = events[-1].seq if events else 0
    return [*events, *(Event(seq + n, at, "ops", body) for n, body in enumerate(bodies, 1))]


def asked() -> list[Event]:
    """A person is asked, for there is too little data."""
    question = "p99 has 1,647 of 4,000 requests after 1:30; go on to 50 %?"
    return then(at_ten(), ev.Asked(RELEASE, HOLD, question, MOMENT + 272))


def rolled_back() -> list[Event]:
    """R was pressed at 50 %, some seconds ago."""
    return recorded(KEY + 5)


def failed() -> list[Event]:
    """A gate failed, all traffic is back."""
    why = "p95 2,311 ms is not < 2000 over 412 requests"
    gate = Gate("p95_ms", "<", 2000.0)
    verdict = Verdict(gate, GateResult.FAIL, 2311.0, "2311 is not < 2000 over 412 requests")
    last = next(e.body.verdicts for e in reversed(at_ten()) if isinstance(e.body, ev.Judged))
    verdicts = tuple(verdict if v.gate == gate else v for v in last)
    return then(
        at_ten(),
        ev.Judged(RELEASE, HOLD, verdicts),
        ev.TurnedBack(RELEASE, ev.Outcome.FAILED, why),
        ev.Routed(ENDPOINT, {"blue": 100.0, "green": 0.0}, RELEASE),
        ev.Verified(ENDPOINT, {"blue": 100.0, "green": 0.0}, 4.0, 22, "route", RELEASE),
        ev.Ended(RELEASE, ev.Outcome.FAILED, why, "runs/2026-03-12-late-0007"),
    )


def served() -> list[Event]:
    """v6 is served, nothing is released, and no load runs."""
    return [event for event in recorded(MOMENT - 200) if not isinstance(event.body, ev.LoadStarted)]

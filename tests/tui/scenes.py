"""Moments of the recording, and what could have come next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.histogram import Histogram
from core.domain.load_profile import LoadProfile
from core.domain.model import Level, Noted, Observation, Reading, Replica, ReplicaState, Scaled
from core.domain.obstacles import Cause, Obstacle
from core.domain.sample import Sample
from core.state import events as ev
from core.state.events import Event
from tests.recordings.make import ENDPOINT, KEY, LIVE, MOMENT, RELEASE
from tests.tui.replay import recorded

ONE_USER = LoadProfile("manual", 1, 1.0, None)
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
    why = "p95 2,311 ms is not < 2000 ms over 412 requests"
    gate = Gate("p95_ms", "<", 2000.0)
    verdict = Verdict(gate, GateResult.FAIL, 2311.0, "2311 ms is not < 2000 ms over 412 requests")
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


def clients(at: float, seconds: int, ok: int, failed: Mapping[str, int] | None = None) -> list[ev.Body]:
    """So many seconds of what the load counts, from a moment on."""
    counted = failed or {}
    spread = Histogram.of([40.0] * ok)
    return [ev.Sampled(ENDPOINT, Sample(None, at + n, ok, counted, 300, spread)) for n in range(1, seconds + 1)]


def each_second(events: Sequence[Event], bodies: Iterable[ev.Body], at: float = MOMENT) -> list[Event]:
    """The same, and then one of these each second."""
    told = list(events)
    for n, body in enumerate(bodies, 1):
        told = then(told, body, at=at + n)
    return told


def seen_each_second(events: Sequence[Event], seconds: int, observation: Observation | None = None) -> list[Event]:
    """The same, and the target's watch goes on to say how a slot is, each second."""
    last = observation or next(
        e.body.observation
        for e in reversed(events)
        if isinstance(e.body, ev.Observed) and e.body.observation.slot == "blue"
    )
    return each_second(events, [ev.Observed(ENDPOINT, last)] * seconds)


def router_hangs(seconds: int = 6) -> list[Event]:
    """The router takes requests and answers none: the load waits, the watch sees replicas that are well."""
    quiet = each_second(at_ten(), clients(MOMENT, seconds, 0))
    return seen_each_second(quiet, seconds)


def stops_between(quiet_s: float, seconds: int) -> list[Event]:
    """The router stops in the middle of a second: the last answer came so long before its end."""
    last = Sample(None, MOMENT + 1, 250, users=300, latency=Histogram.of([40.0] * 250), quiet_s=quiet_s)
    events = each_second(at_ten(), [ev.Sampled(ENDPOINT, last), *clients(MOMENT + 1, seconds - 1, 0)])
    return seen_each_second(events, seconds)


def clients_fail(seconds: int = 6) -> list[Event]:
    """72 of 100 requests fail at the client."""
    return seen_each_second(
        each_second(at_ten(), clients(MOMENT, seconds, 112, {"HTTP 503": 200, "timeout": 88})), seconds
    )


def all_crash(seconds: int = 6) -> list[Event]:
    """Every replica of what serves crashes, again and again."""
    replicas = tuple(
        Replica(f"blue-{n}", ReplicaState.BACKOFF, None, None, 4, "exit code 1, again in 8 s") for n in range(1, 9)
    )
    crashed = Observation("blue", LIVE, 8, 0, 90.0, replicas, why="8 of 8 replicas crash")
    died = [ev.Remarked(ENDPOINT, Noted(f"blue-{n} died: exit code 1", Level.ERROR, "blue")) for n in (1, 2, 3)]
    failing = each_second(then(at_ten(), *died), clients(MOMENT, seconds, 0, {"HTTP 503": 300}))
    return seen_each_second(failing, seconds, crashed)


def unheard(seconds: int = 12) -> list[Event]:
    """The load is answered, but nothing is heard of the target."""
    return each_second(at_ten(), clients(MOMENT, seconds, 400))


def paused(seconds: int = 30) -> list[Event]:
    """The hold was paused; the load goes on."""
    stopped = each_second(then(at_ten(), ev.Paused(RELEASE)), clients(MOMENT, seconds, 400))
    return seen_each_second(stopped, seconds)


def by_steps() -> list[Event]:
    """The hold goes on when somebody says so."""
    return then(at_ten(), ev.Resumed(RELEASE, True))


def one_step_on() -> list[Event]:
    """The same, and the hold is over: the next step waits for somebody."""
    return then(by_steps(), ev.StepDone(RELEASE, HOLD))


def returning() -> list[Event]:
    """The rollback is taken back: traffic comes forward again."""
    return then(rolled_back(), ev.TurnedForward(RELEASE), at=KEY + 5)


def first() -> list[Event]:
    """The first release there ever was holds 10 % of the traffic: nothing served before it."""
    return [
        replace(e, body=replace(e.body, old=None, old_version=None)) if isinstance(e.body, ev.Placed) else e
        for e in at_ten()
    ]


def served() -> list[Event]:
    """v6 is served, nothing is released, and no load runs."""
    return [event for event in recorded(MOMENT - 200) if not isinstance(event.body, ev.LoadStarted)]


def at_maximum() -> list[Event]:
    """Blue has as many replicas as it may have, and its metric asks for more."""
    cpu, full = Reading("cpu", 91.0, 60.0), Obstacle(Cause.MAXIMUM, "", 13, 8)
    look = Scaled("blue", MOMENT, 8, 8, "cpu 91 % of 60 %; maximum 8", (cpu,), 2, 8, proposed=13, obstacles=(full,))
    return then(at_ten(), ev.Looked(ENDPOINT, look))

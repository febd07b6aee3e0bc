"""Which message a receiver gets next, and which one it is not told any more: rules on plain nouns."""

from dataclasses import replace

import pytest

from core.state import events as ev
from core.state.alert import Alert, AlertState, FailingReceiver, Notice, OpenQuestion, Topic, Untold
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from core.watch.notices import of_alert, of_event
from core.watch.overtaken import overtaken
from core.watch.telling_order import next_one
from tests.environments import canary_plan

NOW = 1000.0


def waiting(name: str, tries: int = 0, topic: Topic = Topic.RELEASE, **more: object) -> Untold:
    return Untold(replace(Notice(name, NOW, topic, "late", "dev", name, ""), **more), "ops", tries)  # type: ignore[arg-type]


def failing(again_at: float) -> FailingReceiver:
    return FailingReceiver(NOW - 60, "answered 500", again_at)


BEGAN, DONE = waiting("began"), waiting("done")
ASKS = waiting("asks", question=OpenQuestion("r2", 3, NOW + 600))
PAGE, OVER = waiting("page", topic=Topic.PAGE), waiting("over", topic=Topic.ALERT, resolved=True)
TRIED = replace(BEGAN, tries=4)


@pytest.mark.parametrize(
    ("those", "again_at", "found"),
    [
        ((), None, None),
        ((BEGAN, ASKS), None, BEGAN),
        ((BEGAN, ASKS), NOW + 300, ASKS),
        ((TRIED, ASKS), NOW + 300, ASKS),
        ((TRIED, DONE), NOW + 300, DONE),
        ((TRIED,), NOW + 300, None),
        ((TRIED,), NOW, TRIED),
        ((DONE, OVER, PAGE), NOW, PAGE),
        ((TRIED, replace(PAGE, tries=5)), NOW, TRIED),
        ((replace(BEGAN, tries=1), replace(PAGE, tries=1)), NOW, replace(PAGE, tries=1)),
    ],
)
def test_the_next_one(those: tuple[Untold, ...], again_at: float | None, found: Untold | None) -> None:
    assert next_one(those, None if again_at is None else failing(again_at), NOW) == found


def state(*bodies: ev.Body) -> Snapshot:
    return fold_all(ev.Event(seq, NOW, "ada", body) for seq, body in enumerate(bodies, 1))


BEGUN = ev.Began("r2", "late", "dev", canary_plan())
ASKED = ev.Asked("r2", 0, "all of it?", NOW + 600)
ANSWERED = ev.Answered("r2", 0, True)
ENDED = ev.Ended("r2", ev.Outcome.DONE, "")


def told_of(body: ev.Body, *before: ev.Body, tries: int = 1) -> Untold:
    seq = len(before) + 1
    notice = of_event(ev.Event(seq, NOW, "ada", body), state(*before, body))
    assert notice is not None
    return Untold(notice, "ops", tries)


@pytest.mark.parametrize(
    ("one", "after", "now", "why"),
    [
        (told_of(ASKED, BEGUN, tries=0), (BEGUN, ASKED), NOW, ""),
        (told_of(ASKED, BEGUN), (BEGUN, ASKED), NOW + 599, ""),
        (told_of(ASKED, BEGUN), (BEGUN, ASKED), NOW + 600, "the question is open no more"),
        (
            told_of(ASKED, BEGUN, tries=0),
            (BEGUN, ASKED, ev.Answered("r2", 0, True)),
            NOW,
            "the question is open no more",
        ),
        (told_of(ASKED, BEGUN), (BEGUN, ASKED, ENDED), NOW, "the question is open no more"),
        (told_of(BEGUN), (BEGUN,), NOW + 900, ""),
        (told_of(BEGUN), (BEGUN, ENDED), NOW, "the release has ended"),
        (told_of(BEGUN, tries=0), (BEGUN, ENDED), NOW, ""),
        (told_of(BEGUN, tries=0), (BEGUN, ENDED), NOW + 61, "the release has ended"),
        (told_of(ENDED, BEGUN), (BEGUN, ENDED), NOW + 900, ""),
    ],
)
def test_what_a_release_no_longer_asks_or_does_is_not_told(
    one: Untold, after: tuple[ev.Body, ...], now: float, why: str
) -> None:
    assert overtaken(one, state(*after), now) == why


FIRED = Alert("errors", AlertState.FIRED, NOW - 60, NOW, NOW + 900, "8 %", "rolls back at once")
ACTED = replace(FIRED, state=AlertState.ACTED, did="goes back at once")
AGAIN = replace(ACTED, state=AlertState.ESCALATED, times=2)
RESOLVED = replace(ACTED, state=AlertState.RESOLVED)
LATER = replace(FIRED, since=NOW + 300)


@pytest.mark.parametrize(
    ("alert", "tries", "now_is", "why"),
    [
        (FIRED, 0, FIRED, ""),
        (FIRED, 3, FIRED, ""),
        (FIRED, 0, ACTED, ""),
        (FIRED, 1, ACTED, "the alert went on: acted"),
        (ACTED, 1, AGAIN, ""),
        (AGAIN, 1, AGAIN, ""),
        (AGAIN, 1, replace(AGAIN, times=3), "the alert went on: escalated"),
        (ACTED, 1, RESOLVED, ""),
        (RESOLVED, 9, RESOLVED, ""),
        (FIRED, 1, LATER, "the alert is over"),
    ],
)
def test_of_an_alert_that_could_not_be_told_its_newest_state_is_and_what_was_done(
    alert: Alert, tries: int, now_is: Alert, why: str
) -> None:
    notice = of_alert(alert, ACTED if alert is RESOLVED else None, "late", "dev")
    assert notice is not None
    assert overtaken(Untold(notice, "ops", tries), state(ev.Alerted("late", now_is)), NOW) == why

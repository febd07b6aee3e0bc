"""Whoever waits for traffic hears which place is silent, for how long, and what comes of it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from core.config.planner import Wishes, release_of
from core.domain.errors import Failed
from core.domain.model import Contact
from core.domain.plan import Patience
from core.engine import shell_variables
from core.engine.engine import Engine
from core.state import events as ev
from core.state.events import Event
from core.state.fold import fold_all
from core.state.release import Release
from core.state.snapshot import Snapshot
from tests.recordings.make import ENDPOINT, MOMENT, RELEASE
from tests.tui import past, scenes
from tui import rollback_command
from tui.headless import after_us, home_within_s
from tui.quick_rollback import TakenUp
from tui.silent_place import in_silence, other_variables, say_silence, silence

BACK = ev.TurnedBack(RELEASE, ev.Outcome.ROLLED_BACK, "rolled back")
UNDONE = (BACK, ev.Ended(RELEASE, ev.Outcome.ROLLED_BACK, ""), ev.TurnedForward(RELEASE, 10.0))
MUTE = "kubernetes prod-eu: PATCH services/late: no answer from 10.0.0.1:6443 (ReadTimeoutError)"
LOST = Contact(MOMENT - 42, f"{MUTE}; see whether 'kubectl --context prod-eu get ns' gets one")


def _following(events: list[Event], now: float = MOMENT) -> Engine:
    """An engine as it stood after these."""

    async def told(_: int) -> AsyncIterator[Event]:
        await asyncio.Event().wait()
        yield events[-1]

    known = {"snapshot": fold_all(events), "now": lambda: now, "events": told, "drives": lambda _: False}
    return cast("Engine", SimpleNamespace(**known, driven=lambda _: True))


def _said(events: list[Event]) -> str:
    snapshot = fold_all(events)
    return in_silence(snapshot.releases[RELEASE], snapshot.endpoint(ENDPOINT), MOMENT)


def test_the_place_is_named_with_what_comes_of_a_way_back() -> None:
    line = _said(scenes.then(scenes.at_ten(), BACK, ev.Contacted(ENDPOINT, LOST)))
    place = fold_all(scenes.at_ten()).endpoint(ENDPOINT).target
    until = time.strftime("%H:%M:%S", time.localtime(MOMENT + 120))
    assert line == (
        f"{place} has not answered for 42 s ({MUTE}); traffic stays where it is, and moves as soon as it answers; "
        f"if that is not before {until}, it is stuck, and 'quarterdeck rollback --env prod' asks anew"
    )


def test_an_undo_says_that_else_the_rollback_stands() -> None:
    line = _said(scenes.then(scenes.at_ten(), *UNDONE, ev.Contacted(ENDPOINT, LOST)))
    assert line.startswith(f"{fold_all(scenes.at_ten()).endpoint(ENDPOINT).target} has not answered for 42 s")
    assert line.endswith(", the rollback stands")


def test_of_traffic_that_never_moved_nothing_is_said() -> None:
    """A release that is aborted while it trains is over, whether its place answers or not."""
    aborted = ev.TurnedBack(RELEASE, ev.Outcome.ABORTED, "aborted")
    trains = [one for one in scenes.at_ten() if not isinstance(one.body, ev.StepStarted) or one.body.index == 0]
    trains = [one for one in trains if not isinstance(one.body, ev.StepDone)]
    events = scenes.then(trains, aborted, ev.Contacted(ENDPOINT, LOST))
    release = fold_all(events).releases[RELEASE]
    assert (release.live, release.touched) == (True, False)
    assert _said(events) == ""


def test_what_was_taken_already_waits_for_its_proof() -> None:
    routed = ev.Routed(ENDPOINT, {"blue": 100.0}, release=RELEASE)
    line = _said(scenes.then(scenes.at_ten(), BACK, routed, ev.Contacted(ENDPOINT, LOST)))
    assert "; what was asked for is proved as soon as it answers; " in line


@pytest.mark.parametrize(
    ("contact", "silent"),
    [
        (Contact(MOMENT - 5), False),
        (Contact(MOMENT - 30), True),
        (Contact(MOMENT - 42, every_s=30.0), False),
        (Contact(MOMENT - 70, every_s=30.0), True),
        (Contact(MOMENT - 5, "no answer"), True),
        (None, False),
    ],
    ids=["heard", "no word", "asked seldom", "not asked", "lost", "never says so"],
)
def test_a_place_is_silent_once_it_is_lost_or_says_nothing_for_long(contact: Contact | None, silent: bool) -> None:
    bodies = [] if contact is None else [ev.Contacted(ENDPOINT, contact)]
    endpoint = fold_all(scenes.then(scenes.at_ten(), *bodies)).endpoint(ENDPOINT)
    assert bool(silence(endpoint, MOMENT)) is silent


@pytest.mark.parametrize(("after_s", "said"), [(2, ""), (13, "has not answered for 13 s; traffic stays")])
def test_while_nobody_drove_the_place_was_not_silent(after_s: float, said: str) -> None:
    """What was last heard before the key, by another watch or in a copied journal, is no silence since."""
    quiet = ev.Contacted(ENDPOINT, Contact(MOMENT - 44))
    snapshot = fold_all(scenes.then(scenes.at_ten(), quiet, BACK))
    line = in_silence(snapshot.releases[RELEASE], snapshot.endpoint(ENDPOINT), MOMENT + after_s)
    assert said in line
    assert bool(line) is bool(said)


def test_a_release_that_goes_on_or_is_over_waits_for_nobody() -> None:
    assert _said(scenes.then(scenes.at_ten(), ev.Contacted(ENDPOINT, LOST))) == ""
    over = (BACK, ev.Ended(RELEASE, ev.Outcome.ROLLED_BACK, ""), ev.Contacted(ENDPOINT, LOST))
    assert _said(scenes.then(scenes.at_ten(), *over)) == ""


async def _told(
    monkeypatch: pytest.MonkeyPatch,
    engine: Engine,
    states: list[Snapshot],
    others: Callable[[Release], str] = lambda _: "",
) -> list[str]:
    """What whoever waits is told, a look a state."""
    said: list[str] = []

    async def next_look(_: float) -> None:
        if not states:
            raise asyncio.CancelledError
        cast("SimpleNamespace", engine).snapshot = states.pop(0)

    monkeypatch.setattr("asyncio.sleep", next_look)
    with contextlib.suppress(asyncio.CancelledError):
        await say_silence(engine, {ENDPOINT: RELEASE}, said.append, others)
    return said


async def test_it_is_said_once_each_time_that_the_place_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [
        fold_all(scenes.then(scenes.at_ten(), BACK, ev.Contacted(ENDPOINT, one)))
        for one in (LOST, LOST, Contact(MOMENT), LOST)
    ]
    engine = _following(scenes.at_ten())
    said = await _told(monkeypatch, engine, states)
    assert [one.partition(" (")[0].partition(" has")[0] for one in said] == [said[0].partition(" has")[0]] * 2


async def test_who_waits_in_vain_is_told_who_did_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback_command, "home_within_s", lambda _: 0.05)
    engine = _following(scenes.then(scenes.at_ten(), BACK, ev.Contacted(ENDPOINT, LOST)))
    said: list[str] = []
    with pytest.raises(Failed, match=r"has not answered for 42 s \(kubernetes prod-eu: PATCH"):
        await rollback_command._arrive(engine, {ENDPOINT: RELEASE}, TakenUp(ENDPOINT, RELEASE, 0), said.append)
    assert len(said) == 1
    assert said[0].startswith(f"{ENDPOINT}: ")


@pytest.mark.parametrize("patience", [Patience(), Patience(back_s=1800.0)])
@pytest.mark.parametrize("pause_s", [0.0, 600.0])
def test_whoever_waits_for_traffic_gives_up_later_than_whoever_moves_it(patience: Patience, pause_s: float) -> None:
    back = replace(BACK, shares=(50.0,), pause_s=pause_s) if pause_s else BACK
    stepped = ev.SteppedBack(RELEASE, 50.0) if pause_s else ev.Paused(RELEASE)
    release = fold_all(scenes.then(scenes.at_ten(), back, stepped)).releases[RELEASE]
    release = replace(release, plan=replace(release.plan, patience=patience))
    assert release.way is not None
    until = max(release.way.driven_at, release.way.rests_until or 0.0) + patience.back_s
    assert MOMENT + home_within_s(release) > until


def test_who_leaves_is_told_which_way_it_goes() -> None:
    assert after_us(_following(scenes.then(scenes.at_ten(), BACK)), ENDPOINT).startswith("still going back; ")
    assert after_us(_following(scenes.then(scenes.at_ten(), *UNDONE)), ENDPOINT).startswith("still going forward again")


async def test_what_its_place_did_not_take_is_compared_once_with_the_shell_of_who_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turned = scenes.then(scenes.at_ten(), BACK)
    refused = ev.AskFailed(RELEASE, "not to be reached")
    states = [fold_all(turned), fold_all(scenes.then(turned, refused)), fold_all(scenes.then(turned, refused))]
    engine = _following(scenes.at_ten())
    said = await _told(monkeypatch, engine, states, lambda release: f"{release.id} has others")
    assert said == [f"{RELEASE} has others"]


def test_variables_that_a_shell_has_otherwise_are_named_and_no_more_than_a_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = past.project(tmp_path)
    begun = release_of(project.settings, True, Wishes())
    shell_variables.keep(project.settings, begun.release)
    options = {**begun.options, "settings": project.settings.dump()}
    release = replace(fold_all(scenes.at_ten()).releases[RELEASE], id="r1", options=options)
    assert other_variables(project, release) == ""
    for number in range(7):
        monkeypatch.setenv(f"AWS_{number}", "s3cret")
    says = "this goes with what r1 was begun with, and this shell has another"
    names = "AWS_0, AWS_1, AWS_2, AWS_3, AWS_4 and 2 more"
    assert other_variables(project, release) == f"{release.endpoint}: {says}: {names}"

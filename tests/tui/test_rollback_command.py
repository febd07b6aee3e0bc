"""What the verbs of the command line ask before they do it, and whom they follow."""

from types import SimpleNamespace
from typing import cast

import pytest

from core.domain.errors import Refused
from core.domain.model import Observation
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.state.events import Event
from core.state.fold import fold_all
from tests.recordings.make import ENDPOINT, RELEASE
from tests.tui import scenes
from tui.rollback_command import agreed, ask, came_of

BACK = ev.TurnedBack(RELEASE, ev.Outcome.ROLLED_BACK, "rolled back")


def refusing(events: list[Event], after_s: float = 0.0) -> Engine:
    """An engine that refuses all, so long after the last of these."""

    async def do(_: c.Command) -> None:
        raise Refused("as it stands")

    known = {"snapshot": fold_all(events), "now": lambda: (events[-1].at if events else 0.0) + after_s, "do": do}
    return cast("Engine", SimpleNamespace(**known))


def standing(events: list[Event]) -> Engine:
    """An engine that somebody drives, as it stood after these."""
    known = {"snapshot": fold_all(events), "now": lambda: events[-1].at, "driven": lambda _: True}
    return cast("Engine", SimpleNamespace(**known))


@pytest.mark.parametrize("command", [c.Rollback(ENDPOINT), c.Abort(ENDPOINT)])
async def test_a_way_back_that_is_under_way_is_followed(command: c.Command) -> None:
    said: list[str] = []
    await ask(refusing(scenes.then(scenes.at_ten(), BACK)), command, said.append)
    assert said == [f"{RELEASE} is on its way back already; this follows it to its end"]


async def test_who_presses_a_moment_after_another_is_told_that_it_is_done_and_has_not_failed() -> None:
    said: list[str] = []
    whole = scenes.rolled_back()
    ended = whole[: next(n for n, e in enumerate(whole, 1) if isinstance(e.body, ev.Ended))]
    await ask(refusing(ended, 3.0), c.Rollback(ENDPOINT), said.append)
    assert said == [f"{RELEASE} was taken back already, 3 s ago: that is done"]
    with pytest.raises(Refused):
        await ask(refusing(ended, 61.0), c.Rollback(ENDPOINT), said.append)


async def test_what_was_done_and_was_deleted_since_is_no_good_news() -> None:
    said: list[str] = []
    whole = scenes.rolled_back()
    ended = whole[: next(n for n, e in enumerate(whole, 1) if isinstance(e.body, ev.Ended))]
    deleted = scenes.then(ended, ev.Observed(ENDPOINT, Observation("blue", None, 0, 0, 0.0)), at=ended[-1].at)
    with pytest.raises(Refused, match=r"was taken back already, and since then blue .* was deleted where it stood"):
        await ask(refusing(deleted, 3.0), c.Rollback(ENDPOINT), said.append)
    assert said == []


@pytest.mark.parametrize(
    ("command", "events"),
    [
        (c.Rollback(ENDPOINT), scenes.at_ten()),
        (c.Undo(ENDPOINT), scenes.then(scenes.at_ten(), BACK)),
        (c.Rollback(ENDPOINT), scenes.failed()),
        (c.Rollback(ENDPOINT), scenes.then(scenes.at_ten(), ev.Ended(RELEASE, ev.Outcome.ABORTED, "taken down"))),
        (c.Rollback(ENDPOINT), []),
    ],
)
async def test_anything_else_stays_refused(command: c.Command, events: list[Event]) -> None:
    said: list[str] = []
    with pytest.raises(Refused, match="as it stands"):
        await ask(refusing(events), command, said.append)
    assert said == []


@pytest.mark.parametrize(
    ("named", "typed", "agrees"),
    [("prod", None, True), (None, None, False), ("dev", None, False), (None, "prod", True), (None, "y", False)],
)
async def test_more_traffic_in_production_wants_the_environment_named(
    monkeypatch: pytest.MonkeyPatch, named: str | None, typed: str | None, agrees: bool
) -> None:
    """On the command line, or typed by whoever sits there."""
    events, said = scenes.at_ten(), list[str]()
    stdin = SimpleNamespace(isatty=lambda: typed is not None, readline=lambda: f"{typed}\n")
    monkeypatch.setattr("sys.stdin", stdin)
    engine, project = standing(events), cast("Project", SimpleNamespace(env=named))
    assert agreed(project, engine, c.Next(ENDPOINT), said.append) is agrees
    assert agreed(project, engine, c.Rollback(ENDPOINT), said.append), "the way back asks for nothing"
    if named == "prod":
        assert said == []
    elif typed is None:
        assert said[0].startswith("refused: 10 → 50 %")
        assert said[0].endswith("name it to mean it: --env prod")
    else:
        assert said[0].endswith("Type prod to do it")


@pytest.mark.parametrize("named", ["prod", None])
def test_nobody_is_asked_for_a_yes_to_what_can_not_be_done(named: str | None) -> None:
    """An undo brings traffic to production's new version, but its slot is gone: that is what is said."""
    project, events = cast("Project", SimpleNamespace(env=named)), scenes.rolled_back()
    gone = ev.Observed(ENDPOINT, Observation("green", None, 0, 0, 0.0))
    assert agreed(project, standing(events), c.Undo(ENDPOINT), print) is (named == "prod")
    with pytest.raises(Refused, match="green is gone; begin a release instead"):
        agreed(project, standing(scenes.then(events, gone, at=events[-1].at)), c.Undo(ENDPOINT), print)


@pytest.mark.parametrize(
    ("command", "fact", "said"),
    [
        (c.Answer(ENDPOINT, False), None, "is given up; traffic returns"),
        (c.Answer(ENDPOINT, True), None, "goes on at hold"),
        (c.Pause(ENDPOINT), ev.Paused(RELEASE), "stays at hold; go on with pause or next"),
    ],
)
def test_what_came_of_it_is_said_as_it_is(command: c.Command, fact: ev.Body | None, said: str) -> None:
    """Who says no is not told that it goes on."""
    events = scenes.then(scenes.at_ten(), *([fact] if fact is not None else []))
    live = fold_all(events).live_release(ENDPOINT)
    assert live is not None
    project = cast("Project", SimpleNamespace(typed=lambda words: words))
    assert came_of(command, live, project) == said

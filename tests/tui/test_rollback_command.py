"""`quarterdeck rollback` asked twice: whoever comes second follows what goes back already."""

from types import SimpleNamespace
from typing import cast

import pytest

from core.domain.errors import Refused
from core.engine.engine import Engine
from core.state import commands as c, events as ev
from core.state.events import Event
from core.state.fold import fold_all
from tests.recordings.make import ENDPOINT, RELEASE
from tests.tui import scenes
from tui.rollback_command import ask

BACK = ev.TurnedBack(RELEASE, ev.Outcome.ROLLED_BACK, "rolled back")


def refusing(events: list[Event]) -> Engine:
    """An engine that refuses all, at this moment."""

    async def do(_: c.Command) -> None:
        raise Refused("as it stands")

    return cast("Engine", SimpleNamespace(snapshot=fold_all(events), do=do))


@pytest.mark.parametrize("command", [c.Rollback(ENDPOINT), c.Abort(ENDPOINT)])
async def test_a_way_back_that_is_under_way_is_followed(command: c.Command) -> None:
    said: list[str] = []
    await ask(refusing(scenes.then(scenes.at_ten(), BACK)), command, said.append)
    assert said == [f"{RELEASE} is on its way back already; this follows it to its end"]


@pytest.mark.parametrize(
    ("command", "events"),
    [
        (c.Rollback(ENDPOINT), scenes.at_ten()),
        (c.Undo(ENDPOINT), scenes.then(scenes.at_ten(), BACK)),
        (c.Rollback(ENDPOINT), scenes.failed()),
        (c.Rollback(ENDPOINT), []),
    ],
)
async def test_anything_else_stays_refused(command: c.Command, events: list[Event]) -> None:
    said: list[str] = []
    with pytest.raises(Refused, match="as it stands"):
        await ask(refusing(events), command, said.append)
    assert said == []

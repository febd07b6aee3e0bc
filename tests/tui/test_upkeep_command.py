"""`down`, `restart` and `down --to-minimum` where nothing of what is meant runs."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.domain.model import Observation
from core.engine.project import Project
from core.state import events as ev
from core.state.fold import fold_all
from core.targets.fake.kind import KIND
from tests.environments import V1
from tui import upkeep_command
from tui.minimum_command import to_minimum
from tui.upkeep_command import down, restart

SETTINGS = "target: fake\ndata: {source: iris, target: species}\nendpoint: {name: late}\n"


@pytest.mark.parametrize(
    ("verb", "typed"),
    [
        (down, "'quarterdeck down --env staging'"),
        (restart, "'quarterdeck restart'"),
        (to_minimum, "'quarterdeck down --to-minimum --env staging'"),
    ],
)
async def test_another_environment_that_runs_is_named_with_the_command_for_it(
    tmp_path: Path, verb: Callable[..., Awaitable[int]], typed: str
) -> None:
    path = tmp_path / "quarterdeck.yaml"
    path.write_text(SETTINGS)
    dev, staging = Project(path, "dev"), Project(path, "staging")
    said: list[str] = []
    assert await verb(dev, said.append) == 0
    assert said.pop() == "nothing runs here"
    KIND.place(staging.settings, "late-staging").slots["blue"] = Observation("blue", V1, 1, 1, 100.0)
    assert await verb(dev, said.append) == 0
    assert said == [f"nothing runs in dev; late-staging does in staging: {typed}"]


async def test_down_of_an_endpoint_whose_slots_were_deleted_expects_nothing_there_any_more(tmp_path: Path) -> None:
    """Something of it stands still, which is what goes."""
    path = tmp_path / "quarterdeck.yaml"
    path.write_text(SETTINGS)
    here = Project(path, "dev")
    with contextlib.closing(here.journal()) as journal:
        journal.append([ev.Routed("late-dev", {"blue": 100.0})], "watch", journal.clock.now())
    KIND.place(here.settings, "late-dev").slots.clear()
    said: list[str] = []
    assert await down(here, said.append) == 0
    assert said == ["late-dev: drained and stopped"]
    with contextlib.closing(here.journal()) as journal:
        assert not fold_all(journal.recent(journal.clock.now())).endpoint("late-dev").weights


async def test_what_takes_long_to_take_down_is_said_while_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "quarterdeck.yaml"
    path.write_text(SETTINGS)
    here = Project(path, "dev")
    KIND.place(here.settings, "late-dev").slots["blue"] = Observation("blue", V1, 1, 1, 100.0)
    said: list[str] = []
    told = asyncio.Event()

    async def slowly(*_: object) -> bool:
        await told.wait()
        return True

    def write(line: str) -> None:
        said.append(line)
        told.set()

    monkeypatch.setattr(KIND, "stop", slowly)
    monkeypatch.setattr(upkeep_command, "SAY_S", 0.01)
    assert await down(here, write, confirmed="dev") == 0
    assert said == ["late-dev: is being taken down there, for 0 s so far", "late-dev: drained and stopped"]

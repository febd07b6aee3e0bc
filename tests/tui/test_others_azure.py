"""In a folder that has no journal, or an old one, what others serve in Azure ML is told, and each advice holds."""

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.domain.errors import Refused
from core.engine.engine import Engine
from core.engine.project import Project
from core.state.commands import ScaleSlot
from tests.azure.standin import AzureStandIn
from tests.targets.azureml_places import AzurePlaceOf, pretending_workspace
from tests.targets.azureml_scenes import project
from tests.targets.helpers import ONE, watching
from tui.cli import app
from tui.explain_command import explained
from tui.minimum_command import to_minimum
from tui.scale_command import scale
from tui.status import lines_of
from tui.upkeep_command import down


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    with pretending_workspace(tmp_path_factory.mktemp("azure")) as one:
        yield one


@pytest.fixture
async def place(azure: AzureStandIn, tmp_path: Path) -> AsyncIterator[AzurePlaceOf]:
    """v1 serves in blue with two replicas, which a project in this folder brought there."""
    (tmp_path / "there").mkdir()
    made = AzurePlaceOf(azure, tmp_path / "there")
    target = made.target(1)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 2)
        await watcher.ready("blue", 2)
        await target.route({"blue": 100.0})
        await watcher.weight("blue", 100)
    yield made
    await made.close()


@pytest.fixture
def stranger(azure: AzureStandIn, place: AzurePlaceOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in another folder, whose journal is empty; it drives what it asks for by itself."""
    for name, value in azure.environment().items():
        monkeypatch.setenv(name, value)

    async def no_watch(*_: object) -> None:
        return

    @asynccontextmanager
    async def by_itself(one: Project) -> AsyncIterator[Engine]:
        journal = one.journal()
        try:
            async with one.engine(journal) as engine:
                yield engine
        finally:
            journal.close()

    @asynccontextmanager
    async def nobody_else(_: Project, engine: Engine, names: list[str]) -> AsyncIterator[None]:
        for name in names:
            engine.drive(name)
        yield

    for command in ("scale_command", "minimum_command"):
        monkeypatch.setattr(f"tui.{command}.have_watch", no_watch)
        monkeypatch.setattr(f"tui.{command}.opened", by_itself)
        monkeypatch.setattr(f"tui.{command}.driven", nobody_else)
    here = tmp_path / "here"
    here.mkdir()
    at = place.at.place
    said = at.model_dump(include={"subscription", "resource_group", "workspace", "name", "poll_s", "look_s"})
    cloud = at.cloud.model_dump(include={"resource_manager", "storage"})
    return Project(project(here, {**said, "cloud": cloud}), "prod")


async def test_what_serves_is_explained_and_scaled_from_a_folder_that_released_nothing(stranger: Project) -> None:
    said: list[str] = []
    assert await explained(stranger, said.append) == 0
    assert said[1].startswith("  blue     late v1          100.0 %")
    assert said[1].endswith("2 of 2 replicas ready")
    said.clear()
    assert await scale(stranger, ScaleSlot("", 3, ""), said.append) == 0
    assert said[-1].startswith("late: blue has 3 replicas ready after ")
    said.clear()
    assert await explained(stranger, said.append) == 0
    assert said[1].endswith("3 of 3 replicas ready")


async def test_down_to_the_minimum_meets_what_serves_first(stranger: Project) -> None:
    said: list[str] = []
    assert await to_minimum(stranger, said.append) == 0
    assert said[0].startswith("late: blue has 1 replica ready after ")


async def test_the_command_that_ends_what_others_left_to_be_paid_for_does_end_it(stranger: Project) -> None:
    with pytest.raises(Refused, match="this project has released nothing there"):
        await down(stranger, print)
    (costs,) = [line for line in await lines_of(stranger) if line.startswith("  costs")]
    (command,) = [words for words in re.findall("'quarterdeck (.*?)'", costs) if words.startswith("down")]
    words = [*shlex.split(command), "--config", str(stranger.path)]
    told = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert told.exit_code == 0, told.output
    assert "late: drained and stopped" in told.output

"""What is said of a way back that can't be asked for here, and that nobody waits for a place that is silent."""

import asyncio
from pathlib import Path

import pytest

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.domain.errors import Refused
from core.engine.project import Project
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from core.targets.kinds import Standing
from tests.recordings.make import ENDPOINT, RELEASE
from tests.targets.azureml_scenes import project
from tests.tui import scenes
from tui import refused_elsewhere as module
from tui.refused_elsewhere import refused_elsewhere

REFUSED = Refused("late: no release yet")


@pytest.fixture
def here(tmp_path: Path) -> Project:
    return Project(project(tmp_path), "prod")


async def test_a_silent_place_is_said_to_be_asked_and_not_waited_for(
    here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_: Settings) -> Standing:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(module, "standing_at", silent)
    monkeypatch.setattr(module, "SAID_S", 0.01)
    monkeypatch.setattr(module, "WITHIN_S", 0.02)
    said: list[str] = []
    async with asyncio.timeout(10):
        found = await refused_elsewhere(here, Snapshot(), REFUSED, said.append)
    assert said == ["late: no release yet; 00000000/rg/ws is asked whether another machine releases there"]
    assert str(found) == "late: no release yet; whether another machine releases there was not said within 0.02 s"


async def test_another_machine_s_release_is_named(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(_: Settings) -> Standing:
        return Standing("late", "azureml", (), (), refuses="bob releases there")

    monkeypatch.setattr(module, "standing_at", busy)
    found = await refused_elsewhere(here, Snapshot(), REFUSED, print)
    assert str(found).startswith("late: bob releases there; from here 'quarterdeck rollback --to VERSION")


async def test_a_release_of_another_environment_is_named_and_no_place_is_asked(tmp_path: Path) -> None:
    dev, known = Project(project(tmp_path), "dev"), fold_all(scenes.at_ten())
    assert endpoint_name(dev.settings) != ENDPOINT
    found = await refused_elsewhere(dev, known, REFUSED, print)
    assert f"{RELEASE} is under way, of the environment prod: --env names it" in str(found)

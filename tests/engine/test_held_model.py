"""A version that answers with another one's model, as an image does that is named for versions it was not made of."""

import json
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from core.config.config import load, state_folder
from core.config.scaffold import init
from core.domain.errors import Failed
from core.engine.held_model import check_model
from core.engine.project_environment import ProjectEnvironment
from core.engine.smoke import about
from core.state.release import Release
from core.targets.protocol import Address
from tests.environments import V2
from tests.images.small import linear
from tests.tui import scenes
from tests.tui.looking import seen


@asynccontextmanager
async def scored(folder: Path) -> AsyncIterator[Address]:
    """A model folder served by scoring's own program, which was told that it is version 2."""
    command = ("-m", "scoring", str(folder), "--port", "0", "--model", "late", "--version", "2")
    process = await create_subprocess_exec(sys.executable, *command, stdout=PIPE)
    assert process.stdout is not None
    try:
        said = (await process.stdout.readline()).decode()
        assert said.startswith("ready ")
        yield Address(f"http://{said.split()[1]}")
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
def environment(tmp_path: Path) -> ProjectEnvironment:
    """A project that has version 2 in its own folder."""
    init(tmp_path / "late", "iris", None, None)
    made = ProjectEnvironment(load(tmp_path / "late", None))
    linear(state_folder(made.settings) / "models" / "late-2")
    return made


@pytest.fixture
def release() -> Release:
    """One of version 2."""
    found = seen(scenes.at_ten()).release
    assert found is not None
    return replace(found, version=V2)


def other(folder: Path) -> Path:
    """The model of version 1: it weighs otherwise, and nothing else tells it apart."""
    path = linear(folder) / "linear.json"
    path.write_text(path.read_text().replace("0.0]", "0.5]", 1))
    return folder


async def test_its_own_model_passes(environment: ProjectEnvironment, release: Release, tmp_path: Path) -> None:
    async with scored(linear(tmp_path / "image")) as address:
        assert (await about(address))["model_version"] == "2"
        assert await environment.smoke(release, address, 3) == "3 of 3"


async def test_another_versions_model_is_refused_in_one_line(
    environment: ProjectEnvironment, release: Release, tmp_path: Path
) -> None:
    async with scored(other(tmp_path / "image")) as address:
        with pytest.raises(Failed, match=r"what answers as late v2 holds another model \(sha256:\w{12}\)") as failed:
            await environment.smoke(release, address, 3)
    assert "\n" not in str(failed.value)
    assert "name or build that of v2" in str(failed.value)


async def test_what_says_nothing_of_its_model_is_not_judged(tmp_path: Path) -> None:
    await check_model({}, V2, linear(tmp_path / "late-2"))
    await check_model({"model_digest": "sha256:1"}, V2, tmp_path / "nowhere")
    # Each machine makes its own of what somebody else logged.
    path = linear(tmp_path / "theirs") / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "flavour": "xgboost"}))
    await check_model({"model_digest": "sha256:1"}, V2, tmp_path / "theirs")
    assert await about(Address("http://127.0.0.1:1")) == {}

"""A version whose folder is gone comes back out of the registry, also where the first who asked gave up."""

import asyncio
import shutil
from dataclasses import replace

import pytest

from core.domain.errors import Failed
from core.domain.model import Version
from core.engine.model_folders import ModelFolders
from tests.work.conftest import Project

in_one_loop = pytest.mark.asyncio(loop_scope="session")


@in_one_loop
async def test_a_fetch_goes_on_for_who_asks_again(iris: Project) -> None:
    version = Version(**iris.worked["register"].result["version"])
    folders = ModelFolders(iris.settings)
    shutil.rmtree(folders.place(version))
    first = asyncio.create_task(folders.of(version))
    # One turn of the loop starts the fetch.
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    try:
        async with asyncio.timeout(120):
            folder = await folders.of(version)
            assert await folders.of(version) == folder
    finally:
        await folders.close()
    assert (folder / "model.json").is_file()
    assert len((folder / "rows.jsonl").read_text().splitlines()) == 30


@in_one_loop
async def test_what_cant_be_fetched_is_said_to_each_who_asks(iris: Project) -> None:
    version = Version(**iris.worked["register"].result["version"])
    gone = replace(version, number="99", uri="models:/iris/99")
    folders = ModelFolders(iris.settings)
    try:
        for _ in range(2):
            with pytest.raises(Failed, match="iris has no version 99"):
                await folders.of(gone)
        with pytest.raises(Failed, match="the registry's address unknown"):
            await folders.of(replace(gone, uri=""))
    finally:
        await folders.close()


@in_one_loop
async def test_closing_ends_a_fetch_at_once(iris: Project) -> None:
    version = replace(Version(**iris.worked["register"].result["version"]), number="98", uri="models:/iris/98")
    folders = ModelFolders(iris.settings)
    asked = asyncio.create_task(folders.of(version))
    await asyncio.sleep(0)
    await folders.close()
    with pytest.raises(asyncio.CancelledError):
        await asked

"""The state of an endpoint has one writer: what comes last is what is on disk, and it is there for good."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.targets.local import state as state_module
from core.targets.local.state import HostState, StateWriter, load


class Scene:
    """A state that changes, and its writer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = HostState({"endpoint": "late"})
        self.writer = StateWriter(folder, lambda: self.state)

    async def set(self, generation: int) -> int:
        """Change it, and wait until that is on disk; gives what is there then."""
        self.state = replace(self.state, generation=generation, weights={"blue": float(generation)})
        await self.writer.saved()
        found = load(self.folder)
        assert found is not None
        return found.generation


async def test_three_hundred_changes_at_once_leave_the_last_on_disk(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    found = await asyncio.gather(*(scene.set(number) for number in range(1, 301)))
    assert all(there >= number for number, there in enumerate(found, 1))
    assert load(tmp_path) == scene.state
    assert scene.state.generation == 300


async def test_changes_that_come_together_are_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, writes = Scene(tmp_path), []

    def save(folder: Path, state: HostState) -> None:
        writes.append(state.generation)
        really(folder, state)

    really = state_module.save
    monkeypatch.setattr(state_module, "save", save)
    await asyncio.gather(*(scene.set(number) for number in range(1, 301)))
    assert len(writes) <= 3
    assert writes == sorted(writes)


async def test_a_change_that_nobody_waits_for_any_more_is_still_written_whole(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    asked = [asyncio.create_task(scene.set(number)) for number in range(1, 51)]
    await asyncio.sleep(0)
    for one in asked[::2]:
        one.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert await scene.set(51) == 51


async def test_what_could_not_be_written_is_said_to_who_waits_and_written_next_time(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    (tmp_path / ".state.json").mkdir()
    with pytest.raises(OSError, match=r"state\.json"):
        await scene.set(1)
    (tmp_path / ".state.json").rmdir()
    assert await scene.set(2) == 2


async def test_file_and_folder_are_forced_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[str] = []

    def fsync(descriptor: int) -> None:
        forced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", fsync)
    await Scene(tmp_path).set(1)
    assert forced == [".state.json", tmp_path.name]

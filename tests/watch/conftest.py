"""A project without endpoints, whose watch is ended after each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.config.scaffold import init
from core.watch.client import WatchClient
from core.watch.place import WatchPlace


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[WatchClient]:
    """The way to the watch of a new project."""
    made = WatchClient(WatchPlace(init(tmp_path / "late", sample="iris").resolve()))
    yield made
    await made.stop()

"""What most tests of the engine stand on: a place to keep things, and a journal in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.journal.journal import Journal
from tests.environments import Bridge


@pytest.fixture
def store(tmp_path: Path) -> Bridge:
    """Endpoints whose surroundings are fakes."""
    return Bridge(tmp_path)


@pytest.fixture
def journal(store: Bridge) -> Iterator[Journal]:
    """Open while a test runs."""
    opened = store.journal()
    yield opened
    opened.close()

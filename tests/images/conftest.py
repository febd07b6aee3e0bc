"""Images that are quick to make."""

import pytest

from core.images import build, wheels
from tests.images import small


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a small tree for the interpreter, and one package."""
    monkeypatch.setattr(build, "interpreter", lambda: dict(small.TREE))
    monkeypatch.setattr(wheels, "SERVER", ("click",))

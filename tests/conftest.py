"""What holds for every test."""

import gc
import signal
import threading
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import settings

OUTWARD = frozenset({"azure", "story", "targets"})
"""The folders whose tests talk to servers."""

# How long an example takes is the machine's matter.
settings.register_profile("quarterdeck", deadline=None)
settings.load_profile("quarterdeck")


def pytest_configure() -> None:
    """Run in the background of a shell, tests ignore ctrl-c, and so would every process that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first, so that it ends beside the many small ones and not alone after them."""
    items.sort(key=lambda item: "story" not in item.path.parts)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """A thread that a test leaves behind may spin, and takes its core from every test after it."""
    before = set(threading.enumerate())
    yield
    # Threads with a name of their own belong to pools of libraries, which keep them.
    left = [one for one in threading.enumerate() if one not in before and one.name.startswith("Thread-")]
    for one in left:
        one.join(5)
    assert [one for one in left if one.is_alive()] == []


@pytest.fixture(autouse=True, scope="module")
def left_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """Clients of clouds and users of real commands leave connections open: they end with their file, and not as a
    warning in some test after it."""
    yield
    if not OUTWARD.isdisjoint(request.path.parts):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Packed bytes hold the second they were packed in: as a test's name, two workers would not agree on them."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) and not val.isascii() else None

"""The way back through some faults of each kind; `python -m tests.way_back` goes through all of them."""

from collections.abc import Iterator

import pytest

from tests.story.kills_scene import Scene
from tests.way_back import project, through

pytestmark = pytest.mark.slow
SHORT = ("stdout is full", "the watch is killed at Routed", "the host hangs")
LONGER = (
    "stdout and stderr are closed",
    "the terminal is hung up",
    "terminal and watch are killed",
    "the watch is killed at Ended",
    "the watch hangs",
    "it is asked twice at once",
    "the whole machine was restarted",
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A project that released twice: v2 serves, v1 stands by."""
    with project(tmp_path_factory.mktemp("back") / "iris") as scene:
        yield scene


@pytest.mark.parametrize("name", [*SHORT, *(pytest.param(name, marks=pytest.mark.long) for name in LONGER)])
def test_traffic_is_back_by_good_answers_or_a_true_word_is_said_and_every_verb_works(scene: Scene, name: str) -> None:
    """Through one fault; that every verb works is tried in `through`."""
    result = through(scene, name)
    assert (result.code, result.version) == (0, "1") or result.code in (None, 1)


def test_down_ends_everything(scene: Scene) -> None:
    """After all of that the journal is whole and nothing of the project runs."""
    down = scene.run("down")
    assert down.process.returncode == 0, down.text
    assert scene.left() == []
    scene.whole()

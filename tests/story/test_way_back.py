"""The way back through every fault: traffic is where it was before by good answers, or exit code 1 and a true word."""

import time
from collections.abc import Iterator

import pytest

from tests.story.kills_scene import QUICK, Scene
from tests.story.users import Users, served
from tests.story.ways import COSTLY, WAYS

pytestmark = pytest.mark.slow
SETS = (*QUICK, "release.strategy=all-at-once", "release.retire_after_s=3600")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A project that released twice: v2 serves, v1 stands by."""
    with Scene(tmp_path_factory.mktemp("back") / "iris", SETS) as scene:
        for _ in range(2):
            released = scene.run("release", "--skip", "load")
            assert released.process.returncode == 0, released.text
        yield scene


@pytest.mark.parametrize("name", WAYS)
def test_the_way_back(scene: Scene, name: str) -> None:
    """Through one fault; afterwards the rollback can be taken back and every verb works."""
    scene.end_calls()
    serve(scene, "2")
    with Users(scene.port, 4) as users:
        users.back(time.time(), 20)
        asked = time.time()
        told = WAYS[name](scene)
        scene.settles()
        users.back(time.time(), 40)
        answering = {answer.version for answer in users.answers[-40:]}
        failed = users.failed(asked)
    assert "Traceback" not in told.text
    if told.code in (0, None):
        assert answering == {"1"}, told.text
    else:
        # A true word: what serves is what it says, and nothing was proved that is not so.
        assert told.code == 1, told.text
        assert told.text.strip()
        assert answering in ({"1"}, {"2"}), told.text
    if "verified" in told.text:
        assert answering == {"1"}, told.text
    assert name in COSTLY or failed == []
    verbs_work(scene, answering)


def serve(scene: Scene, version: str) -> None:
    """Let a version serve, the other one standing by."""
    if served(scene.port) != {version}:
        again = scene.run("release", "--skip", "load", "--model-uri", f"models:/iris/{version}", deadline_s=120)
        assert again.process.returncode == 0, again.text
        assert served(scene.port) == {version}


def verbs_work(scene: Scene, answering: set[str]) -> None:
    """What was taken back comes again, what was not goes back; and status is told."""
    assert scene.run("status").process.returncode == 0
    verb, version = ("undo", "2") if answering == {"1"} else ("rollback", "1")
    after = scene.run(verb)
    if verb == "undo" and after.process.returncode == 3:
        # Too old, by a clock that was off.
        assert "more than" in after.text, after.text
        return
    assert after.process.returncode == 0, after.text
    assert served(scene.port) == {version}


def test_down_ends_everything(scene: Scene) -> None:
    """After all of that the journal is whole and nothing of the project runs."""
    assert scene.run("down").process.returncode == 0
    assert scene.left() == []
    scene.whole()

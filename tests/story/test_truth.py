"""What an operator met once and never believed again, each by the real command on a real endpoint."""

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.story.kills_scene import QUICK, Scene, wait_for
from tests.story.roles import kill
from tests.story.users import Users, served

pytestmark = pytest.mark.slow
SETS = (*QUICK, "release.strategy=all-at-once", "release.retire_after_s=3600")
"""The version before stays on standby for as long as the tests take."""
SERVING = ("host", "router", "zygote", "replica", "watch")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A project that released twice: v2 serves, v1 stands by."""
    with Scene(tmp_path_factory.mktemp("truth") / "iris", SETS) as scene:
        for _ in range(2):
            released = scene.run("release", "--skip", "load")
            assert released.process.returncode == 0, released.text
        yield scene


@pytest.fixture(autouse=True)
def alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """No command outlives its test."""
    yield
    if "scene" in request.fixturenames:
        request.getfixturevalue("scene").end_calls()


def bring_back(scene: Scene) -> None:
    """Let v2 serve again, whatever a test left behind."""
    if served(scene.port) == {"2"}:
        return
    again = scene.run("release", "--skip", "load", "--model-uri", "models:/iris/2")
    assert again.process.returncode == 0, again.text
    assert served(scene.port) == {"2"}


def test_a_rollback_whose_reader_leaves_after_a_line_goes_back_all_the_same(scene: Scene) -> None:
    """`| head -1` costs lines, nothing else; and no verb is refused afterwards."""
    bring_back(scene)
    done = scene.shell("quarterdeck rollback $SETS | head -1")
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert served(scene.port) == {"1"}
    for verb, version in (("undo", "2"), ("rollback", "1")):
        after = scene.run(verb)
        assert after.process.returncode == 0, after.text
        assert served(scene.port) == {version}


def test_a_rollback_to_what_cannot_start_moves_no_traffic_and_says_so(scene: Scene) -> None:
    """Its processes, its model and the registry are gone: answers go on coming from v2, exit code 1, nothing proved."""
    bring_back(scene)
    with Users(scene.port) as users, broken_standby(scene):
        users.back(time.time())
        began = len(users.answers)
        back = scene.run("rollback", deadline_s=150)
        assert back.process.returncode == 1, back.text
        assert "verified" not in back.text.rsplit("rolled back", 1)[-1]
        assert "v1" in back.text or "blue" in back.text
        users.back(time.time(), 200)
        assert users.failed() == []
        assert {answer.version for answer in users.answers[began:]} == {"2"}
    again = scene.run("rollback", deadline_s=150)
    assert again.process.returncode == 0, again.text
    assert served(scene.port) == {"1"}


@contextlib.contextmanager
def broken_standby(scene: Scene) -> Iterator[None]:
    """What stands by is killed and can be loaded from nowhere; mended again on leaving."""
    state = scene.folder / ".quarterdeck"
    hidden = [state / "models" / "iris-1", *state.glob("mlflow.db*"), *state.glob("mlartifacts")]
    for path in hidden:
        path.rename(path.with_name(f"{path.name}.hidden"))
    try:
        standby = scene.standby()
        for process in standby:
            kill(process)
        wait_for(lambda: all(not process.is_running() for process in standby), "the end of what stood by")
        yield
    finally:
        for path in hidden:
            path.with_name(f"{path.name}.hidden").rename(path)


def test_down_ends_everything(scene: Scene) -> None:
    """After all of that nothing of the project runs."""
    assert scene.run("down").process.returncode == 0
    assert scene.left() == []
    scene.whole()

"""What an operator met once and never believed again, each by the real command on a real endpoint."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.story.kills_scene import QUICK, Scene, wait_for
from tests.story.roles import kill
from tests.story.terminal import Terminal
from tests.story.users import Strangers, Users, served
from tests.story.ways import broken_standby
from tests.tui.looking import lines
from tui.health import health
from tui.history import History
from tui.view import View
from tui.widgets.gates import Gates

pytestmark = pytest.mark.slow
SETS = (*QUICK, "release.strategy=all-at-once", "release.retire_after_s=3600")
"""The version before stays on standby for as long as the tests take."""
SERVING = ("host", "router", "zygote", "replica", "watch", "work")


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
        after = scene.run(verb, "--env", "prod")
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
        assert "models:/iris/1" in back.text
        assert "release a version that works" in back.text
        users.back(time.time(), 200)
        assert users.failed() == []
        assert {answer.version for answer in users.answers[began:]} == {"2"}
    again = scene.run("rollback", deadline_s=150)
    assert again.process.returncode == 0, again.text
    assert served(scene.port) == {"1"}


def test_nothing_is_called_healthy_while_nobody_is_answered(scene: Scene) -> None:
    """The router hangs under load, and each that follows it too: the top line says so within seconds."""
    bring_back(scene)
    load = scene.call("load", "--users", "5", "--seconds", "25")
    wait_for(lambda: "healthy v2" in top_line(scene), f"a healthy top line, not {top_line(scene)}")
    with hanging_router(scene):
        since = time.time()
        wait_for(lambda: "healthy" not in top_line(scene), "another top line", 8)
        wait_for(lambda: time.time() > since + 6, "some seconds without an answer")
        assert "healthy" not in top_line(scene)
        assert "ready" not in top_line(scene)
    assert load.ends() == 1, load.text
    assert served(scene.port) == {"2"}


def top_line(scene: Scene) -> str:
    """What the deck would say of the service now."""
    return "".join(piece for piece, _ in health(view_of(scene)))


def view_of(scene: Scene) -> View:
    """What the deck would look at now."""
    history = History()
    for event in scene.events():
        history = history.plus(event)
    return View(scene.snapshot, history, "iris", time.time())


@contextlib.contextmanager
def hanging_router(scene: Scene) -> Iterator[None]:
    """Every router of the project is stopped as soon as it is there; those that live go on at the end."""
    over = threading.Event()

    def hold() -> None:
        while not over.wait(0.1):
            for router in scene.roles().get("router", []):
                kill(router, signal.SIGSTOP)

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        yield
    finally:
        over.set()
        holding.join()
        for router in scene.roles().get("router", []):
            kill(router, signal.SIGCONT)


def test_what_strangers_ask_for_rolls_no_good_release_back(scene: Scene) -> None:
    """A hundred times a second for a page that is not there, all through a canary."""
    bring_back(scene)
    canary = (*QUICK, "release.strategy=canary", "release.retire_after_s=3600", "release.hold_s=4")
    with Users(scene.port) as users, Strangers(scene.port, "/wp-login.php", 100) as strangers:
        call = scene.call("release", "--skip", "load", "--model-uri", "models:/iris/1", sets=canary)
        assert call.ends() == 0, call.text
        assert users.failed() == []
    assert strangers.answered > 300
    assert served(scene.port) == {"1"}


def test_verdicts_say_their_age_once_nothing_judges(scene: Scene) -> None:
    """Gates that were green when the hold ended are not shown as if they were green now."""
    canary = (*QUICK, "release.strategy=canary", "release.retire_after_s=3600")
    (version,) = {"1", "2"} - served(scene.port)
    with Users(scene.port):
        call = scene.call("release", "--skip", "load", "--model-uri", f"models:/iris/{version}", sets=canary)
        assert call.ends() == 0, call.text
    later = replace(view_of(scene), now=time.time() + 600)
    assert any("judged 10 min ago" in line for line in lines(Gates(), later))


def test_a_load_test_that_is_killed_has_not_passed(scene: Scene) -> None:
    """Four of its twenty seconds prove nothing of the other sixteen."""
    load = scene.call("load", "--users", "5", "--seconds", "20")
    load.says("requests a second")
    wait_for(lambda: sum("requests a second" in line for line in load.lines) >= 2, "some seconds of load")
    for process in scene.roles()["locust"]:
        kill(process)
    assert load.ends() == 1, load.text
    assert "Traceback" not in load.text


def test_looking_starts_no_load_that_a_closed_terminal_asked_for(scene: Scene) -> None:
    """The wish of a terminal dies with it; neither the deck nor another command takes it up."""
    load = scene.call("load", "--users", "5", "--seconds", "0")
    load.says("requests a second")
    kill(load.process)
    load.ends()
    assert scene.left(*SERVING) == []
    with Terminal(scene) as deck:
        deck.shows("iris")
        assert scene.run("status").process.returncode == 0
        seen: list[str] = []
        until_s = time.monotonic() + 6
        while time.monotonic() < until_s:
            seen += [role for role in scene.roles() if role == "locust"]
        assert seen == []
    assert scene.left(*SERVING) == []


def test_down_ends_everything(scene: Scene) -> None:
    """After all of that nothing of the project runs."""
    assert scene.run("down").process.returncode == 0
    assert scene.left() == []
    scene.whole()


def test_modules_of_the_users_own_break_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Folders and files beside quarterdeck.yaml that are called as ours or as Python's are never imported."""
    with Scene(tmp_path_factory.mktemp("names") / "iris", SETS) as scene:
        for name in ("core", "scoring", "locust"):
            (scene.folder / name).mkdir()
            (scene.folder / name / "__init__.py").write_text("raise SystemExit('imported from the project')\n")
        for name in ("types", "random", "mlflow"):
            (scene.folder / f"{name}.py").write_text("raise SystemExit('imported from the project')\n")
        released = scene.run("release")
        assert released.process.returncode == 0, released.text
        assert served(scene.port) == {"1"}
        assert scene.run("status").process.returncode == 0
        assert scene.run("down").process.returncode == 0
        assert scene.left() == []

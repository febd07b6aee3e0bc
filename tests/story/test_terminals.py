"""Two terminals over one project: a second release is refused, and a rollback, undo, pause reach the first."""

import time
from collections.abc import Iterator

import pytest

from core.state import events as ev
from tests.story.kills_scene import QUICK, Scene, wait_for
from tests.story.roles import kill
from tests.story.users import Users

pytestmark = pytest.mark.slow
LONG = (*QUICK, "release.hold_s=30")
"""Nothing ends by itself while two terminals talk."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A project whose first version serves."""
    with Scene(tmp_path_factory.mktemp("terminals") / "iris", LONG) as scene:
        first = scene.run("release", "--skip", "load", deadline_s=180)
        assert first.process.returncode == 0, first.text
        yield scene


def test_a_second_release_is_refused_and_a_rollback_takes_over(scene: Scene) -> None:
    """The first terminal hears of it and ends with 1; no request fails, and traffic is back in milliseconds."""
    with Users(scene.port) as users:
        first = scene.call("release", "--skip", "load")
        scene.reaches("hold 10")
        second = scene.run("release")
        assert second.process.returncode == 3
        assert "is under way, begun by" in second.text
        assert len(second.lines) == 1
        looks = scene.run("status")
        watch = scene.roles()["watch"][0]
        assert f"watch, process {watch.pid}" in looks.text
        assert "running, at hold" in looks.text
        asked_at = time.time()
        back = scene.run("rollback")
        assert back.process.returncode == 0, back.text
        assert first.ends() == 1, first.text
        assert "rolled back" in first.lines[-2]
        way = scene.release.way
        assert way is not None
        assert way.began_at - asked_at < 10
        assert scene.snapshot.endpoints["iris"].weights == {"blue": 100.0}
        assert users.failed() == []
        done = len(users.answers)
        users.back(time.time())
        assert {answer.version for answer in users.answers[done:]} == {"1"}


def test_undo_pause_and_next_come_from_other_terminals(scene: Scene) -> None:
    """The rollback is taken back, the release goes on by itself, and does what others ask."""
    with Users(scene.port) as users:
        unnamed = scene.run("undo")
        assert unnamed.process.returncode == 3
        assert unnamed.text.endswith("name it to mean it: --env prod"), unnamed.text
        undone = scene.run("undo", "--env", "prod")
        assert undone.process.returncode == 0, undone.text
        assert "goes on; 'quarterdeck --env prod' follows it" in undone.lines[-1]
        scene.reaches("hold 10")
        assert "stays at hold" in scene.run("pause").text
        assert scene.release.paused
        assert "goes on" in scene.run("pause", "--env", "prod").text
        scene.run("next", "--env", "prod")
        scene.reaches("hold 100")
        scene.run("next", "--env", "prod")
        wait_for(lambda: not scene.release.live, "its end")
        assert scene.release.outcome == "done"
        assert users.failed() == []
    refused = scene.run("pause")
    assert refused.process.returncode == 3
    assert refused.text.startswith("refused: ")


def test_a_load_that_was_killed_is_in_nobodys_way(scene: Scene) -> None:
    """Its Locust dies with it, and the next load is not refused."""
    with Users(scene.port) as users:
        load = scene.call("load", "--users", "5", "--seconds", "60")
        load.says("requests a second")
        kill(load.process)
        load.ends()
        assert scene.left("host", "router", "zygote", "replica", "watch", "work") == []
        again = scene.run("load", "--users", "5", "--seconds", "2")
        assert again.process.returncode == 0, again.text
        assert users.failed() == []


def test_a_watch_that_hangs_is_said_where_it_is_replaced(scene: Scene) -> None:
    (watch,) = scene.roles()["watch"]
    watch.suspend()
    looks = scene.run("status")
    assert looks.process.returncode == 0
    assert f"the watch before it, process {watch.pid}, gave no sign of life for 5 s and was ended" in looks.text
    assert not [line for line in looks.lines if line.startswith("  driver") and f"process {watch.pid}" in line]
    assert watch.pid not in {one.pid for one in scene.roles()["watch"]}


def test_an_environment_that_is_named_for_the_whole_project_is_said_to_change_nothing(scene: Scene) -> None:
    """One line of flags serves every verb; a name that is wrong is refused all the same."""
    for verb in (("watch",), ("backup", str(scene.folder.parent / "all.tar.gz"))):
        told = scene.call(*verb, "--env", "prod", sets=())
        assert told.ends() == 0, told.text
        assert f"{verb[0]}: is of the whole project, every environment of it; --env prod changes" in told.text
        assert scene.call(*verb, "--env", "nowhere", sets=()).ends() == 2


def test_a_drill_on_a_copy_leaves_what_serves_alone_and_nothing_behind(scene: Scene) -> None:
    """The copy has the same two versions, goes back and forward, and is gone; users and aliases see nothing of it."""
    before = scene.snapshot.seq
    with Users(scene.port) as users:
        drilled = scene.run("drill", "--env", "prod", "--on", "staging", deadline_s=120)
        assert users.failed() == []
        assert len({answer.version for answer in users.answers}) == 1
    assert drilled.process.returncode == 0, drilled.text
    assert "iris: the way back is proven on a copy in staging: back in " in drilled.lines[-1]
    snapshot = scene.snapshot
    assert snapshot.endpoints["iris-drill-staging"].slots == {}
    copied = snapshot.endpoints["iris"].copy_drilled
    assert copied is not None
    assert (copied.copy, copied.failed, snapshot.endpoints["iris"].drilled) == ("iris-drill-staging", 0, None)
    assert scene.saw(ev.Aliased, before) == 0
    assert "on a copy, iris-drill-staging" in scene.run("status").text


def test_down_ends_a_load_that_was_begun_by_hand_and_says_so(scene: Scene) -> None:
    """Nothing would answer it any more, and its errors would be the verdict on a version that is gone."""
    load = scene.call("load", "--users", "5", "--seconds", "600")
    load.says("requests a second")
    down = scene.run("down")
    assert down.process.returncode == 0, down.text
    assert "iris: its load was ended" in down.lines, down.text
    assert load.ends() != 130, load.text
    assert "stopped" in load.text, load.text
    assert scene.left() == []


def test_a_down_ends_the_release_that_nobody_drives_any_more(scene: Scene) -> None:
    """It runs nowhere then, and no rollback brings back what was taken down on purpose."""
    # Whatever served before: a first version takes all traffic, with nothing to compare it with.
    assert scene.run("down").process.returncode == 0
    first = scene.run("release", "--skip", "load", deadline_s=180)
    assert first.process.returncode == 0, first.text
    kept = scene.folder / ".quarterdeck" / "variables"
    assert list(kept.iterdir())
    for watch in scene.roles()["watch"]:
        kill(watch)
    left = scene.call("release", "--attached", "--skip", "load")
    scene.reaches("hold 10")
    left.process.terminate()
    left.ends()
    down = scene.run("down")
    assert down.process.returncode == 0, down.text
    assert f"{scene.release.id}: ends here, the endpoint was taken down" in down.lines
    assert scene.snapshot.live_release("iris") is None
    assert list(kept.iterdir()) == []
    assert scene.run("rollback").process.returncode == 3
    assert scene.left() == []

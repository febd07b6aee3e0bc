"""Processes killed with -9 in the middle of a release: traffic comes back, nothing is lost, nobody is left behind."""

import time
from collections.abc import Iterator

import pytest

from tests.story.kills_scene import Scene, wait_for
from tests.story.roles import kill
from tests.story.users import Users

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A project whose first version serves."""
    with Scene(tmp_path_factory.mktemp("kills") / "iris") as scene:
        first = scene.run("release", "--skip", "load")
        assert first.process.returncode == 0, first.text
        yield scene


def test_the_watch_is_killed_at_step_after_step_and_each_time_the_release_goes_on_where_it_was(scene: Scene) -> None:
    """The terminal that waits starts another; no request fails, no child is left, no journal is torn."""
    with Users(scene.port) as users:
        call = scene.call("release")
        for step in ("train", "hold 10", "load test"):
            scene.reaches(step)
            killed = scene.roles()["watch"][0]
            kill(killed)
            wait_for(lambda: another(scene, killed.pid), "another watch")  # noqa: B023 - asked at once
            scene.whole()
        assert call.ends() == 0, call.text
        assert call.text.count("ended without a word") == 3
        assert scene.snapshot.endpoints["iris"].weights == {"green": 100.0, "blue": 0.0}
        assert users.failed() == []
        assert {answer.version for answer in users.answers} == {"1", "2"}


def another(scene: Scene, pid: int) -> bool:
    """Whether a watch runs that is not this one."""
    return any(process.pid != pid for process in scene.roles().get("watch", []))


def test_a_terminal_that_is_killed_takes_nothing_along(scene: Scene) -> None:
    """Its release goes on to its end."""
    with Users(scene.port) as users:
        call = scene.call("release", "--skip", "train", "--skip", "load")
        scene.reaches("hold 10")
        kill(call.process)
        call.ends()
        release = scene.release
        wait_for(lambda: not scene.snapshot.releases[release.id].live, "its end")
        assert scene.release.outcome == "done"
        assert users.failed() == []


def test_a_replica_dies_under_load_and_no_request_fails(scene: Scene) -> None:
    """The other one takes its requests; it is replaced, and that is said."""
    with Users(scene.port) as users:
        users.back(0.0)
        load = scene.call("load", "--users", "20", "--seconds", "4")
        load.says("requests a second")
        before = {process.pid for process in scene.roles()["replica"]}
        busy = wait_for(
            lambda: next((p for p in scene.roles()["replica"] if p.cpu_percent(0.2) > 0), None), "a busy replica"
        )
        killed_at = time.time()
        kill(busy)
        wait_for(lambda: len({p.pid for p in scene.roles().get("replica", [])} - {busy.pid}) == len(before), "another")
        assert "replacing it now" in load.says("died: killed by SIGKILL")
        users.back(killed_at, 200)
        assert load.ends() == 0, load.text
        assert users.failed() == []
        assert any("errors 0 % is < 1 %" in line for line in load.lines), load.text


def test_the_router_and_the_host_die_during_a_release_and_it_goes_on(scene: Scene) -> None:
    """The release says both, blames no version for them, and ends well; a killed step is begun again."""
    with Users(scene.port) as users:
        call = scene.call("release", "--skip", "train", "--skip", "load")
        scene.reaches("evaluate")
        work = wait_for(lambda: scene.roles().get("work"), "the work child")[0]
        kill(work)
        scene.reaches("hold 10")
        killed_at = time.time()
        kill(scene.roles()["router"][0])
        call.says("the router is back after")
        assert users.back(killed_at) < 5
        scene.reaches("hold 100")
        killed_at = time.time()
        kill(scene.roles()["host"][0])
        call.says("the host of iris is back after")
        assert users.back(killed_at) < 15
        assert call.ends() == 0, call.text
        assert "killed by SIGKILL" in call.text
        scene.whole()


def test_everything_dies_and_the_next_call_brings_it_back(scene: Scene) -> None:
    """As after a power cut: a rollback finds what is left of it and traffic is back, by the same port."""
    port = scene.port
    for process in scene.processes():
        kill(process)
    assert scene.left() == []
    back = scene.run("rollback")
    assert back.process.returncode == 0, back.text
    assert scene.port == port
    with Users(port) as users:
        users.back(time.time())
        assert users.failed() == []
    scene.whole()


def test_down_leaves_nothing_behind(scene: Scene) -> None:
    """No process of the project runs after it."""
    assert scene.run("down").process.returncode == 0
    assert scene.left() == []

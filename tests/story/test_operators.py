"""Several operators, and none: two who press at the same moment, and a question that everybody walked away from."""

import time
from collections.abc import Iterator

import psutil
import pytest

from core.state import events as ev
from tests.story.kills_scene import QUICK, Scene, wait_for
from tests.story.roles import kill, of_slot
from tests.story.terminal import Terminal
from tests.story.users import Users, served

pytestmark = pytest.mark.slow
LONG = (*QUICK, "release.hold_s=60", "release.retire_after_s=3600")
ASKS = (
    *QUICK,
    "release.retire_after_s=3600",
    "approve=person",
    'release.plan=["shift 50","hold 1s",\'ask "all?"\',"shift 100"]',
)
SECOND = ("release", "--skip", "load", "--model-uri", "models:/iris/2")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A project with two versions, of which the first serves."""
    with Scene(tmp_path_factory.mktemp("operators") / "iris", LONG) as scene:
        for _ in range(2):
            first = scene.run("release", "--skip", "load", "--set", "release.strategy=all-at-once", deadline_s=120)
            assert first.process.returncode == 0, first.text
        assert scene.run("rollback").process.returncode == 0
        yield scene


def test_of_two_who_press_next_and_rollback_at_once_the_rollback_wins_and_both_see_one_story(scene: Scene) -> None:
    """Two processes started together: whichever comes first, traffic ends where it was and nothing goes forward."""
    with Users(scene.port) as users:
        waits = scene.call(*SECOND)
        scene.reaches("hold 10")
        onward = scene.call("next", "--env", "prod")
        back = scene.call("rollback")
        assert back.ends() == 0, back.text
        assert onward.ends() in (0, 3), onward.text
        assert waits.ends() == 1, waits.text
        users.back(time.time())
        assert users.failed() == []
    assert served(scene.port) == {"1"}
    assert scene.release.outcome is ev.Outcome.ROLLED_BACK
    assert "Traceback" not in onward.text + back.text + waits.text
    assert sum("rolled back" in line for line in waits.lines) >= 1, waits.text
    told = [event.body for event in scene.events() if getattr(event.body, "release", "") == scene.release.id]
    turned = next(at for at, body in enumerate(told) if isinstance(body, ev.TurnedBack))
    assert not [body for body in told[turned:] if isinstance(body, ev.StepStarted | ev.Waved | ev.Resumed)]
    assert scene.saw(ev.TurnedBack, scene.release.began_seq) == 1
    scene.whole()


def test_a_version_that_goes_bad_while_a_question_stands_is_gone_back_from_with_every_terminal_closed(
    scene: Scene,
) -> None:
    """The watch drives alone: the new version's replicas die again and again, and nobody answers the question."""
    scene.sets = ASKS
    with Users(scene.port) as users:
        with Terminal(scene, *SECOND):
            wait_for(lambda: _question(scene), "the question before any traffic")
            assert scene.run("approve", "--env", "prod").process.returncode == 0
            wait_for(lambda: _question(scene) == "all?", "the question at 50 %")
        assert scene.left("host", "router", "zygote", "replica", "watch", "work") == []
        release, done = scene.release, len(users.answers)
        wait_for(lambda: len(users.answers) > done + 50, "answers while it stands")
        assert users.failed() == []
        wait_for(lambda: _over_though_they_die(scene, str(release.slot)), "the way back", look_s=0.1)
        users.back(time.time())
    assert scene.release.id == release.id
    assert (scene.release.outcome, scene.release.reached) == (ev.Outcome.FAILED, 50.0)
    assert scene.release.why.startswith("ask: errors"), scene.release.why
    assert served(scene.port) == {"1"}
    scene.whole()


def _question(scene: Scene) -> str:
    """What a person is asked now."""
    step = scene.release.current
    return step.question.question if step is not None and step.question is not None and step.answer is None else ""


def _over_though_they_die(scene: Scene, slot: str) -> bool:
    """Whether the release is over; if not, the replicas of its slot are killed once more."""
    if not scene.release.live:
        return True
    for process in of_slot(scene.roles().get("zygote", []), slot):
        try:
            replica = "zygote" in " ".join((process.parent() or process).cmdline())
        except psutil.Error:
            continue
        if replica:
            kill(process)
    return False

"""Back to a version by its number, and a slot that goes by hand: the real commands over three real versions."""

from collections.abc import Iterator

import pytest

from core.state import events as ev
from tests.story.kills_scene import QUICK, Scene, wait_for
from tests.story.users import Users, served

pytestmark = pytest.mark.slow
KEPT = (*QUICK, "release.strategy=all-at-once", "release.retire_after_s=never")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A project that released three versions: the third serves, the second is kept for ever."""
    with Scene(tmp_path_factory.mktemp("earlier") / "iris", KEPT) as scene:
        for number in ("1", "2", "3"):
            made = scene.run("release", "--skip", "load", deadline_s=120)
            assert made.process.returncode == 0, made.text
            assert served(scene.port) == {number}
        yield scene


def _back(scene: Scene, *wanted: str) -> tuple[int, str]:
    call = scene.run("rollback", *wanted, deadline_s=120)
    assert "Traceback" not in call.text
    return call.process.returncode, call.text


def test_any_version_that_served_takes_all_traffic_again_and_asking_twice_moves_nothing(scene: Scene) -> None:
    """To one whose slot is long gone, while no user fails; then once more; then what can't be gone back to."""
    with Users(scene.port) as users:
        users.back(0.0)
        code, said = _back(scene, "--to", "v1", "--reason", "late answers")
        assert (code, "iris: back to v1" in said) == (0, True), said
        assert served(scene.port) == {"1"}
        assert users.failed() == []
    assert (scene.release.outcome, scene.release.plan.strategy) == (ev.Outcome.DONE, "rollback")
    assert scene.saw(ev.Began, 0) == 4
    for number in ("1", "v1"):
        assert _back(scene, "--to", number) == (0, "iris serves v1 already")
    code, said = _back(scene)
    assert code == 3
    assert "was itself the way back to v1; name one with 'quarterdeck rollback --to VERSION --env prod'" in said
    code, said = _back(scene, "--to", "9")
    assert (code, said) == (3, "refused: iris: v9 never served here; there is v1, v2, v3")
    code, said = _back(scene, "--to", "first")
    assert (code, said) == (2, "error: --to first: name a version by its number, such as 3 or v3, or MODEL/3")
    assert scene.saw(ev.Began, 0) == 4, "what is refused begins nothing"
    assert served(scene.port) == {"1"}


def test_a_slot_that_is_kept_goes_by_hand_and_asking_twice_removes_nothing_else(scene: Scene) -> None:
    """The one with traffic stays, whoever asks; the other one goes, and its processes with it."""
    slots = scene.snapshot.endpoints["iris"].slots
    live = next(slot for slot, seen in slots.items() if seen.weight > 0)
    (idle,) = set(slots) - {live}
    refused = scene.run("retire", live)
    assert (refused.process.returncode, refused.text) == (
        3,
        f"refused: iris: {live} gets traffic; a slot goes once it has none",
    )
    with Users(scene.port) as users:
        gone = scene.run("retire", idle, "--reason", "room")
        assert (gone.process.returncode, gone.lines[-1]) == (0, f"iris: {idle} is gone"), gone.text
        wait_for(lambda: set(scene.snapshot.endpoints["iris"].slots) == {live}, "the slot's end")
        again = scene.run("retire", idle)
        assert (again.process.returncode, again.text) == (0, f"iris: {idle} is gone already")
        unknown = scene.run("retire", "purple")
        assert (unknown.process.returncode, unknown.text) == (
            3,
            f"refused: iris: there is no slot purple; there is {live}",
        )
        users.back(0.0)
        assert users.failed() == []
    assert served(scene.port) == {"1"}
    code, said = _back(scene, "--to", "3")
    assert code == 0, said
    assert served(scene.port) == {"3"}, "a version comes back though its slot is gone"
    scene.whole()

"""A short form of tests.cluster_chaos: the API server away, answers lost, a watch struck on the way back."""

import tempfile
from pathlib import Path

import pytest

from core.domain.plan import Hold
from core.state.release import Release
from tests.cluster_chaos import END_S, SETTLED_S, project
from tests.story.cluster_faults import FAULTS, ClusterVictims
from tests.story.cluster_scene import ClusterScene, image, ways
from tests.story.kills_scene import wait_for
from tests.story.users import Users

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROUNDS = (
    ("gateway", "hold", "API server killed, away 5 s, history lost"),
    ("replicas", "question", "the next two answers to changes lost"),
    ("replicas", "rollback", "watch killed"),
)


def test_releases_to_a_cluster_end_well_whatever_is_killed() -> None:
    """Afterwards the right version answers alone, and what is somebody else's is as it was."""
    faults = {fault.name: fault for fault in FAULTS}
    places = {way.traffic: way for way in ways() if way.traffic != "selector"}
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder, project(Path(folder), [*places.values()]) as chaos:
        for traffic, moment, name in ROUNDS:
            found = chaos.round(places[traffic], moment, faults[name])
            assert (found.wrong, found.failed) == ("", 0), found.line
            assert found.outcome == "done", found.line


def test_the_next_watch_hands_back_what_one_that_died_had_held() -> None:
    """No release is open, and nobody moves traffic: autoscalers that were held for a share go free all the same."""
    way = next(way for way in ways() if way.traffic == "replicas")
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder, project(Path(folder), [way]) as chaos:
        scene, seen = chaos.scene, set(chaos.scene.snapshot.releases)
        sets = (*scene.sets, "release.hold_s=5", f"kubernetes.image={image('1')}")
        call = scene.call("release", "--env", way.env, "--skip", "load", "--model-uri", "models:/iris/1", sets=sets)
        wait_for(lambda: _holds(scene, seen), f"a hold at half\n{call.text}", END_S)
        scene.cluster.tell("fault", kind="status", method="PATCH", path="horizontalpodautoscalers/iris", status=503)
        with Users(way.port, users=5, pause_s=0.03):
            assert call.ends(END_S) == 0, call.text
        assert scene.wrong(way, "1")
        killed = next(fault for fault in FAULTS if fault.name == "watch killed")
        killed.strike(ClusterVictims(scene.cluster, scene, None))
        scene.cluster.tell("clear")
        assert scene.call("status", sets=()).ends(END_S) == 0
        wait_for(lambda: not scene.wrong(way, "1"), f"all of it back: {scene.wrong(way, '1')}", SETTLED_S, 0.2)


def _holds(scene: ClusterScene, seen: set[str]) -> Release | None:
    """The new release, once it holds."""
    new = next((one for name, one in scene.snapshot.releases.items() if name not in seen), None)
    return new if new is not None and new.current is not None and isinstance(new.current.step, Hold) else None

"""A short form of tests.cluster_chaos: the API server away, answers lost, a watch struck on the way back."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.domain.plan import Hold
from core.state.events import Outcome
from tests.cluster_chaos import END_S, SETTLED_S, ClusterChaos, in_step, project
from tests.story.cluster_faults import FAULTS, ClusterFault, ClusterVictims
from tests.story.cluster_scene import TrafficWay, ways
from tests.story.kills_scene import wait_for
from tests.story.users import Users

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROUNDS = (
    ("gateway", "hold", "API server killed, away 5 s, history lost"),
    ("replicas", "question", "the next two answers to changes lost"),
    ("replicas", "rollback", "watch killed"),
)


@pytest.fixture(scope="module")
def places() -> dict[str, TrafficWay]:
    """By their way of moving traffic."""
    return {way.traffic: way for way in ways() if way.traffic != "selector"}


@pytest.fixture(scope="module")
def chaos(places: dict[str, TrafficWay]) -> Iterator[ClusterChaos]:
    """Two versions in each place."""
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder, project(Path(folder), [*places.values()]) as chaos:
        yield chaos


def _fault(name: str) -> ClusterFault:
    return next(fault for fault in FAULTS if fault.name == name)


def test_releases_to_a_cluster_end_well_whatever_is_killed(chaos: ClusterChaos, places: dict[str, TrafficWay]) -> None:
    """Afterwards the right version answers alone, and what is somebody else's is as it was."""
    for traffic, moment, name in ROUNDS:
        found = chaos.round(places[traffic], moment, _fault(name))
        assert (found.wrong, found.failed) == ("", 0), found.line
        assert found.outcome == "done", found.line


def test_the_next_watch_hands_back_what_one_that_died_had_held(
    chaos: ClusterChaos, places: dict[str, TrafficWay]
) -> None:
    """No release is open, and nobody moves traffic: autoscalers that were held for a share go free all the same."""
    way, scene = places["replicas"], chaos.scene
    wanted = "1" if chaos.serving(way) == "2" else "2"
    call, release = chaos.begun(way, "hold", wanted)
    wait_for(lambda: in_step(release(), Hold), f"a hold at half\n{call.text}", END_S)
    scene.cluster.tell("fault", kind="status", method="PATCH", path="horizontalpodautoscalers/iris", status=503)
    with Users(way.port, users=5, pause_s=0.03):
        assert call.ends(END_S) == 0, call.text
    assert release().outcome is Outcome.DONE
    assert "is held" in scene.wrong(way, wanted) or "still shares" in scene.wrong(way, wanted)
    _fault("watch killed").strike(ClusterVictims(scene.cluster, scene, None))
    scene.cluster.tell("clear")
    assert scene.call("status", sets=()).ends(END_S) == 0
    wait_for(lambda: not scene.wrong(way, wanted), f"all of it back: {scene.wrong(way, wanted)}", SETTLED_S, 0.2)

"""A short form of tests.cluster_chaos: the API server away, answers lost, a watch struck on the way back."""

import tempfile
from pathlib import Path

import pytest

from tests.cluster_chaos import project
from tests.story.cluster_faults import FAULTS
from tests.story.cluster_scene import ways

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

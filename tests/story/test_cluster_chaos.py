"""A short form of tests.cluster_chaos: the API server away in mid-release."""

import tempfile
from pathlib import Path

import pytest

from tests.cluster_chaos import project
from tests.story.cluster_faults import FAULTS
from tests.story.cluster_scene import ways

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
ROUNDS = (("hold", "API server killed, away 5 s, history lost"),)


def test_releases_to_a_cluster_end_well_whatever_is_killed() -> None:
    """Afterwards the right version answers alone, and what is somebody else's is as it was."""
    faults = {fault.name: fault for fault in FAULTS}
    place = next(way for way in ways() if way.traffic == "gateway")
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder, project(Path(folder), [place]) as chaos:
        for moment, name in ROUNDS:
            found = chaos.round(place, moment, faults[name])
            assert (found.wrong, found.failed) == ("", 0), found.line
            assert found.outcome == "done", found.line

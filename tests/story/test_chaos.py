"""A short form of tests.chaos: a pair that hangs, in one release."""

import pytest

from tests.chaos import run, table
from tests.story.faults import FAULTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SHORT = ("watch and host hung",)


def test_releases_heal_by_themselves_and_what_serves_nobody_costs_nothing() -> None:
    """It ends as it should, with the right version answering; afterwards nothing runs that should not."""
    faults = [fault for fault in FAULTS if fault.name in SHORT]
    chaos = run(len(faults), 350, faults, seed=1, say=print)
    assert chaos.releases == len(faults)
    for fault in faults:
        row = chaos.rows[fault.name]
        assert row.ill == []
        assert not fault.costs_nothing or row.failed == [0], table(chaos)

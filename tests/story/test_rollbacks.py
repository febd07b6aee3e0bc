"""Rollbacks at some moments of some strategies; `python -m tests.rollbacks` goes through all of them."""

from pathlib import Path

import pytest

from tests.rollbacks import QUESTION, RETIRED, SHARE, operator
from tests.story.kills_scene import QUICK, Scene

pytestmark = pytest.mark.slow
SHORT = (("gradual", SHARE), ("A/B", QUESTION), ("blue-green", RETIRED))


async def test_traffic_is_back_by_the_answers_and_no_request_failed(tmp_path: Path) -> None:
    """As soon as a share was asked for, while a person is asked, and where the old slot was removed already."""
    with Scene(tmp_path / "iris", QUICK) as scene:
        async with operator(scene, users=6) as somebody:
            for strategy, moment in SHORT:
                row = await somebody.back(strategy, moment)
                assert (row.wrong, row.failed) == ("", 0), row
                assert row.requests > 50
                assert row.proof_ms > 0

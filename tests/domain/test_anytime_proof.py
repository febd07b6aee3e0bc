"""The short form of `python -m tests.bench.gates`: healthy releases go on, and faults are caught in time, also late."""

import pytest

from tests.bench.gates import FAULTS, Fault, caught, healthy


def test_healthy_releases_under_bursts_and_pauses_go_on() -> None:
    assert healthy(100.0, bursty=True, releases=6, seed=3) == 0


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("fault", "rps", "most_s"),
    [(fault, rps, most_s) for fault in FAULTS for rps, most_s in fault.goals],
)
def test_a_fault_is_caught_in_time(fault: Fault, rps: float, most_s: int, late: bool) -> None:
    # The median of nine wavers by some seconds around that of many, which the goal is for.
    assert caught(fault, rps, late, times=9, seed=2) <= 1.2 * most_s

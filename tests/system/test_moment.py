"""How long ago something began, whatever became of the clock or of the machine."""

import time

import pytest

from core.system.moment import KeptMoment


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0])
def test_a_clock_that_is_set_changes_no_age(monkeypatch: pytest.MonkeyPatch, jump_s: float) -> None:
    begun, wall = KeptMoment.now(), time.time
    monkeypatch.setattr("time.time", lambda: wall() + jump_s)
    assert 0 <= begun.age_s < 60


@pytest.mark.parametrize(("before_s", "least_s"), [(3600.0, 3600.0), (-3600.0, 0.0)])
def test_over_a_start_of_the_machine_the_wall_tells_and_never_less_than_nothing(
    before_s: float, least_s: float
) -> None:
    begun = KeptMoment(time.time() - before_s, "another start", 1e9)
    assert least_s <= begun.age_s < least_s + 60

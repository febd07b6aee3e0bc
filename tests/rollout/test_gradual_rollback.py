"""The way back in steps: each is proved and rests, `R` overtakes it, and what can't be proved is no step."""

import pytest

from core.domain.errors import Refused
from core.domain.strategies import all_at_once, canary
from core.state import commands as c, events as ev
from tests.environments import V1, V2, begin, rollout
from tests.world import World, serving

STEPS = c.Rollback("late", reason="errors", shares=(50.0, 25.0), pause_s=60.0)


def released() -> World:
    """v2 took all of the traffic in green, and v1 stands ready in blue."""
    world = serving()
    world.do(begin(V2, all_at_once((), rollout())))
    world.run()
    world.land()
    world.see()
    assert world.weights == {"green": 100.0}
    return world


def shares(world: World, since: int) -> list[dict[str, float]]:
    return [dict(e.body.weights) for e in world.events[since:] if isinstance(e.body, ev.Routed)]


def test_each_step_is_proved_and_rests_before_the_next() -> None:
    world = released()
    since, began = len(world.events), world.now
    world.do(STEPS)
    done = world.run()
    assert (done.outcome, done.reason) == (ev.Outcome.ROLLED_BACK, "errors")
    assert shares(world, since) == [{"green": 50.0, "blue": 50.0}, {"green": 25.0, "blue": 75.0}, {"blue": 100.0}]
    assert world.now - began >= 120
    world.land()
    assert world.weights == {"blue": 100.0}


def test_r_overtakes_it() -> None:
    world = released()
    world.do(STEPS)
    world.run(lambda r: r.way is not None and r.way.rests_until is not None)
    since, began = len(world.events), world.now
    world.do(c.Rollback("late", asked_at=world.now))
    done = world.run()
    assert shares(world, since) == [{"blue": 100.0}]
    assert world.now - began < 10
    assert (done.outcome, done.way.after_end if done.way else None) == (ev.Outcome.ROLLED_BACK, True)
    with pytest.raises(Refused, match="taken back already"):
        world.do(c.Rollback("late"))


def test_steps_overtake_nothing() -> None:
    world = released()
    world.do(c.Rollback("late"))
    with pytest.raises(Refused, match="on its way back already"):
        world.do(STEPS)


def test_a_version_that_can_not_answer_keeps_no_share() -> None:
    world = released()
    since, began = len(world.events), world.now
    world.hold("green", ready=0)
    world.see()
    world.do(STEPS)
    world.run()
    assert shares(world, since) == [{"blue": 100.0}]
    assert world.now - began < 10


def test_a_step_that_is_not_proved_is_not_waited_for_long() -> None:
    world = released()
    world.miss = 3.0
    since = len(world.events)
    world.do(STEPS)
    world.run(lambda r: r.way is not None and r.way.rests_until is not None)
    world.miss = 0.0
    world.run()
    assert shares(world, since)[-1] == {"blue": 100.0}
    assert len(shares(world, since)) == 2


def test_a_step_above_what_the_version_has_is_left_out() -> None:
    world = serving()
    world.do(begin(V2, canary((), rollout(hold_s=100.0), (10,))))
    world.run(lambda r: r.reached == 10 and world.weights.get("green") == 10)
    since = len(world.events)
    world.do(STEPS)
    world.run()
    assert shares(world, since) == [{"blue": 100.0}]


@pytest.mark.parametrize("when", ["before it", "after it", "after the effect"])
def test_it_goes_on_whenever_its_driver_dies(when: str) -> None:
    for number in range(1, 12):
        world = released()
        world.do(STEPS)
        world.dies = (world.acts + number, when)
        done = world.run()
        world.land()
        assert (done.outcome, world.weights) == (ev.Outcome.ROLLED_BACK, {"blue": 100.0})
        assert done.old_version == V1

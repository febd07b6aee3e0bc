"""A slot that gets a copy of the traffic goes once that has ended: after a release that failed, and by hand."""

import pytest

from core.domain.errors import Refused
from core.domain.model import Observation
from core.domain.plan import Hold, Mirror, Shift, Smoke
from core.domain.strategies import written
from core.rollout import actions as d
from core.state import commands as c, events as ev
from tests.environments import V1, V2, begin, rollout
from tests.world import World, serving


def _copying() -> World:
    """v2 in green gets a copy of what v1 in blue answers, and a hold looks at it."""
    world = serving()
    world.do(begin(V2, written((), rollout(), (Smoke(3), Mirror(20), Hold(60, ()), Shift(100)))))
    world.run(lambda release: isinstance(release.current and release.current.step, Hold))
    world.land()
    world.see()
    assert world.endpoint.slots["green"].mirror == 20
    return world


def test_a_release_that_failed_removes_its_slot_once_it_gets_no_copy_any_more() -> None:
    world = _copying()
    world.say(ev.StepFailed(world.release.id, world.release.index, "too slow"))
    while not isinstance(action := world.next(), d.RemoveSlot):
        world.act(action)
        world.see()
    assert world.endpoint.slots["green"].mirror == 0
    assert "the copy of the traffic to green to end" in [one.for_ for one in world.waited]


def test_a_copy_that_does_not_end_holds_the_end_up_for_a_while_only() -> None:
    world = _copying()
    world.deaf.add("move")
    world.say(ev.StepFailed(world.release.id, world.release.index, "too slow"))
    patience = world.release.plan.patience.back_s
    began = world.now
    while not isinstance(action := world.next(), d.RemoveSlot):
        world.act(action)
        world.see()
    assert world.endpoint.slots["green"].mirror == 20
    assert world.now - began <= patience + 1


def test_a_slot_that_gets_nothing_but_a_copy_goes_by_hand_once_no_release_needs_it() -> None:
    world = _copying()
    with pytest.raises(Refused, match="r2 is under way and needs green"):
        world.do(c.RetireSlot("late", "green"))
    world.do(c.Abort("late"))
    world.run()
    world.say(ev.Observed("late", Observation("green", V2, 2, 2, 0.0, mirror=20)))
    world.do(c.RetireSlot("late", "green"))
    assert world.endpoint.retire["green"] == world.now


def test_a_slot_that_is_to_get_traffic_is_not_said_to_get_it() -> None:
    world = _copying()
    world.do(c.Abort("late"))
    world.run()
    world.say(ev.Routed("late", {"blue": 90.0, "green": 10.0}))
    with pytest.raises(Refused, match="late: green is to get 10 % of the traffic; a slot goes once it has none"):
        world.do(c.RetireSlot("late", "green"))
    assert world.place["blue"].version == V1

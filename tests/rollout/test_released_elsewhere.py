"""A journal that does not know what serves: another machine has released since, and nothing of that is overwritten."""

from dataclasses import replace

import pytest

from core.domain.errors import Refused
from core.domain.strategies import way_back
from core.rollout import actions as d
from core.state import commands as c, events as ev
from core.state.reversal import earlier, refused_rollback
from tests.environments import V1, V2, V3, begin, canary_plan, rollout
from tests.world import Held, World, serving

V4 = replace(V3, number="4")


def two() -> World:
    """v2 serves in green, v1 stands by in blue."""
    world = serving()
    world.do(begin(V2, canary_plan()))
    world.run()
    assert world.weights == {"green": 100.0}
    return world


def elsewhere(world: World, **slots: Held) -> None:
    """Another machine has released, and nothing of it is known here yet."""
    world.place.update(slots)


OVER_THE_OLD = {"blue": Held(V3, 2, 2, 100.0, proved_by=20), "green": Held(V2, 2, 2, 0.0)}
TWICE = {"blue": Held(V3, 2, 2, 0.0), "green": Held(V4, 2, 2, 100.0, proved_by=20)}


@pytest.mark.parametrize("slots", [OVER_THE_OLD, TWICE], ids=["in the old slot", "in the new one"])
def test_a_way_back_over_what_nobody_here_released_changes_nothing(slots: dict[str, Held]) -> None:
    world = two()
    elsewhere(world, **slots)
    world.do(c.Rollback("late", asked_at=world.now))
    world.see()
    before = dict(world.place)
    action = world.next()
    assert isinstance(action, d.Finish)
    assert action.outcome is ev.Outcome.DONE
    assert action.why.startswith("nothing was changed: v")
    world.run()
    assert world.place == before
    assert earlier(world.snapshot, "late", "2") == V2
    with pytest.raises(Refused, match="the last release known here, did not bring it"):
        world.do(c.Rollback("late", asked_at=world.now))


def test_where_it_is_known_it_is_refused_with_what_can_be_done() -> None:
    world = two()
    elsewhere(world, **OVER_THE_OLD)
    world.see()
    why = refused_rollback(world.endpoint, world.release)
    assert why is not None
    assert why.startswith(f"v3 serves in blue, and {world.release.id}, the last release known here, did not bring it")
    assert "or call 'quarterdeck rollback --to 2 --env" in why
    elsewhere(world, green=Held(V4, 2, 2, 0.0))
    world.see()
    assert "name what is to serve with 'quarterdeck rollback --to VERSION --env" in str(
        refused_rollback(world.endpoint, world.release)
    )


def test_a_failing_version_goes_back_whatever_else_was_put_into_its_slot() -> None:
    """A gate's way back loses nothing by going home: what it goes back to is what it knows."""
    world = serving()
    world.do(begin(V2, canary_plan()))
    world.run(lambda r: world.weights.get("green", 0.0) > 0)
    world.hold("green", version=V3)
    world.see()
    world.say(ev.TurnedBack(world.release.id, ev.Outcome.FAILED, "a gate failed"))
    world.run()
    assert world.weights == {"blue": 100.0}
    assert world.place["blue"].version == V1


def test_what_is_named_to_go_back_to_takes_all_traffic_where_it_stands_already() -> None:
    """Another machine's canary has a quarter; nobody waits for a second copy of what serves beside it."""
    world = serving()
    elsewhere(world, blue=Held(V1, 3, 3, 75.0, proved_by=15), green=Held(V2, 1, 1, 25.0, proved_by=5))
    world.see()
    world.do(begin(V1, way_back(rollout(), 120.0), "back"))
    release = world.run()
    assert release.outcome is ev.Outcome.DONE
    assert (release.slot, release.old, release.old_version) == ("blue", "green", V2)
    assert world.weights == {"blue": 100.0}
    assert world.place["green"].version == V2

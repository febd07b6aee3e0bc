"""Back to a version of before the last one, and slots that go by hand."""

import pytest

from core.domain.errors import BadInput, Refused
from core.domain.model import Version
from core.domain.strategies import ROLLBACK, way_back
from core.state import commands as c, events as ev
from core.state.audit import deeds
from core.state.delivery import figures, releases
from core.state.reversal import earlier, refused_rollback
from tests.environments import V1, V2, V3, begin, canary_plan, rollout
from tests.world import World, serving


def three() -> World:
    """v1, then v2, then v3 serves; v2 stands by."""
    world = serving()
    for version in (V2, V3):
        world.do(begin(version, canary_plan()))
        world.run()
    return world


def back_to_one(reason: str = "") -> World:
    world = three()
    plan = way_back(rollout(), 120.0)
    world.do(begin(earlier(world.snapshot, "late", "1"), plan, "back", reason=reason))
    world.run()
    return world


def test_a_way_back_by_number_tries_nothing_and_asks_nobody() -> None:
    plan = way_back(rollout(hold_s=600.0), 0.0)
    assert [type(step).__name__ for step in plan.steps] == ["Deploy", "Shift", "Work", "Retire", "Summarise"]
    assert plan.strategy == ROLLBACK


def test_the_version_is_served_again_and_the_reason_is_kept() -> None:
    world = back_to_one("v3 is\nodd")
    assert world.release.outcome is ev.Outcome.DONE
    assert world.endpoint.served == V1
    assert world.release.reason == "v3 is odd"
    assert world.release.old_version == V3


@pytest.mark.parametrize(("number", "found"), [("1", V1), ("v2", V2), ("3", V3)])
def test_what_came_to_all_traffic_can_be_gone_back_to(number: str, found: Version) -> None:
    assert earlier(three().snapshot, "late", number) == found


def test_what_was_taken_back_or_never_served_cannot() -> None:
    world = three()
    world.do(c.Rollback("late"))
    world.run()
    with pytest.raises(Refused, match=r"v3 can't be gone back to, for its last release, r3, rolled back; .*v1, v2"):
        earlier(world.snapshot, "late", "3")
    with pytest.raises(Refused, match="v9 never served here; there is v1, v2"):
        earlier(world.snapshot, "late", "9")
    with pytest.raises(BadInput, match="--to latest: name a version by its number"):
        earlier(world.snapshot, "late", "latest")
    with pytest.raises(Refused, match=r"v1 never served here$"):
        earlier(world.snapshot, "other", "1")


def test_of_two_models_with_the_same_number_the_one_is_named_that_is_meant() -> None:
    theirs = Version("theirs", "1")
    world = three()
    world.do(begin(theirs, canary_plan(), "r9"))
    world.run()
    for name in ("1", "v1"):
        with pytest.raises(
            BadInput, match=rf"--to {name}: there was v1 of late and of theirs here; write --to late/1 or"
        ):
            earlier(world.snapshot, "late", name)
    for name, found in (("late/1", V1), ("models:/theirs/1", theirs), ("theirs/v1", theirs), ("2", V2)):
        assert earlier(world.snapshot, "late", name) == found
    with pytest.raises(Refused, match=r"v2 never served here; there is late v1, theirs v1, late v2"):
        earlier(world.snapshot, "late", "theirs/2")


def test_a_key_after_it_does_not_bring_the_bad_version_back() -> None:
    world = back_to_one()
    why = refused_rollback(world.endpoint, world.release)
    assert why is not None
    assert "was itself the way back to v1" in why
    with pytest.raises(Refused, match="way back to v1"):
        world.do(c.Rollback("late"))


def test_it_is_no_delivery() -> None:
    world = three()
    before = figures(releases(world.events), 0.0, world.now)
    assert before.releases == 3
    assert figures(releases(back_to_one().events), 0.0, world.now + 3600).releases == 3


@pytest.mark.parametrize(("delete", "kept_s"), [(True, 0.0), (False, 120.0)])
def test_what_was_taken_back_is_kept_a_while_unless_it_is_to_go(delete: bool, kept_s: float) -> None:
    world = serving()
    world.do(begin(V2, canary_plan()))
    world.run(lambda r: r.index == 3)
    world.do(c.Rollback("late", delete=delete))
    world.run()
    way = world.release.way
    assert way is not None
    assert way.delete is delete
    from core.engine.driver import _idle

    assert _idle(world.release, ev.Outcome.ROLLED_BACK) == ("green", kept_s)


def test_a_slot_that_is_kept_goes_when_somebody_says_so() -> None:
    world = three()
    spare = next(slot for slot, seen in world.endpoint.slots.items() if seen.weight == 0)
    world.do(c.RetireSlot("late", spare, "room is needed"))
    assert world.endpoint.retire[spare] == world.now
    (deed,) = deeds(world.events[-2:])
    said = f"endpoint: has {spare} removed: room is needed"
    assert (deed.who, deed.what, deed.why) == ("ada", said, "room is needed")


@pytest.mark.parametrize(
    ("slot", "why"),
    [("blue", "late: blue gets traffic; a slot goes once it has none"), ("red", "there is no slot red")],
)
def test_a_slot_with_traffic_and_one_that_is_not_there_stay(slot: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        three().do(c.RetireSlot("late", slot))


def test_a_slot_that_a_release_needs_stays() -> None:
    world = serving()
    world.do(begin(V2, canary_plan()))
    world.run(lambda r: r.index == 1)
    with pytest.raises(Refused, match="r2 is under way and needs green"):
        world.do(c.RetireSlot("late", "green"))

"""A size by hand: what is refused, what is asked first, what stands in the audit."""

from collections.abc import Callable

import pytest

from core.domain.errors import Refused
from core.domain.model import Scaled
from core.domain.obstacles import Cause, Obstacle
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.audit import deeds
from core.state.confirmation import Confirmation, confirmation
from core.state.events import PendingKind
from tests.environments import V2, begin, canary_plan
from tests.state.test_commands import nothing, taken_back, turning, under_way
from tests.world import World, serving


def scaled_by_itself() -> World:
    """Blue is looked after by an autoscaler, between 1 and 4."""
    world = serving()
    world.say(ev.Looked("late", Scaled("blue", world.now, 2, 2, "cpu 58 % of 60 %", min=1, max=4)))
    return world


def scheduled() -> World:
    """The same, at the times of a schedule."""
    world = serving()
    times = (Obstacle(Cause.SCHEDULE, "weekend (azureml.schedule)"),)
    world.say(ev.Looked("late", Scaled("blue", world.now, 2, 2, "", min=1, max=4, obstacles=times)))
    return world


def changed_since() -> World:
    """What an autoscaler said once was of another version."""
    world = scaled_by_itself()
    world.hold("blue", version=V2)
    world.see()
    return world


def test_it_is_kept_until_the_target_took_it_and_the_audit_says_who_asked() -> None:
    world = serving()
    world.do(c.ScaleSlot("late", 4, reason="the sale begins"))
    (left,) = world.endpoint.pending
    assert (left.kind, left.slot, left.replicas, left.why) == (PendingKind.SIZE, "blue", 4, "")
    (deed,) = deeds(world.events[-2:])
    assert (deed.who, deed.why) == ("ada", "the sale begins")
    assert deed.what == "endpoint: scales blue from 2 to 4 replicas: the sale begins"
    # Asked for already: nothing more.
    assert accept(c.ScaleSlot("late", 4), world.snapshot, world.now) == ()
    assert len(accept(c.ScaleSlot("late", 2), world.snapshot, world.now)) == 2


def test_a_size_that_it_has_is_no_change() -> None:
    world = serving()
    assert accept(c.ScaleSlot("late", 2), world.snapshot, world.now) == ()


@pytest.mark.parametrize(
    ("scene", "replicas", "slot", "why"),
    [
        (nothing, 3, "", "late: nothing is served yet"),
        (serving, 3, "red", "late: there is no slot red; there is blue"),
        (serving, 0, "", "late: blue: 0 replicas: a slot keeps one at least; blue gets 100 % of the traffic"),
        (taken_back, 0, "green", "at least; 'quarterdeck retire green --env dev' removes it, for it has no traffic"),
        (serving, -2, "", "late: blue: -2 replicas"),
        (scheduled, 5, "", r"4 replicas, 5 are outside; weekend \(azureml.schedule\) says how many"),
        (scaled_by_itself, 5, "", "5 are outside; endpoint.autoscaling says how many"),
        (scaled_by_itself, 5, "", "blue: its autoscaler stays between 1 and 4 replicas, 5 are outside"),
        (turning, 3, "blue", "r2 is on its way back; wait for it"),
        (under_way, 1, "blue", "r2 is under way and may need the 2 replicas of blue"),
        (under_way, 1, "green", "r2 is under way and may need the 2 replicas of green"),
    ],
)
def test_what_is_refused(scene: Callable[[], World], replicas: int, slot: str, why: str) -> None:
    world = scene()
    with pytest.raises(Refused, match=why):
        accept(c.ScaleSlot("late", replicas, slot), world.snapshot, world.now)


@pytest.mark.parametrize(
    ("scene", "replicas", "slot"),
    [
        (scaled_by_itself, 4, "blue"),
        (scaled_by_itself, 1, "blue"),
        (changed_since, 5, "blue"),
        (under_way, 3, "blue"),
        (under_way, 3, "green"),
        (taken_back, 1, "green"),
    ],
)
def test_what_is_taken(scene: Callable[[], World], replicas: int, slot: str) -> None:
    world = scene()
    acted, pended = accept(c.ScaleSlot("late", replicas, slot), world.snapshot, world.now)
    assert isinstance(acted, ev.Acted)
    assert isinstance(pended, ev.Pended)
    assert (pended.slot, pended.replicas) == (slot, replicas)


def test_none_is_taken_where_the_place_can_and_the_slot_has_no_traffic() -> None:
    world = taken_back()
    _, pended = accept(c.ScaleSlot("late", 0, "green", least=0), world.snapshot, world.now)
    assert isinstance(pended, ev.Pended)
    assert (pended.slot, pended.replicas) == ("green", 0)
    with pytest.raises(Refused, match="blue: it gets 100 % of the traffic, which nobody would answer"):
        accept(c.ScaleSlot("late", 0, "blue", least=0), world.snapshot, world.now)
    with pytest.raises(Refused, match="a slot keeps one at least"):
        accept(c.ScaleSlot("late", 0, "green"), world.snapshot, world.now)


def test_production_wants_its_name_typed() -> None:
    world = serving()
    asked = c.ScaleSlot("late", 4)
    assert confirmation(asked, world.snapshot, world.now) is None
    world.do(begin(V2, canary_plan(), production=True))
    said = "scales 2 → 4 replicas; blue has 100 % of the traffic"
    assert confirmation(asked, world.snapshot, world.now) == Confirmation("dev", said, typed=True)
    assert confirmation(c.ScaleSlot("late", 4, "red"), world.snapshot, world.now) is None


def test_the_size_that_it_has_brings_an_autoscaler_back_that_somebody_deleted() -> None:
    world = scaled_by_itself()
    assert accept(c.ScaleSlot("late", 2), world.snapshot, world.now) == ()
    missing = (Obstacle(Cause.MISSING),)
    world.say(ev.Looked("late", Scaled("blue", world.now, 2, 2, "no autoscaler", min=1, max=4, obstacles=missing)))
    acted, pended = accept(c.ScaleSlot("late", 2), world.snapshot, world.now)
    assert isinstance(acted, ev.Acted)
    assert acted.what == "asks for the autoscaler of blue anew, at 2 replicas"
    assert isinstance(pended, ev.Pended)
    assert (pended.kind, pended.slot, pended.replicas) == (PendingKind.SIZE, "blue", 2)
    with pytest.raises(Refused, match="between 1 and 4"):
        accept(c.ScaleSlot("late", 5), world.snapshot, world.now)

"""How a release ends that another machine's driver followed: with where traffic is, and what may still come."""

import pytest

from core.domain.model import Version
from core.domain.plan import Shift
from core.rollout.takeover import taken_over
from core.state import events as ev
from core.state.fold import fold_all
from tests.environments import V1, V2, V3, begin, canary_plan
from tests.state.moved_scenes import both
from tests.world import Held, serving

WHY = "taken over by a driver on vm (project 0badcafe); nothing is changed from here any more"
FIRST = next(n for n, step in enumerate(canary_plan().steps) if isinstance(step, Shift))
COMES = "; 10 % to green was asked for before that and may still come"


@pytest.mark.parametrize(
    ("asked", "green", "said"),
    [
        (False, 0.0, "; traffic is at blue 100 %"),
        (True, 0.0, f"; traffic is at blue 100 %{COMES}"),
        (True, 10.0, "; traffic is at blue 90 %, green 10 %"),
    ],
)
def test_what_was_asked_for_and_is_not_seen_may_still_come(asked: bool, green: float, said: str) -> None:
    bodies: tuple[ev.Body, ...] = (
        ev.Began("r2", "late", "prod", canary_plan()),
        ev.Chose("r2", V2),
        ev.Placed("r2", "green", "blue", V1),
        *(ev.StepDone("r2", before) for before in range(FIRST)),
        ev.StepStarted("r2", FIRST),
        ev.Routed("late", {"blue": 90.0, "green": 10.0}, "r2"),
        *((ev.StepAsked("r2", FIRST),) if asked else ()),
        *both(100.0 - green, green),
    )
    snapshot = fold_all([ev.Event(n, float(n), "watch", body) for n, body in enumerate(bodies, 1)])
    release = snapshot.releases["r2"]
    assert taken_over(release, snapshot.endpoint("late"), WHY) == (ev.Outcome.STUCK, f"{WHY}{said}")


@pytest.mark.parametrize(("held", "removed"), [(V2, True), (V3, False)])
def test_a_release_that_failed_removes_what_it_deployed_and_nothing_of_others(held: Version, removed: bool) -> None:
    world = serving()
    world.do(begin(V2, canary_plan()))
    world.run(lambda release: release.slot is not None)
    world.place["green"] = Held(held, 1, 1)
    world.see()
    world.say(ev.StepFailed("r2", world.release.index, "green: gets 50 % of the traffic by now"))
    assert world.run().outcome is ev.Outcome.FAILED
    assert ("green" not in world.place) is removed

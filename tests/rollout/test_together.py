"""Several releases that go on and back as one: nobody is ahead of the others, and nobody is left behind."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from core.domain.errors import Refused
from core.domain.plan import Hold, Plan, Retire, Shift
from core.domain.strategies import all_at_once, blue_green, canary, gradual_blue_green
from core.rollout import actions as d
from core.state import commands as c, events as ev
from core.state.alert import OpenQuestion
from core.state.confirmation import confirmation
from core.state.release import Release, ReleaseState, Status
from core.state.together import waiting
from tests.environments import TEST, V1, V2, begin, rollout
from tests.rollout.test_decide import GATE
from tests.world import World

CANARY = canary((), rollout(0.0, (), TEST), (10, 50, 100))
NAMES = ("flowers", "petals", "stems")


def begins(name: str, number: int, plan: Plan) -> c.Begin:
    """A release of an endpoint's first or second version."""
    made = begin((V1, V2)[number - 1], plan, f"{name}-{number}", auto_approve=True)
    return replace(made, endpoint=name)


class Group:
    """Endpoints in one journal, of which each serves V1, and a release of V2 to all of them that has just begun."""

    def __init__(self, *plans: Plan, first: str = "") -> None:
        self.worlds = {name: World(name) for name, _ in zip(NAMES, plans, strict=False)}
        for name, world in self.worlds.items():
            world.beside = [other for other in self.worlds.values() if other is not world]
            if name == first:
                continue
            world.do(begins(name, 1, all_at_once((), rollout())))
            world.run()
            world.land()
            world.see()
        self.at_one_time(1000.0)
        own, *others = [begins(name, 2, plan) for name, plan in zip(NAMES, plans, strict=False)]
        self.lead.do(replace(own, others=tuple(others)))

    @property
    def lead(self) -> World:
        return self.worlds[NAMES[0]]

    def at_one_time(self, later_s: float = 0.0) -> None:
        """All clocks show what the latest of them does."""
        now = max(world.now for world in self.worlds.values()) + later_s
        for world in self.worlds.values():
            world.now = now

    def step(self, name: str) -> d.Action | None:
        """One endpoint's driver looks and does what comes next."""
        world = self.worlds[name]
        world.see()
        world.tidy()
        action = world.next() if world.release.live else None
        if action is not None:
            world.act(action)
        self.at_one_time()
        self.hold_together()
        return action

    def run(self, most: int = 900) -> None:
        """Until all have ended, or wait for a person."""
        for _ in range(most):
            moved = False
            for name, world in self.worlds.items():
                coming = bool(world.coming)
                action = self.step(name)
                idle = action is None or (isinstance(action, d.Wait) and action.until is None and not coming)
                moved = moved or not idle
            if not moved:
                return
        raise AssertionError([world.next() for world in self.worlds.values()])

    def hold_together(self) -> None:
        """What is so after everything that is done."""
        releases = [world.release for world in self.worlds.values()]
        back = [r for r in releases if r.state is ReleaseState.BACK or r.outcome not in (None, ev.Outcome.DONE)]
        on = [r for r in releases if r not in back]
        assert not (back and on), [(r.id, r.state, r.outcome, r.why) for r in releases]
        for one in on:
            for other in on:
                assert one.reached <= level(other), (one.id, one.reached, other.id, level(other))

    def outcomes(self) -> set[ev.Outcome | None]:
        return {world.release.outcome for world in self.worlds.values()}


def level(release: Release) -> float:
    """The share up to which the others of a group may go: its next one, once all before that is done."""
    for at, step in enumerate(release.steps):
        if isinstance(step.step, Shift) and step.status is not Status.DONE:
            return step.step.percent
        held = isinstance(step.step, Hold) and step.reached_at is not None
        if step.status is not Status.DONE and not held:
            done = [s.step.percent for s in release.steps[:at] if isinstance(s.step, Shift)]
            return done[-1] if done else 0.0
    return 100.0


def test_all_of_a_group_come_to_all_traffic() -> None:
    group = Group(CANARY, CANARY, CANARY)
    group.run()
    assert group.outcomes() == {ev.Outcome.DONE}
    assert all(world.weights == {"green": 100.0} for world in group.worlds.values())


def test_a_release_knows_the_others_and_says_so() -> None:
    group = Group(CANARY, CANARY)
    assert group.lead.release.together == {"flowers": "flowers-2", "petals": "petals-2"}
    assert any("together with petals" in line.text for line in group.lead.snapshot.log)


def test_nobodys_traffic_moves_before_all_have_passed_their_smoke_test() -> None:
    group = Group(CANARY, CANARY)
    for _ in range(30):
        group.step("flowers")
    flowers = group.lead.release
    assert isinstance(flowers.plan.steps[flowers.index], Shift)
    assert flowers.reached == 0
    assert waiting(flowers, group.lead.snapshot) == "petals to be ready"
    assert group.lead.next() == d.Wait("petals to be ready")
    group.run()
    assert group.outcomes() == {ev.Outcome.DONE}


def test_a_hold_that_waits_for_the_others_is_still_judged() -> None:
    gates = (replace(GATE, at_least=1),)
    steady = canary((), rollout(5.0, gates), (10, 100))
    slow = canary((), rollout(50.0, gates), (10, 100))
    group = Group(steady, slow)

    def holds(name: str) -> bool:
        step = group.worlds[name].release.current
        return step is not None and isinstance(step.step, Hold) and step.started_at is not None

    while not (holds("flowers") and holds("petals")):
        group.step("flowers")
        group.step("petals")
    for _ in range(20):
        for world in group.worlds.values():
            world.measure("green")
        group.at_one_time(1.0)
        while isinstance(group.step("flowers"), d.Record):
            pass
    assert waiting(group.lead.release, group.lead.snapshot) == "petals to end its hold"
    for _ in range(12):
        group.lead.measure("green", 0, 100)
        group.at_one_time(1.0)
        group.step("flowers")
    assert "errors" in group.worlds["petals"].release.way.why  # type: ignore[union-attr]
    assert group.worlds["petals"].release.way.why.startswith("with flowers: ")  # type: ignore[union-attr]


@pytest.mark.parametrize("fails", ["Smoke", "alias", "Load", "Summarise"])
def test_what_fails_in_one_takes_all_back(fails: str) -> None:
    group = Group(CANARY, CANARY, CANARY)
    group.worlds["petals"].fail[fails] = "it is broken"
    group.run()
    assert group.outcomes() == {ev.Outcome.FAILED}
    for world in group.worlds.values():
        world.land()
        assert world.weights == {"blue": 100.0}
    assert group.worlds["stems"].release.why.startswith("with petals: ")


def test_what_served_before_is_kept_until_all_are_through() -> None:
    group = Group(CANARY, CANARY)
    group.worlds["petals"].deaf.add("Load")
    group.run()
    steps = group.lead.release.steps
    assert next(s.status for s in steps if isinstance(s.step, Retire)) is Status.WAITING
    assert waiting(group.lead.release, group.lead.snapshot) == "petals to pass load test"


@pytest.mark.parametrize("asked", [c.Rollback, c.Abort])
def test_a_way_back_that_is_asked_of_one_is_everybodys_and_written_at_once(
    asked: type[c.Rollback] | type[c.Abort],
) -> None:
    group = Group(CANARY, CANARY)
    for _ in range(80):
        group.step("flowers")
        group.step("petals")
        if group.worlds["petals"].release.reached == 50:
            break
    before = len(group.lead.events)
    group.worlds["petals"].do(asked("petals", asked_at=group.lead.now, reason="late"))
    turned = [event.body for event in group.lead.events[before:]]
    assert [body.release for body in turned if isinstance(body, ev.TurnedBack)] == ["petals-2", "flowers-2"]
    assert all(body.reason == "late" and body.asked_at for body in turned if isinstance(body, ev.TurnedBack))
    group.run()
    assert all(world.weights == {"blue": 100.0} for world in group.worlds.values())


def test_a_group_that_stands_goes_back_as_one_and_forward_again() -> None:
    group = Group(CANARY, CANARY)
    group.run()
    group.worlds["petals"].do(c.Rollback("petals"))
    group.hold_together()
    group.run()
    assert group.outcomes() == {ev.Outcome.ROLLED_BACK}
    group.lead.do(c.Undo("flowers"))
    group.run()
    assert group.outcomes() == {ev.Outcome.DONE}
    assert all(world.weights == {"green": 100.0} for world in group.worlds.values())


def test_forward_again_go_all_or_none() -> None:
    group = Group(CANARY, CANARY)
    group.run()
    group.lead.do(c.Rollback("flowers"))
    group.run()
    group.worlds["petals"].place.pop("green")
    group.worlds["petals"].see()
    with pytest.raises(Refused, match=r"petals can't go with it: green is gone"):
        group.lead.do(c.Undo("flowers"))


def test_one_that_cannot_go_back_says_so_and_the_others_do() -> None:
    group = Group(CANARY, CANARY)
    group.run()
    group.lead.do(c.Rollback("flowers"))
    group.worlds["petals"].deaf.add("move")
    group.run()
    assert group.lead.weights == {"blue": 100.0}
    petals = group.worlds["petals"].release
    assert petals.outcome is ev.Outcome.STUCK
    assert petals.why.startswith("with flowers: rolled back; ")
    # Asked of the one that is back already, it is asked again of the one that is not.
    group.worlds["petals"].deaf.clear()
    group.lead.do(c.Rollback("flowers"))
    group.run()
    assert group.worlds["petals"].weights == {"blue": 100.0}


def test_one_that_was_released_again_since_stays_out_of_it() -> None:
    group = Group(CANARY, CANARY)
    group.run()
    petals = group.worlds["petals"]
    petals.do(replace(begins("petals", 2, CANARY), release="petals-3"))
    petals.run()
    group.lead.do(c.Rollback("flowers"))
    group.lead.run()
    assert group.lead.release.outcome is ev.Outcome.ROLLED_BACK
    assert petals.release.id == "petals-3"
    assert petals.release.outcome is ev.Outcome.DONE


def test_a_first_version_that_stands_stays_and_it_is_said() -> None:
    group = Group(CANARY, all_at_once((), rollout()), first="petals")
    group.run()
    group.lead.do(c.Rollback("flowers"))
    group.lead.run()
    assert group.lead.weights == {"blue": 100.0}
    assert any("does not go back with flowers: nothing served before" in line.text for line in group.lead.snapshot.log)


def test_taking_a_first_version_of_the_group_down_asks_first() -> None:
    group = Group(CANARY, all_at_once(("train",), rollout()), first="petals")
    for _ in range(200):
        group.step("flowers")
        group.step("petals")
        if group.worlds["petals"].weights:
            break
    asked = confirmation(c.Rollback("flowers"), group.lead.snapshot, group.lead.now)
    assert asked is not None
    assert asked.text.startswith("takes petals DOWN")


def test_what_is_asked_of_one_is_asked_of_all_that_stand_at_the_same() -> None:
    group = Group(CANARY, CANARY)
    group.lead.do(c.Pause("flowers"))
    assert all(world.release.paused for world in group.worlds.values())
    group.worlds["petals"].do(c.Pause("petals"))
    assert not any(world.release.paused for world in group.worlds.values())
    with pytest.raises(Refused, match="no question is open"):
        group.lead.do(c.Answer("flowers", yes=True))


def test_a_link_to_one_question_answers_that_one_alone() -> None:
    group = Group(CANARY, CANARY)
    for name, world in group.worlds.items():
        world.say(
            ev.StepStarted(f"{name}-2", 0), ev.Asked(f"{name}-2", 0, "all?", 9_999.0 if name == "petals" else 8_888.0)
        )
    with pytest.raises(Refused, match="another question is open now"):
        group.lead.do(c.Answer("flowers", yes=True, question=OpenQuestion("flowers-2", 0, 9_999.0)))
    group.lead.do(c.Answer("flowers", yes=True, question=OpenQuestion("flowers-2", 0, 8_888.0)))
    answers = {name: world.release.steps[0].answer for name, world in group.worlds.items()}
    assert answers == {"flowers": True, "petals": None}
    group.lead.do(c.Answer("petals", yes=True))
    assert group.worlds["petals"].release.steps[0].answer is True


def test_a_group_begins_whole_or_not_at_all() -> None:
    group = Group(CANARY, CANARY)
    others = (replace(begins("petals", 2, CANARY), release="petals-4"),)
    group.lead.do(c.Abort("flowers"))
    group.lead.run()
    with pytest.raises(Refused, match="petals: petals-2 is under way"):
        group.lead.do(replace(begins("flowers", 2, CANARY), release="flowers-4", others=others))
    assert "flowers-4" not in group.lead.snapshot.releases


PLANS = [
    CANARY,
    canary((), rollout(3.0, (replace(GATE, failures=1),)), (10, 50, 100)),
    canary(("train",), rollout(0.0), (25, 100)),
    blue_green((), replace(rollout(), question="all?")),
    gradual_blue_green((), replace(rollout(1.0), question="all?"), (10, 100)),
    all_at_once((), rollout()),
]
COMMANDS = (c.Rollback, c.Undo, c.Abort, c.Pause, c.Next)


@st.composite
def groups(draw: st.DrawFn) -> Group:
    """Anything that is asked of anyone at any time, what fails and dies, and traffic that is good or bad."""
    group = Group(*draw(st.lists(st.sampled_from(PLANS), min_size=2, max_size=3)))
    names = st.sampled_from(list(group.worlds))
    for name in group.worlds:
        if draw(st.integers(0, 3)) == 0:
            group.worlds[name].fail[draw(st.sampled_from(["Smoke", "alias", "Summarise"]))] = "broken"
    for _ in range(draw(st.integers(5, 90))):
        name = draw(names)
        world = group.worlds[name]
        match draw(st.sampled_from("aaaaaaaaaagbod")):
            case "a":
                group.step(name)
            case "g" | "b" as kind:
                group.at_one_time(1.0)
                world.measure("green", 100, 0 if kind == "g" else 100)
            case "o":
                with contextlib.suppress(Refused):
                    world.do(draw(st.sampled_from(COMMANDS))(name))
                group.hold_together()
            case _:
                world.dies = (world.acts + 1, draw(st.sampled_from(["before it", "after the effect"])))
    return group


@settings(max_examples=60, deadline=None)
@given(groups())
def test_whatever_happens_every_group_ends_on_one_side(group: Group) -> None:
    for world in group.worlds.values():
        world.fail.clear()
        if world.release.paused:
            world.do(c.Pause(world.name))
    group.run()
    for world in group.worlds.values():
        world.land()
        assert not world.release.live, (world.release.id, world.next())
    done = group.outcomes() == {ev.Outcome.DONE}
    assert done or ev.Outcome.DONE not in group.outcomes()
    assert all(world.weights == {"green" if done else "blue": 100.0} for world in group.worlds.values())

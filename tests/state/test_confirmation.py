"""What must be confirmed: decided by what it would do to the traffic, never by the key."""

import contextlib
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from core.domain.errors import Refused
from core.domain.gates import Gate, GateResult, Verdict
from core.domain.model import Observation
from core.domain.plan import Deploy, Hold, Plan, Shift, Summarise, Work
from core.domain.strategies import canary
from core.rollout import actions as d
from core.state import commands as c
from core.state.confirmation import Confirmation, begins, confirmation, figures, share_now
from core.state.endpoint import Endpoint
from core.state.release import Release, ReleaseState, Status, StepState
from core.state.snapshot import Snapshot
from tests.environments import V1, V2, begin, rollout
from tests.world import World, serving

GATES = (Gate("failed_percent", "<", 5.0, at_least=20), Gate("p95_ms", "<", 100.0, at_least=20))
HOLD = Hold(600.0, GATES)
CANARY = Plan("canary", (Work("train"), Deploy(2), Shift(10), HOLD, Shift(50), HOLD, Shift(100), HOLD, Summarise()))


def held(release: Release) -> bool:
    step = release.current
    return step is not None and isinstance(step.step, Hold) and step.status is Status.RUNNING


def holding(percent: float = 10, production: bool = True, **more: Any) -> World:
    world = serving()
    world.do(begin(V2, CANARY, production=production, **more))
    for share in (10, 50, 100):
        world.run(held)
        if share == percent:
            return world
        world.do(c.Next("late"))
        world.run(lambda r: not held(r))
    raise AssertionError(percent)


def in_dev() -> World:
    return holding(production=False)


def paused() -> World:
    world = holding()
    world.do(c.Pause("late"))
    return world


def paused_in_a_shift() -> World:
    """50 % was asked for, and 10 % is what there is."""
    world = holding()
    world.deaf.add("move")
    world.do(c.Next("late"))
    world.run(lambda r: r.current is not None and r.current.step == Shift(50) and r.current.asked)
    world.do(c.Pause("late"))
    return world


def full() -> World:
    return holding(100)


def asked() -> World:
    world = holding()
    world.now += 700
    world.run(lambda r: r.current is not None and r.current.question is not None)
    return world


def by_step(*, at: int) -> World:
    world = serving()
    world.do(begin(V2, CANARY, production=True, step_by_step=True))
    while world.release.index < at:
        world.do(c.Next("late"))
        world.run()
    return world


def before_train() -> World:
    return by_step(at=0)


def before_a_shift() -> World:
    return by_step(at=2)


def in_a_hold_by_step() -> World:
    world = by_step(at=3)
    world.do(c.Next("late"))
    world.run(held)
    return world


def taken_back() -> World:
    world = holding(50)
    world.do(c.Rollback("late"))
    world.run()
    return world


def failed() -> World:
    world = serving()
    world.fail["train"] = "no"
    world.do(begin(V2, CANARY, production=True))
    world.run()
    return world


def first(percent: float = 100) -> World:
    world = World()
    world.do(begin(V1, Plan("first", (Deploy(2), Shift(percent), HOLD, Summarise()))))
    world.run(held)
    return world


def first_without_traffic() -> World:
    world = World()
    world.do(begin(V1, Plan("first", (Deploy(2), Shift(100), HOLD, Summarise()))))
    world.run(lambda r: r.index == 1)
    return world


def first_going_back() -> World:
    world = first()
    world.do(c.Rollback("late"))
    return world


UNJUDGED = "no gate has judged, no answers now"
TYPED: list[tuple[Callable[[], World], c.Command, str]] = [
    (serving, begin(V2, canary((), rollout(1.0, GATES), (10, 50)), production=True),
     "canary 0 → 10 → 50 → 100 %, 2 gates"),
    (serving, begin(V2, Plan("train only", (Work("train"),)), production=True), "train only, no traffic moves"),
    (holding, c.Next("late"), "10 → 50 %, no gate has judged, no answers now"),
    (paused, c.Pause("late"), f"goes on at 10 %, and then by itself: 10 → 50 %, {UNJUDGED}"),
    (paused, c.Next("late"), f"goes on at 10 %, and then by itself: 10 → 50 %, {UNJUDGED}"),
    (paused_in_a_shift, c.Pause("late"),
     "goes on at 50 %, and then by itself: 50 → 100 %, 2 gates ?2, no answers now"),
    (in_a_hold_by_step, c.Pause("late", step_by_step=False), f"10 → 50 %, {UNJUDGED}"),
    (asked, c.Answer("late", True), "10 → 50 %, 2 gates ?2, no answers now"),
    (asked, c.Next("late"), "10 → 50 %, 2 gates ?2, no answers now"),
    (before_a_shift, c.Next("late"), f"0 → 10 %, {UNJUDGED}"),
    (before_train, c.Pause("late", step_by_step=False), f"0 → 10 %, {UNJUDGED}"),
    (taken_back, c.Undo("late"), "0 → 50 %, 2 gates ?2, no answers now"),
    (failed, c.Next("late"), "tries again: canary 0 → 10 → 50 → 100 %, 2 gates"),
]  # fmt: skip
NOT: list[tuple[Callable[[], World], c.Command]] = [
    (serving, begin(V2, CANARY)),
    (in_dev, c.Next("late")),
    (in_dev, c.Rollback("late")),
    (holding, c.Rollback("late")),
    (holding, c.Abort("late")),
    (holding, c.Pause("late")),
    (holding, c.Pause("late", step_by_step=True)),
    (holding, c.Pause("late", step_by_step=False)),
    (asked, c.Answer("late", False)),
    (full, c.Next("late")),
    (before_train, c.Next("late")),
    (in_a_hold_by_step, c.Next("late")),
    (paused, c.SetLoad("late", change=1)),
    (paused, c.Pause("late", step_by_step=True)),
    (paused, c.Pause("late", step_by_step=False)),
    (first_without_traffic, c.Abort("late")),
    (first_going_back, c.Rollback("late")),
    (World, c.Rollback("late")),
]


@pytest.mark.parametrize(("scene", "command", "text"), TYPED, ids=lambda v: v.__name__ if callable(v) else None)
def test_more_traffic_for_a_new_version_in_production_needs_its_name(
    scene: Callable[[], World], command: c.Command, text: str
) -> None:
    world = scene()
    found = confirmation(command, world.snapshot, world.now)
    assert found is not None
    assert (found.environment, found.typed) == ("dev", True)
    assert found.text == text


@pytest.mark.parametrize(("scene", "command"), NOT, ids=lambda v: v.__name__ if callable(v) else None)
def test_nothing_else_is_asked(scene: Callable[[], World], command: c.Command) -> None:
    world = scene()
    assert confirmation(command, world.snapshot, world.now) is None


@pytest.mark.parametrize("command", [c.Rollback("late"), c.Abort("late")])
def test_taking_down_what_nothing_served_before_asks_once(command: c.Command) -> None:
    world = first()
    asked = confirmation(command, world.snapshot, world.now)
    assert asked == Confirmation("dev", "takes late DOWN: nothing served before it", False)


def test_the_figures_are_those_of_now() -> None:
    world = holding()
    for _ in range(30):
        world.now += 1
        world.measure("green", 0, 500)
    world.now += 15
    world.measure("green", 998, 2)
    world.act(world.next())
    found = confirmation(c.Next("late"), world.snapshot, world.now)
    assert found is not None
    assert found.text in (
        "10 → 50 %, 2 gates ✖1 ?1, errors now 0.2 %",
        "10 → 50 %, 2 gates ✖1 ✔1, errors now 0.2 %",
    )


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (Plan("canary", (Shift(12.5), Hold(1.0, GATES[:1]), Shift(100))), "canary 0 → 12.5 → 100 %, 1 gate"),
        (Plan("all-at-once", (Shift(100),)), "all-at-once 0 → 100 %, 0 gates"),
        (Plan("x", (Hold(1.0, GATES),)), "x, no traffic moves"),
    ],
)
def test_what_a_plan_does_with_traffic(plan: Plan, text: str) -> None:
    assert begins(plan) == text


@pytest.mark.parametrize(
    ("asked", "weight", "state", "share"),
    [
        (True, 0.0, ReleaseState.RUNNING, 50.0),
        (True, 70.0, ReleaseState.RUNNING, 70.0),
        (False, 30.0, ReleaseState.RUNNING, 30.0),
        (False, 0.0, ReleaseState.RUNNING, 0.0),
        (True, 70.0, ReleaseState.BACK, 0.0),
    ],
)
def test_a_share_is_what_was_asked_for_or_what_is_seen_and_more(
    asked: bool, weight: float, state: ReleaseState, share: float
) -> None:
    release = holding().release
    steps = (StepState(Shift(50), Status.RUNNING, asked=asked),)
    seen = Endpoint("late", slots={"green": Observation("green", V2, 1, 1, weight)})
    known = replace(release, steps=steps, state=state)
    assert share_now(known, Snapshot(endpoints={"late": seen})) == share
    assert share_now(known, Snapshot()) == (50.0 if asked and state is ReleaseState.RUNNING else 0.0)


@pytest.mark.parametrize(
    ("status", "asked", "paused", "command", "share"),
    [
        # Step by step, a shift that waits begins by `n`, unless that only resumes.
        (Status.WAITING, False, False, c.Next("late"), 10),
        (Status.WAITING, False, True, c.Next("late"), None),
        (Status.WAITING, False, True, c.Pause("late"), None),
        (Status.WAITING, False, False, c.Answer("late", True), None),
        (Status.WAITING, False, False, c.Pause("late", False), 10),
        # One that has begun goes on once it is resumed; what was asked for moves nothing more.
        (Status.RUNNING, False, True, c.Next("late"), 10),
        (Status.RUNNING, False, True, c.Pause("late"), 10),
        (Status.RUNNING, True, True, c.Pause("late"), None),
        (Status.INTERRUPTED, False, True, c.Pause("late"), 10),
        (Status.INTERRUPTED, False, True, c.Pause("late", True), None),
    ],
)
def test_step_by_step_only_the_step_at_hand_goes_on(
    status: Status, asked: bool, paused: bool, command: c.Command, share: float | None
) -> None:
    steps = (StepState(Shift(10), status, asked=asked), StepState(Shift(50)))
    release = replace(holding().release, steps=steps, step_by_step=True, paused=paused)
    found = confirmation(command, Snapshot(releases={"r2": release}), 1.0)
    assert (found is not None) is (share is not None)
    assert found is None or f"0 → {share:g} %" in found.text


def test_a_release_that_failed_at_full_traffic_is_not_tried_again_without_its_name() -> None:
    world = serving()
    world.do(begin(V2, Plan("x", (Deploy(2), Shift(100), Work("later"))), production=True))
    world.fail["later"] = "no"
    world.run()
    found = confirmation(c.Next("late"), world.snapshot, world.now)
    assert found == Confirmation("dev", "tries again: x 0 → 100 %, 0 gates", True)


def test_what_had_no_traffic_gets_none_by_an_undo() -> None:
    world = serving()
    world.do(begin(V2, CANARY, production=True))
    world.do(c.Rollback("late"))
    world.run()
    assert confirmation(c.Undo("late"), world.snapshot, world.now) is None


OUTCOMES = (GateResult.FAIL, GateResult.ERROR, GateResult.PASS, GateResult.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        (OUTCOMES, "4 gates ✖2 ✔1 ?1"),
        (OUTCOMES[2:3], "1 gate ✔1"),
        (OUTCOMES[:1], "1 gate ✖1"),
        ((), "no gate has judged"),
    ],
)
def test_what_gates_said_is_counted_and_a_dry_run_is_not(outcomes: tuple[GateResult, ...], text: str) -> None:
    dry = Verdict(replace(GATES[0], dry_run=True), GateResult.FAIL, 1.0, "x")
    said = (dry, *(Verdict(GATES[0], outcome, None, "x") for outcome in outcomes))
    world = holding()
    release = replace(world.release, steps=(*world.release.steps[:-1], StepState(HOLD, verdicts=said)))
    assert figures(release, 50, world.snapshot, world.now) == f"10 → 50 %, {text}, no answers now"


def reached(world: World) -> float:
    """The largest share that the new version is given from here on, before time passes or a person is asked."""
    share = 0.0
    for _ in range(60):
        world.see()
        if not world.release.live:
            break
        action = world.next()
        if isinstance(action, d.Wait) and not world.coming:
            break
        if isinstance(action, d.Route):
            share = max(share, action.weights.get("green", 0.0))
        world.act(action)
    return share


@st.composite
def in_production(draw: st.DrawFn) -> World:
    """A release in production, somewhere on its way."""
    world = serving()
    world.do(begin(V2, CANARY, production=True, step_by_step=draw(st.booleans())))
    for _ in range(draw(st.integers(0, 40))):
        world.see()
        if draw(st.integers(0, 6)) == 0:
            with contextlib.suppress(Refused):
                world.do(draw(st.sampled_from(COMMANDS)))
        elif world.release.live:
            world.act(world.next())
    return world


COMMANDS: tuple[c.Command, ...] = (
    c.Next("late"), c.Pause("late"), c.Pause("late", True), c.Pause("late", False), c.Answer("late", True),
    c.Answer("late", False), c.Undo("late"), c.Rollback("late"), c.Abort("late"),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(in_production(), st.sampled_from(COMMANDS))
def test_no_command_gives_a_new_version_more_of_production_without_its_name(world: World, command: c.Command) -> None:
    other = copy.deepcopy(world)
    asked = confirmation(command, world.snapshot, world.now)
    try:
        world.do(command)
    except Refused:
        return
    if reached(world) > reached(other):
        assert asked is not None
        assert asked.typed

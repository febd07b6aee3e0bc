"""Plans: what each strategy does, in order."""

from dataclasses import replace

import pytest

from core.domain.gates import Gate
from core.domain.plan import (
    MODEL_WORK,
    Ask,
    Deploy,
    Hold,
    Load,
    Plan,
    Retire,
    Shift,
    Smoke,
    Summarise,
    Work,
    title,
)
from core.domain.strategies import Rollout, all_at_once, blue_green, canary
from tests.environments import TEST

GATE, AGAINST = Gate("rps", ">", 0.0), Gate("p95_ms", "<", 25.0, "live")


def rollout(smoke: int = 5, load: bool = True) -> Rollout:
    return Rollout(2, smoke, 20.0, (GATE,), TEST if load else None, (GATE,), 60.0, 40.0)


HELD = Hold(20.0, (GATE,))
END = (Work("alias"), Load(TEST, (GATE,)), Retire(60.0), Summarise())


@pytest.mark.parametrize(
    ("plan", "shifts"),
    [
        (canary((), rollout(), (10, 50, 100)), (Shift(10), HELD, Shift(50), HELD, Shift(100), HELD)),
        (canary((), rollout(), (25,)), (Shift(25), HELD, Shift(100), HELD)),
        (blue_green((), rollout()), (Shift(100), HELD)),
        (all_at_once((), rollout()), (Shift(100),)),
    ],
)
def test_a_strategy_is_how_traffic_moves(plan: Plan, shifts: tuple[object, ...]) -> None:
    assert plan.steps == (Deploy(2, 40.0), Smoke(5), *shifts, *END)


def test_what_is_against_live_is_not_asked_where_live_gets_nothing() -> None:
    both = replace(rollout(), gates=(GATE, AGAINST))
    steps = [step for step in canary((), both, (10,)).steps if isinstance(step, Shift | Hold)]
    assert steps == [Shift(10), Hold(20.0, (GATE, AGAINST)), Shift(100), HELD]
    assert HELD in blue_green((), both).steps


def test_work_comes_before_the_deployment() -> None:
    steps = all_at_once(MODEL_WORK, rollout()).steps
    assert steps[: len(MODEL_WORK)] == tuple(Work(name) for name in MODEL_WORK)
    assert isinstance(steps[len(MODEL_WORK)], Deploy)


def test_smoke_and_load_can_be_left_out() -> None:
    assert all_at_once((), rollout(smoke=0, load=False)).steps == (
        Deploy(2, 40.0), Shift(100), Work("alias"), Retire(60.0), Summarise(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("step", "called"),
    [
        (Work("train"), "train"),
        (Shift(10), "traffic"),
        (Load(TEST, ()), "load test"),
        (Ask("?"), "ask"),
        (HELD, "hold"),
    ],
)
def test_a_step_has_a_title(step: object, called: str) -> None:
    assert title(step) == called  # type: ignore[arg-type]

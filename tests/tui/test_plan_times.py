"""When the steps of a plan begin: at the earliest, or about then where the place takes its time."""

from pathlib import Path

import pytest

from core.config.config import endpoint_name
from core.config.planner import Wishes, release_of
from core.domain.model import Observation, Version
from core.domain.plan import Deploy, Hold, Plan, Shift, Smoke, UsualSpans
from core.state import events as ev
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from tests.targets.azureml_scenes import settings_of
from tui.plan_command import planned
from tui.plan_steps import told

PLAN = Plan("canary", (Deploy(1, 2760), Smoke(5), Shift(10), Hold(60, ()), Shift(100)))


def begins(usual: UsualSpans) -> list[tuple[str, str]]:
    return [(line.split()[0], line.split()[1]) for line in told(PLAN, usual=usual)]


@pytest.mark.parametrize(
    ("usual", "times"),
    [
        (UsualSpans(), ["T+0:00", "T+0:00", "T+0:00", "T+0:00", "T+1:00"]),
        (UsualSpans(600.0, 30.0), ["T+0:00", "T~10:00", "T~10:00", "T~10:30", "T~11:30"]),
        (UsualSpans(7200.0, 30.0), ["T+0:00", "T~2:00:00", "T~2:00:00", "T~2:00:30", "T~2:01:30"]),
        # What a laptop needs for it is not worth a word.
        (UsualSpans(2.0, 0.3, 4), ["T+0:00", "T+0:00", "T+0:00", "T+0:00", "T+1:00"]),
        (UsualSpans(2.0, 30.0, 4), ["T+0:00", "T+0:00", "T+0:00", "T~0:30", "T~1:30"]),
    ],
)
def test_each_step_begins_after_what_those_before_take(usual: UsualSpans, times: list[str]) -> None:
    assert begins(usual) == list(zip(times, ["deploy", "smoke", "traffic", "hold", "traffic"], strict=True))


@pytest.mark.parametrize(
    ("usual", "words"),
    [
        (UsualSpans(600.0, 30.0), "ready within 2760 s; about 10 min as a rule"),
        (UsualSpans(420.0, 30.0, 1), "ready within 2760 s; about 7 min by 1 deploy before"),
        (UsualSpans(420.0, 30.0, 3), "ready within 2760 s; about 7 min by 3 deploys before"),
        (UsualSpans(), "ready within 2760 s"),
    ],
)
def test_the_deploy_says_what_that_rests_on(usual: UsualSpans, words: str) -> None:
    assert next(told(PLAN, usual=usual)).endswith(words)


@pytest.mark.parametrize(
    ("replicas", "home"),
    [
        (2, "v2 in green, 2 of 2 replicas ready"),
        (0, "v2 in green, which has no replica and answers nobody; 'quarterdeck scale N --env prod' comes first"),
    ],
)
def test_a_plan_says_what_it_goes_back_to_and_that_nobody_answers_there(
    tmp_path: Path, replicas: int, home: str
) -> None:
    settings = settings_of(tmp_path)
    name = endpoint_name(settings)
    seen = Observation("green", Version(settings.model, "2"), replicas, replicas, 100.0)
    snapshot = fold_all([ev.Event(1, 1.0, "watch", ev.Observed(name, seen))])
    _, lines = planned(settings, snapshot, Wishes())
    assert any(line.strip() == f"goes back to: {home}" for line in lines), lines


def test_on_azure_ml_a_first_plan_reckons_with_minutes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    _, lines = planned(settings, Snapshot(), Wishes())
    (deploy,) = [line for line in lines if " deploy " in line]
    assert deploy.startswith("T+0:00")
    assert deploy.endswith("about 10 min as a rule")
    assert next(line for line in lines if " smoke " in line).startswith("T~10:00")
    assert any(isinstance(step, Deploy) for step in release_of(settings, True, Wishes()).plan.steps)

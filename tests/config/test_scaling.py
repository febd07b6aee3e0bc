"""How fast an autoscaler may go, as it is written, and as the local rule takes it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from core.config.config import load
from core.config.scaling import BehaviorSettings
from core.domain.errors import BadInput
from core.targets.local.behavior import behavior_of
from core.targets.local.kind import spec_of
from core.targets.local.steps import DOWN, UP, Behavior, Direction, Policy


def said(folder: Path, behavior: Any) -> Path:
    scaling = {"min": 1, "max": 4, "cpu": 60, "behavior": behavior}
    endpoint = {"name": "late", "autoscaling": scaling}
    path = folder / "quarterdeck.yaml"
    path.write_text(yaml.safe_dump({"data": {"source": "iris", "target": "species"}, "endpoint": endpoint}))
    return path


@pytest.mark.parametrize(
    ("behavior", "line"),
    [
        ({"upwards": {}}, "behavior.upwards: unknown key"),
        ({"up": {"policies": [{}]}}, "takes pods or percent, one of them"),
        ({"up": {"policies": [{"pods": 1, "percent": 1}]}}, "takes pods or percent, one of them"),
        ({"down": {"policies": [{"pods": 0}]}}, r"behavior.down.policies\[0\].pods: 0 should be at least 1"),
        ({"down": {"policies": [{"pods": 1, "period_s": "2h"}]}}, "should be at most 1800"),
        ({"down": {"window_s": 3601}}, "behavior.down.window_s: 3601 should be at most 3600"),
        ({"down": {"select": "Max"}}, "'Max' is none of max, min, disabled"),
    ],
)
def test_a_slip_is_one_line_with_its_place(tmp_path: Path, behavior: Any, line: str) -> None:
    with pytest.raises(BadInput, match=line):
        load(said(tmp_path, behavior))


@pytest.mark.parametrize(
    ("behavior", "rule"),
    [
        (None, None),
        ({}, Behavior()),
        (
            {"down": {"window_s": "1m", "policies": [{"percent": 10, "period_s": "1m"}, {"pods": 2}], "select": "min"}},
            Behavior(UP, Direction(60.0, (Policy("percent", 10, 60.0), Policy("pods", 2, 15.0)), "min")),
        ),
        ({"up": {"select": "disabled"}}, Behavior(Direction(0.0, UP.policies, "disabled"), DOWN)),
        ({"down": {"window_s": 0}}, Behavior(UP, Direction(0.0, DOWN.policies))),
    ],
)
def test_what_is_left_out_is_the_rules_own(tmp_path: Path, behavior: Any, rule: Behavior | None) -> None:
    scaling = spec_of(load(said(tmp_path, behavior))).autoscaling
    assert scaling is not None
    assert scaling.behavior == rule


def test_settings_that_say_nothing_leave_the_rule_alone() -> None:
    assert behavior_of(None) is None
    assert behavior_of(BehaviorSettings()) == Behavior()

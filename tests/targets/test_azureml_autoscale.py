"""Autoscale settings as Azure Monitor takes them, and what is said of them as they are read. Nothing is called."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.domain.errors import BadInput, QuarterdeckError
from core.domain.model import Scaled
from core.domain.obstacles import Cause
from core.scaling.facts import ScalingFacts
from core.scaling.reasons import explain
from core.targets.azureml.autoscale_bodies import autoscale_settings, bounds, check, same_settings, settings_path
from core.targets.azureml.autoscale_looks import AutoscaledSlot, look_of
from core.targets.azureml.autoscale_profiles import holding
from core.targets.azureml.workspace import AzureEndpoint
from tests.targets.azureml_scenes import SUBSCRIPTION, endpoint_of

NIGHT = {"name": "night", "from": "20:00", "to": "06:00", "min": 1, "max": 2}
CPU = "CpuUtilizationPercentage"
COOLS = "it changes nothing for 300 s after a change"
NOW = 1_800_000_000.0


def scaled(folder: Path, place: dict[str, Any] | None = None, **autoscaling: Any) -> AzureEndpoint:
    """An endpoint of two to five instances by cpu, or what is said instead."""
    said = {"min": 2, "max": 5, "cpu": 70, **autoscaling}
    return endpoint_of(folder, place, endpoint={"name": "late", "replicas": 2, "autoscaling": said})


def test_the_rules_are_those_of_the_article_with_half_the_target_for_the_way_down(tmp_path: Path) -> None:
    at = scaled(tmp_path)
    body = autoscale_settings(at, "blue", "westeurope", enabled=True)
    deployment = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
        "/onlineEndpoints/late/deployments/blue"
    )
    assert body["properties"]["targetResourceUri"] == deployment
    (profile,) = body["properties"]["profiles"]
    assert profile["capacity"] == {"minimum": "2", "maximum": "5", "default": "2"}
    up, down = profile["rules"]
    assert up["metricTrigger"] == {
        "metricName": CPU,
        "metricResourceUri": deployment,
        "timeGrain": "PT1M",
        "statistic": "Average",
        "timeWindow": "PT5M",
        "timeAggregation": "Average",
        "operator": "GreaterThan",
        "threshold": 70.0,
    }
    assert up["scaleAction"] == {"direction": "Increase", "type": "ChangeCount", "value": "1", "cooldown": "PT5M"}
    assert (down["metricTrigger"]["operator"], down["metricTrigger"]["threshold"]) == ("LessThan", 35)
    assert down["scaleAction"]["direction"] == "Decrease"
    assert settings_path(at, "blue").endswith("/providers/Microsoft.Insights/autoscaleSettings/ws-late-blue")


def test_how_fast_is_said_in_the_words_of_every_place(tmp_path: Path) -> None:
    behavior = {
        "up": {"window_s": "10m", "policies": [{"pods": 3, "period_s": "2m"}]},
        "down": {"policies": [{"percent": 20, "period_s": "30m"}]},
    }
    rules = autoscale_settings(scaled(tmp_path, behavior=behavior), "blue", "westeurope", enabled=True)["properties"][
        "profiles"
    ][0]["rules"]
    assert [one["scaleAction"] for one in rules] == [
        {"direction": "Increase", "type": "ChangeCount", "value": "3", "cooldown": "PT2M"},
        {"direction": "Decrease", "type": "PercentChangeCount", "value": "20", "cooldown": "PT30M"},
    ]
    assert [one["metricTrigger"]["timeWindow"] for one in rules] == ["PT10M", "PT5M"]
    kept = {"down": {"select": "disabled"}}
    only = autoscale_settings(scaled(tmp_path, behavior=kept), "blue", "westeurope", enabled=True)
    assert [one["scaleAction"]["direction"] for one in only["properties"]["profiles"][0]["rules"]] == ["Increase"]


@pytest.mark.parametrize(
    ("place", "autoscaling", "line"),
    [
        ({}, {"fast": True}, "fast"),
        ({}, {"behavior": {"up": {"policies": [{"pods": 1}, {"pods": 2}]}}}, "Azure takes one"),
    ],
)
def test_what_azure_has_no_words_for_is_refused(
    tmp_path: Path, place: dict[str, Any], autoscaling: dict[str, Any], line: str
) -> None:
    with pytest.raises(BadInput, match=line):
        check(scaled(tmp_path, place, **autoscaling))


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (
            {"schedule": [NIGHT, {**NIGHT, "name": "late", "from": "23:00", "to": "23:30"}]},
            "both hold on monday at 23:00",
        ),
        ({"schedule": [{**NIGHT, "min": 3}]}, "min 3 is above max 2"),
        ({"schedule": [{**NIGHT, "from": "25:00"}]}, "time of day"),
        ({"timezone": "Mars/Olympus"}, "should be one of UTC"),
    ],
)
def test_a_schedule_that_cannot_hold_is_a_line(tmp_path: Path, place: dict[str, Any], line: str) -> None:
    with pytest.raises(QuarterdeckError, match=line) as caught:
        scaled(tmp_path, place)
    assert "\n" not in str(caught.value)


def test_a_schedule_without_autoscaling_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"azureml\.schedule"):
        check(endpoint_of(tmp_path, {"schedule": [NIGHT]}))


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        ("2026-11-27 19:59", "usual"),
        ("2026-11-27 20:00", "night"),
        ("2026-11-28 05:59", "night"),
        ("2026-11-28 06:00", "usual"),
        ("2026-11-29 21:00", "usual"),
        ("2026-11-30 03:00", "usual"),
    ],
)
def test_the_profile_that_holds_is_the_one_that_began_last(tmp_path: Path, moment: str, name: str) -> None:
    """Fridays and Saturdays at night, by the clock of Berlin."""
    place = {"schedule": [{**NIGHT, "days": ["friday", "saturday"]}], "timezone": "Europe/Berlin"}
    at = scaled(tmp_path, place)
    profiles = autoscale_settings(at, "blue", "westeurope", enabled=True)["properties"]["profiles"]
    assert profiles[1]["recurrence"]["schedule"] == {
        "timeZone": "W. Europe Standard Time",
        "days": ["Friday", "Saturday"],
        "hours": [20],
        "minutes": [0],
    }
    assert profiles[2]["recurrence"]["schedule"]["days"] == ["Saturday", "Sunday"]
    now = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert holding(profiles, now)["capacity"]["maximum"] == {"usual": "5", "night": "2"}[name]
    assert bounds(at) == (1, 5)


def looked(at: AzureEndpoint, count: int, cpu: float | None, *, enabled: bool = True, **more: Any) -> Scaled:
    """A look at blue, which has all traffic."""
    body = autoscale_settings(at, "blue", "westeurope", enabled=enabled)
    return look_of(AutoscaledSlot("blue", count, body, {CPU: cpu}, **more), NOW)


@pytest.mark.parametrize(
    ("count", "cpu", "more", "proposed", "causes", "text"),
    [
        (2, 50.0, {}, 2, [Cause.BELOW_TARGET], "cpu 50 % is below its target of 70 %: 2 replicas are enough"),
        (5, 90.0, {}, 6, [Cause.MAXIMUM], "cpu 90 % of 70 % asks for 6 replicas, the maximum is 5"),
        (
            3,
            90.0,
            {"before": 2, "acted_s": 60.0},
            4,
            [Cause.COOLDOWN],
            f"cpu 90 % of 70 % asks for 4 replicas, and it waits 240 s more: {COOLS}",
        ),
        (
            3,
            90.0,
            {"acted_s": 301.0},
            4,
            [Cause.WINDOW],
            "cpu 90 % of 70 % asks for 4 replicas, and it waits for up to 5 min more whether that lasts",
        ),
        (2, None, {}, None, [Cause.NO_FIGURE], "no cpu of any ready replica was measured: the size stays at 2"),
        (2, 90.0, {"enabled": False}, 3, [Cause.HELD], "a release holds it at 2 while traffic moves"),
    ],
)
def test_why_a_slot_has_its_size(
    tmp_path: Path,
    count: int,
    cpu: float | None,
    more: dict[str, Any],
    proposed: int | None,
    causes: list[Cause],
    text: str,
) -> None:
    look = looked(scaled(tmp_path), count, cpu, **more)
    assert (look.proposed, look.min, look.max) == (proposed, 2, 5)
    found = explain(ScalingFacts("blue", count, count, look=look, busy=True))
    assert [one.cause for one in found] == causes
    assert found[0].text == text


def test_the_times_of_a_schedule_are_a_reason(tmp_path: Path) -> None:
    place = {"schedule": [{**NIGHT, "from": "00:00", "to": "00:00"}]}
    look = looked(scaled(tmp_path, place), 2, 90.0)
    assert (look.min, look.max) == (1, 2)
    found = explain(ScalingFacts("blue", 2, 2, look=look))
    assert [one.cause for one in found] == [Cause.MAXIMUM, Cause.SCHEDULE]
    assert found[0].todo.startswith("raise the max of night (azureml.schedule) and release again")
    assert found[1].text == "the times of night (azureml.schedule) hold: between 1 and 2"


def test_what_nobody_could_write_is_said(tmp_path: Path) -> None:
    at = scaled(tmp_path)
    look = look_of(AutoscaledSlot("blue", 2, None, {}, (2, 5), why="settings of blue were not written: why"), NOW)
    assert look.reason == "settings of blue were not written: why"
    (reason,) = explain(ScalingFacts("blue", 2, 2, look=look))
    assert (reason.cause, reason.calm) == (Cause.UNWRITTEN, False)
    assert reason.text == "its autoscaler can't be made, and it stays at 2: settings of blue were not written: why"
    assert bounds(at) == (2, 5)


def test_what_is_not_written_yet_is_awaited_within_the_bounds_of_the_settings() -> None:
    one = AutoscaledSlot("blue", 4, None, {}, (2, 5), awaits="Azure says Updating of its deployment")
    look = look_of(one, NOW)
    assert (look.after, look.min, look.max) == (4, 2, 5)
    (reason,) = explain(ScalingFacts("blue", 4, 4, look=look, busy=True))
    assert (reason.cause, reason.calm) == (Cause.AWAITED, True)
    assert "stays at 4: Azure says Updating of its deployment" in reason.text


def test_a_slot_that_was_scaled_to_none_says_how_it_comes_back(tmp_path: Path) -> None:
    body = autoscale_settings(scaled(tmp_path), "blue", "westeurope", enabled=False)
    for held in (None, body):
        look = look_of(AutoscaledSlot("blue", 0, held, {}, (2, 5), traffic=False), NOW)
        assert (look.before, look.after, look.min, look.max) == (0, 0, 2, 5)
        (reason,) = explain(ScalingFacts("blue", 0, 0, weight=0.0, look=look))
        assert (reason.cause, reason.calm) == (Cause.ZERO, True)
        assert "'quarterdeck scale 2 --slot blue'" in reason.todo


def test_what_stays_is_the_size_that_there_is_now(tmp_path: Path) -> None:
    look = looked(scaled(tmp_path), 2, None, before=3)
    assert (look.before, look.after) == (3, 2)
    (reason,) = explain(ScalingFacts("blue", 2, 2, look=look))
    assert reason.text == "no cpu of any ready replica was measured: the size stays at 2"


def test_settings_as_the_service_gives_them_back_are_the_same(tmp_path: Path) -> None:
    sent = autoscale_settings(scaled(tmp_path, {"schedule": [NIGHT]}), "blue", "westeurope", enabled=True)
    properties = sent["properties"]
    back = {
        **sent,
        "id": "/subscriptions/…",
        "properties": {
            **properties,
            "targetResourceUri": properties["targetResourceUri"].replace("resourceGroups", "resourcegroups"),
            "predictiveAutoscalePolicy": None,
            "profiles": [
                {
                    **one,
                    "fixedDate": None,
                    "rules": [
                        {
                            **rule,
                            "metricTrigger": {**rule["metricTrigger"], "dividePerInstance": False, "dimensions": []},
                        }
                        for rule in one["rules"]
                    ],
                }
                for one in properties["profiles"]
            ],
        },
    }
    assert same_settings(sent, back)
    assert not same_settings(sent, {**back, "properties": {**back["properties"], "enabled": False}})

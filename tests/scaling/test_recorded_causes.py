"""All ten causes of 'why isn't it scaling', each at its second of what a real cluster was recorded to have."""

from dataclasses import replace

import pytest

from core.domain.model import Reading
from core.domain.obstacles import Cause
from core.scaling.facts import ScalingFacts, facts_of
from core.scaling.reasons import explain
from core.state.fold import fold_all
from tests.tui.cluster_scenes import BEGUN, at

FULL = "quota late: requests.cpu 400m of 500m used, 200m more asked for"
MISSING = "registry.example/missing:1: not found"
WITHIN = "as many were asked for within the last 5 min"
STEP_S = 5.0


def facts(recording: str, at_s: float, serves: str = "blue") -> ScalingFacts:
    """The slot that a recording is about, as it was at a second of it."""
    (found,) = facts_of(fold_all(at(recording, at_s, serves, STEP_S)), "late", BEGUN + at_s)
    return found


def within_tolerance() -> ScalingFacts:
    """The recording goes over its target by more than a tenth or not at all, so one figure is set."""
    found = facts("scaling", 45)
    assert found.look is not None
    return replace(found, look=replace(found.look, readings=(Reading("cpu", 64.0, 60.0),)))


@pytest.mark.parametrize(
    ("found", "cause", "text", "todo"),
    [
        (within_tolerance(), Cause.TOLERANCE, "cpu 64 % of 60 % is within a tenth of its target: 4 replicas stay",
         "more come above 66 %"),
        (facts("scaling", 105), Cause.MAXIMUM, "cpu 86 % of 60 % asks for 22 replicas, the maximum is 15",
         "raise endpoint.autoscaling.max"),
        (facts("scaling", 81), Cause.POLICY,
         "cpu 327 % of 60 % asks for 22 replicas, and one step goes from 4 to 8 at most", "it goes on at its next"),
        (facts("scaling", 165), Cause.WINDOW,
         f"cpu 29 % of 60 % asks for 8 replicas, and 15 stay for 284 s more: {WITHIN}", "it goes by itself"),
        (facts("metrics-missing", 30), Cause.METRICS_ABSENT,
         "the cluster has no metrics API, so nobody measures cpu", "install metrics-server"),
        (facts("metrics-missing", 78), Cause.METRICS_DEAD,
         "the cluster's metrics API does not answer, so nobody measures cpu", "look at metrics-server"),
        (facts("scaling", 30), Cause.NOT_READY,
         "2 of 4 replicas of blue ready: late-blue-6d9fb6656b-nsqtn starting", "wait for it"),
        (facts("no-cpu-request", 20), Cause.NO_REQUEST,
         "container server has no cpu request: its use can't be told in percent of that, so nothing scales",
         "set endpoint.cpu"),
        (facts("unschedulable", 12, ""), Cause.UNSCHEDULABLE,
         "1 pod of 1 found no node: cpu is lacking on 3 of 3 nodes", "add nodes, free what is lacking"),
        (facts("quota", 24), Cause.QUOTA, f"2 pods of 4 may not be made: {FULL}", "raise the quota"),
        (facts("image-pull", 40, ""), Cause.IMAGE,
         f"2 pods of 2 can't start, for the image can't be pulled: {MISSING}", "mend the image or the pull secret"),
    ],
    ids=lambda value: value.value if isinstance(value, Cause) else "",
)  # fmt: skip
def test_each_cause_is_named_first_with_its_figures_and_the_next_step(
    found: ScalingFacts, cause: Cause, text: str, todo: str
) -> None:
    (first, *rest) = explain(found)
    assert (first.cause, first.text) == (cause, text)
    assert first.todo.startswith(todo)
    # What has no autoscaler says so as well, and the recordings of no metrics have no pods in them.
    assert {one.cause for one in rest} <= {Cause.UNSCALED, Cause.MISSING, Cause.NOT_READY}


@pytest.mark.parametrize("at_s", [36.0, 60.0, 219.0])
def test_a_slot_that_is_as_its_metrics_ask_for_names_none(at_s: float) -> None:
    found = facts("scaling", at_s)
    assert (found.ready, found.busy) == (found.wanted, True)
    assert explain(found) == []

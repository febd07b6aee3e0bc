"""What somebody else holds of an autoscaler is said and left, and keeps nothing from serving or from going back."""

import asyncio

import pytest

from core.targets.kubernetes.held_fields import without
from core.targets.kubernetes.paths import AUTOSCALERS, DEPLOYMENTS, SERVICES
from core.targets.kubernetes.traffic import REPLICAS
from tests.kubernetes.caller import Caller
from tests.kubernetes.waiting import until
from tests.targets.helpers import ONE, TWO, two_slots, watching
from tests.targets.kubernetes.conftest import MakePlace
from tests.targets.kubernetes.places import ClusterPlace

SCALING = {"replicas": 1, "autoscaling": {"min": 1, "max": 10, "cpu": 60}}
SAID = "autoscaler of blue: kubectl-patch holds spec.maxReplicas, which stays as it is there; delete "


def _most_by_hand(place: ClusterPlace, most: int) -> None:
    """What `kubectl patch` does to the autoscaler of blue."""
    caller = Caller(place.cluster, place.namespace)
    change = {"spec": {"maxReplicas": most}}
    answer = caller.patch("horizontalpodautoscalers.autoscaling", "late-blue", change, fieldManager="kubectl-patch")
    assert answer.status_code == 200, answer.text
    caller.client.close()


def _bounds(place: ClusterPlace) -> tuple[int, int]:
    spec = place.calls.ask("GET", AUTOSCALERS.path(place.namespace, "late-blue"))["spec"]
    return spec["minReplicas"], spec["maxReplicas"]


async def test_a_slot_is_taken_up_without_the_field_that_somebody_holds(place_of: MakePlace) -> None:
    place = place_of("selector", endpoint=SCALING)
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await target.route({"green": 100})
        await watcher.weight("green", 100)
        _most_by_hand(place, 3)
        place.calls.ask("DELETE", DEPLOYMENTS.path(place.namespace, "late-blue"))
        await watcher.gone("blue")
        await target.apply("blue", ONE, 2)
        await watcher.noted(SAID)
        await watcher.ready("blue", 2)
        await target.route({"blue": 100})
        await watcher.weight("blue", 100)
        assert _bounds(place) == (1, 3)
        # Once it is gone the next version has all that the settings say.
        place.calls.ask("DELETE", AUTOSCALERS.path(place.namespace, "late-blue"))
        await target.route({"green": 100})
        await target.apply("blue", TWO, 1)
    assert _bounds(place) == (1, 10)


async def test_shares_end_where_somebody_set_a_bound_meanwhile(place_of: MakePlace) -> None:
    place = place_of("replicas", endpoint=SCALING)
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await target.route({"blue": 75, "green": 25})
        await watcher.weight("green", 25)
        _most_by_hand(place, 5)
        await target.route({"blue": 100})
        await watcher.noted(SAID)
        await watcher.weight("blue", 100)

        def kept() -> str:
            head = place.calls.ask("GET", SERVICES.path(place.namespace, "late"))["metadata"]
            return str(head["annotations"][REPLICAS])

        await asyncio.to_thread(until, lambda: kept() == "{}", "the end of shares")
    assert _bounds(place) == (1, 5)


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        (["spec.maxReplicas"], {"metadata": {"annotations": {"quarterdeck.dev/bounds": "1 4"}}, "spec": {"min": 1}}),
        (["metadata.annotations.quarterdeck.dev/bounds", "spec.min"],
         {"metadata": {"annotations": {}}, "spec": {"maxReplicas": 4}}),
        (["spec.containers[name=server].image"], None),
        (["spec.maxReplicas.more"], None),
    ],
)  # fmt: skip
def test_a_field_is_taken_out_by_its_path(fields: list[str], left: object) -> None:
    body = {"metadata": {"annotations": {"quarterdeck.dev/bounds": "1 4"}}, "spec": {"min": 1, "maxReplicas": 4}}
    assert without(body, fields) == left
    assert body["spec"] == {"min": 1, "maxReplicas": 4}

"""Operations in Azure ML of which nobody tells: the endpoint itself is looked at, and shows what has ended."""

from typing import Any

import pytest

from core.domain.model import ReplicaState
from core.targets.azureml.operations import OperationBook
from tests.azure.faults import CRASHED
from tests.kubernetes.faults import FaultKind
from tests.targets.azureml_places import AzurePlaceOf
from tests.targets.helpers import ONE, TWO, two_slots, watching

UNTOLD = [
    pytest.param(FaultKind.HANG, {"seconds": 60.0}, id="hangs"),
    pytest.param(FaultKind.STATUS, {"status": 403}, id="refused"),
    pytest.param(FaultKind.STATUS, {"status": 500}, id="broken"),
]


def untold(place: AzurePlaceOf, kind: FaultKind, more: dict[str, Any]) -> None:
    """No question about an operation is answered with what it came to."""
    place.azure.fault(kind, "GET", "mfeOperationsStatus", times=None, **more)


@pytest.mark.parametrize(("kind", "more"), UNTOLD)
async def test_traffic_is_proved_though_nobody_tells_of_its_operation(
    place: AzurePlaceOf, kind: FaultKind, more: dict[str, Any]
) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        untold(place, kind, more)
        await target.route({"blue": 50, "green": 50})
        await watcher.weight("green", 50)
        await watcher.noted("the change of traffic is done, as the endpoint shows; its operation gives no answer")
        assert OperationBook(place.at.folder, place.at.name).operations() == ()


async def test_a_deployment_is_made_and_removed_though_nobody_tells_of_it(place: AzurePlaceOf) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        untold(place, FaultKind.STATUS, {"status": 500})
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await watcher.noted("blue is deployed, as the endpoint shows")
        await target.apply("green", TWO, 1)
        await watcher.ready("green", 1, TWO)
        await target.remove("green")
        await watcher.noted("green is removed, as the endpoint shows")


async def test_a_deployment_that_failed_says_that_nobody_tells_why(place: AzurePlaceOf) -> None:
    target = place.target(1)
    place.azure.fail(f"{place.name}/blue", CRASHED)
    async with watching(target) as watcher:
        untold(place, FaultKind.STATUS, {"status": 500})
        await target.apply("blue", ONE, 1)
        await watcher.until(lambda: "gives no answer why" in watcher.slots["blue"].why if watcher.slots else False)
        assert {one.state for one in watcher.slots["blue"].replicas} == {ReplicaState.DEAD}

"""The way back in Azure ML, where no call has a precondition: what hangs, what lands late, who died in between."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.errors import Refused, Unreachable
from core.domain.model import Observation, ReplicaState
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.credentials import AzureLogin
from core.targets.azureml.operations import OperationBook
from core.targets.azureml.worker import ChangeThread, Urgency
from core.targets.azureml.workspace import DEPLOYMENT_API, ENDPOINT_API
from tests.azure.calls import SeenCall
from tests.azure.datastores import Credentials
from tests.azure.faults import CRASHED, NO_IMAGE
from tests.azure.standin import AzureStandIn
from tests.kubernetes.faults import FaultKind
from tests.targets.azureml_places import AzurePlaceOf
from tests.targets.helpers import ONE, TWO, Watcher, two_slots, watching

SHORT_S, HANGS_S = 3.0, 6.0
"""How long a call is waited for where one hangs, and how long it does."""


@pytest.fixture
async def hasty(azure: AzureStandIn, tmp_path: Path) -> AsyncIterator[AzurePlaceOf]:
    """An endpoint whose calls are not waited for as long as one hangs."""
    place = AzurePlaceOf(azure, tmp_path, call_s=SHORT_S)
    yield place
    azure.take_back()
    await place.close()


def hang(place: AzurePlaceOf, path: str) -> None:
    """The next change at a path is answered by nobody, and lands later."""
    place.azure.fault(FaultKind.HANG, "PUT", f"/onlineEndpoints/{place.name}{path}\\?", seconds=HANGS_S, times=1)


def lose(place: AzurePlaceOf, path: str) -> None:
    """The next change at a path is answered by nobody; it lands when the test says so."""
    place.azure.fault(FaultKind.DROP, "PUT", f"/onlineEndpoints/{place.name}{path}\\?", times=1)


def land(place: AzurePlaceOf, weights: dict[str, float] | None = None) -> None:
    """A change that was lost lands now, as it was sent: the one that asked for this traffic, else green."""
    at = place.at
    green = at.deployment("green")
    (lost,) = [
        one
        for one in place.azure.front.dropped
        if (one.path.lower() == green.lower() if weights is None else _asked_for(one) == weights)
        and one.path.lower().startswith(at.path.lower())
    ]
    calls = AzureCalls(at.place, AzureLogin(at.place, place.token), at.ca)
    calls.ask("PUT", lost.path, ENDPOINT_API if weights else DEPLOYMENT_API, lost.body)
    calls.close()


def traffic(place: AzurePlaceOf) -> dict[str, int]:
    """What requests follow, by the stand-in itself."""
    return place.azure.do(lambda: dict(place.azure.endpoint(place.name).traffic))


def deployments(place: AzurePlaceOf) -> dict[str, str]:
    """Which there are, with their states."""
    held = place.azure.do(lambda: dict(place.azure.endpoint(place.name).deployments))
    return {name: one.state for name, one in held.items()}


def failures(watcher: Watcher) -> dict[str, str]:
    """Why each attempt was given up, as far as was told."""
    return {one.given_up: one.why for one in watcher.reports if isinstance(one, Observation) and one.given_up}


async def until(true: Callable[[], bool]) -> None:
    """Until the stand-in has it so; it is asked from here."""

    def waits() -> None:
        until_s = time.monotonic() + 20
        while not true():
            assert time.monotonic() < until_s
            time.sleep(0.05)

    await asyncio.to_thread(waits)


async def at_rest(place: AzurePlaceOf, watcher: Watcher, wanted: dict[str, int]) -> None:
    """Until requests follow what is wanted and nothing is under way."""
    book = OperationBook(place.at.folder, place.at.name)
    await until(lambda: traffic(place) == wanted and not any(one.address for one in book.operations()))
    for slot in ("blue", "green"):
        await watcher.weight(slot, float(wanted.get(slot, 0)))


async def test_the_way_back_holds_whatever_a_call_that_hung_comes_to(hasty: AzurePlaceOf) -> None:
    target = hasty.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        hang(hasty, "")
        with pytest.raises(Unreachable, match="no answer from"):
            await target.route({"blue": 90, "green": 10})
        before = len(hasty.azure.seen)
        await target.route({"blue": 100})
        await until(lambda: any(_moves(one, 10) for one in list(hasty.azure.seen)[before:]))
        await at_rest(hasty, watcher, {"blue": 100})


def _asked_for(call: SeenCall) -> dict[str, float]:
    """The traffic that a call asks for."""
    asked = (call.body or {}).get("properties") or {}
    return asked.get("traffic") or {}


def _moves(call: SeenCall, green: int) -> bool:
    """Whether a call brings green this share."""
    return call.method == "PUT" and _asked_for(call).get("green") == green


async def test_traffic_that_lands_after_the_way_back_is_put_back_and_said(place: AzurePlaceOf) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        lose(place, "")
        with pytest.raises(Unreachable, match="no answer from"):
            await target.route({"blue": 90, "green": 10})
        await target.route({"blue": 100})
        await at_rest(place, watcher, {"blue": 100})
        land(place, {"blue": 90, "green": 10})
        note = await watcher.noted("has landed late (blue 90 %, green 10 %); it is put back to blue 100 %")
        assert note.source == "azureml"
        await at_rest(place, watcher, {"blue": 100})


async def test_whoever_follows_a_driver_that_died_puts_its_late_traffic_back(place: AzurePlaceOf) -> None:
    old = place.target(1)
    async with watching(old) as watcher:
        await two_slots(old, watcher, 1)
        lose(place, "")
        with pytest.raises(Unreachable):
            await old.route({"green": 100})
    await old.close()
    new = place.target(2)
    async with watching(new) as watcher:
        await new.route({"blue": 100})
        await at_rest(place, watcher, {"blue": 100})
        land(place, {"green": 100})
        await watcher.noted("has landed late (green 100 %); it is put back to blue 100 %")
        await at_rest(place, watcher, {"blue": 100})


async def test_a_deployment_that_lands_after_it_was_removed_is_removed_again(place: AzurePlaceOf) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        lose(place, "/deployments/green")
        with pytest.raises(Unreachable):
            await target.apply("green", TWO, 1)
        await target.remove("green")
        land(place)
        await watcher.noted("green: a deployment that nobody had answered for has landed late; it is removed")
        await until(lambda: "green" not in deployments(place))


async def test_traffic_goes_back_while_a_deployment_is_still_made(place: AzurePlaceOf) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await target.route({"blue": 50, "green": 50})
        await watcher.weight("green", 50)
        place.azure.delays.deployment_s = 8.0
        await target.apply("red", ONE, 1)
        await target.route({"blue": 100})
        await watcher.weight("green", 0)
        assert deployments(place)["red"] == "Creating"
        await watcher.until(lambda: watcher.slots["red"].why.startswith("Creating "))
        assert "usually" in watcher.slots["red"].why
        assert watcher.slots["red"].why.endswith("; image, VMs, container")


async def test_what_a_process_began_is_followed_by_the_next(place: AzurePlaceOf) -> None:
    old, book = place.target(1), OperationBook(place.at.folder, place.at.name)
    async with watching(old) as watcher:
        await old.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await until(lambda: not book.operations())
    place.azure.delays.deployment_s = 1.5
    await old.apply("green", TWO, 1)
    await old.close()
    assert [(one.doing, one.slot, bool(one.address)) for one in book.operations()] == [("deploy", "green", True)]
    async with watching(place.target(2)) as watcher:
        note = await watcher.noted("green is being deployed: for")
        assert "usually" in note.text
        await watcher.ready("green", 1, TWO)
        await watcher.noted("green is deployed after")
    assert book.operations() == ()
    assert (book.usual_s("deploy") or 0) > 0


@pytest.mark.parametrize("credentials", ["AccountKey", "Sas", "None"])
async def test_an_image_that_cannot_be_built_says_the_end_of_its_log(
    place: AzurePlaceOf, credentials: Credentials
) -> None:
    """By whatever right the store is read; a password in an address of packages is left out."""
    target = place.target(1)
    place.azure.datastores.credentials = credentials
    long = (
        "Collecting a package\n" * 2000 + "Looking in indexes: https://me:hunter2@pypi.example\n" + NO_IMAGE.build_log
    )
    place.azure.fail(f"{place.name}/blue", replace(NO_IMAGE, build_log=long))
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        note = await watcher.noted("the image could not be built; its log is in the blob store storageaccount1")
    assert note.text.endswith(
        "it wrote last: Looking in indexes: https://pypi.example | Collecting flights==99 | "
        "ERROR: No matching distribution found for flights==99"
    )


async def test_a_container_that_crashes_says_its_last_line(place: AzurePlaceOf) -> None:
    target = place.target(1)
    place.azure.fail(f"{place.name}/blue", CRASHED)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        note = await watcher.noted("the container crashed or never got ready")
        assert "it wrote last: Worker failed to boot." in note.text
        await watcher.until(lambda: watcher.state("blue-1") is ReplicaState.DEAD)
        assert watcher.slots["blue"].ready == 0
        await watcher.until(lambda: "crashed" in watcher.slots["blue"].why)
        logs = target.logs("blue", lines=3)
        assert await anext(logs) == "    import flights"
        assert await anext(logs) == "ModuleNotFoundError: No module named 'flights'"


async def test_a_deployment_that_failed_is_given_up_with_its_reason_until_it_is_asked_for_anew(
    place: AzurePlaceOf,
) -> None:
    target = place.target(1)
    place.azure.fail(f"{place.name}/blue", CRASHED)
    async with watching(target) as watcher:
        for attempt in (1, 2):
            # The log is read for longer than an operation may be silent.
            place.azure.fault(FaultKind.HANG, "POST", "getLogs", seconds=SHORT_S, times=attempt - 1)
            await target.apply("blue", ONE, 1)
            await watcher.until(lambda attempt=attempt: len(failures(watcher)) == attempt)  # type: ignore[misc]
        assert all("it wrote last: Worker failed to boot." in why for why in failures(watcher).values())
        place.azure.take_back()
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        assert not watcher.slots["blue"].given_up


async def test_a_deployment_that_waits_for_its_endpoint_is_not_sent_once_it_is_unwanted(place: AzurePlaceOf) -> None:
    place.azure.delays.settling_s = 2.0
    target = place.target(1)
    async with watching(target) as watcher:
        asking = asyncio.create_task(target.apply("blue", ONE, 1))
        await watcher.noted("the endpoint is as it was asked for")
        asking.cancel()
        await target.remove("blue")
        await target.apply("green", TWO, 1)
        await watcher.ready("green", 1)
        assert set(deployments(place)) == {"green"}


async def test_a_new_endpoint_that_is_not_ready_yet_is_waited_for(place: AzurePlaceOf) -> None:
    place.azure.delays.settling_s = 1.0
    target = place.target(1)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)


async def test_traffic_counts_once_it_is_seen_and_a_new_deployment_resets_none(place: AzurePlaceOf) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        place.azure.delays.shown_s = 1.0
        await target.route({"blue": 80, "green": 20})
        assert (await watcher.weight("green", 20)).proved_by >= 20
        await target.apply("red", TWO, 1)
        await watcher.ready("red", 1)
        assert traffic(place) == {"blue": 80, "green": 20}


async def test_what_else_changed_traffic_is_left_as_it_is(place: AzurePlaceOf) -> None:
    target = place.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        other = place.target(2)
        await other.route({"green": 100})
        await watcher.weight("green", 100)
        with pytest.raises(Refused, match="driver 2 has followed"):
            await target.route({"blue": 100})


def test_traffic_is_the_next_call_after_the_one_in_flight() -> None:
    worker = ChangeThread("late")
    begun, go, order = threading.Event(), threading.Event(), []

    def first() -> None:
        begun.set()
        assert go.wait(10)
        order.append("in flight")

    def ask(urgency: Urgency, name: str) -> threading.Thread:
        thread = threading.Thread(target=lambda: worker.do(urgency, lambda: order.append(name)))
        thread.start()
        return thread

    threads = [threading.Thread(target=lambda: worker.do(Urgency.REST, first))]
    threads[0].start()
    assert begun.wait(10)
    for count, (urgency, name) in enumerate(
        [(Urgency.REST, "deploy"), (Urgency.REST, "remove"), (Urgency.TRAFFIC, "back")], 1
    ):
        threads.append(ask(urgency, name))
        while len(worker._waiting) < count:
            begun.wait(0)
    go.set()
    for thread in threads:
        thread.join(10)
    assert order == ["in flight", "back", "deploy", "remove"]
    worker.close()
    with pytest.raises(Refused, match="closed"):
        worker.do(Urgency.REST, lambda: None)

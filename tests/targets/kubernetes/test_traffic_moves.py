"""Traffic moves by one patch; what lands late, or from a driver that was followed, moves nothing."""

import asyncio
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from core.domain.errors import BadInput, Refused, Unreachable
from core.targets.kubernetes.labels import SLOT
from core.targets.kubernetes.lease_holder import TOKEN
from core.targets.kubernetes.paths import AUTOSCALERS, DEPLOYMENTS, LEASES, SERVICES, ApiKind
from tests.kubernetes.faults import FaultKind
from tests.kubernetes.kinds import Json, resource
from tests.kubernetes.waiting import until
from tests.targets.helpers import ONE, TWO, Watcher, two_slots, watching
from tests.targets.kubernetes.conftest import MakePlace
from tests.targets.kubernetes.places import ClusterPlace


def _object(place: ClusterPlace, kind: ApiKind, name: str) -> Json:
    group = kind.root.split("/")[1] if kind.root.startswith("apis/") else ""
    of = resource(f"{kind.plural}.{group}" if group else kind.plural)
    return place.cluster.do(lambda: place.cluster.registry.read(of, place.namespace, name))


def _selected(place: ClusterPlace) -> str:
    """The slot that the Service leads to; empty: all of them."""
    return str(_object(place, SERVICES, "late")["spec"]["selector"].get(SLOT, ""))


async def test_a_route_that_lands_after_the_next_one_is_refused(place_of: MakePlace) -> None:
    place = place_of("selector")
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        fault = place.cluster.fault(FaultKind.HANG, "PATCH", "services/late", seconds=1, times=1)
        late = asyncio.create_task(target.route({"green": 100}))
        await asyncio.to_thread(until, lambda: fault.met, "the call")
        await target.route({"blue": 100})
        with pytest.raises(Refused, match="asked to go elsewhere meanwhile"):
            await late
        assert _selected(place) == "blue"


async def test_a_route_of_a_driver_that_was_followed_lands_nowhere(place_of: MakePlace) -> None:
    place = place_of("selector")
    old, new = place.target(1), place.target(2)
    async with watching(new) as watcher:
        await two_slots(old, watcher, 1)
        fault = place.cluster.fault(FaultKind.HANG, "PATCH", "services/late", seconds=1, times=1)
        late = asyncio.create_task(old.route({"green": 100}))
        await asyncio.to_thread(until, lambda: fault.met, "the call")
        await new.route({"blue": 100})
        with pytest.raises(Refused, match="driver 2 has followed this one, which changes nothing any more"):
            await late
        with pytest.raises(Refused, match="driver 2 has followed this one"):
            await old.route({"green": 100})
        assert _selected(place) == "blue"


async def test_a_second_machine_takes_over_and_the_first_is_told(place_of: MakePlace, tmp_path: Path) -> None:
    place = place_of("selector")
    first, second = place.target(7), place.target(1, tmp_path / "elsewhere")
    async with watching(first) as watcher, watching(second) as other:
        await two_slots(first, watcher, 1)
        await other.until(other.synced)
        await second.route({"green": 100})
        await other.weight("green", 100)
        await other.noted("taken over from a driver on")
        with pytest.raises(Refused, match=r"late: taken over by a driver on .*; nothing is changed from here"):
            await first.route({"blue": 100})
    assert _object(place, LEASES, "late")["metadata"]["annotations"][TOKEN] == "1"


async def test_the_way_back_costs_two_calls_at_the_most(place_of: MakePlace) -> None:
    place = place_of("replicas")
    first, second = place.target(1), place.target(2)
    async with watching(second) as watcher:
        await two_slots(first, watcher, 1)
        await first.route({"green": 100})
        await watcher.weight("green", 100)
        asked: list[str] = []
        send = second._calls._opened

        def counted(request: object, *rest: object, **more: object) -> object:
            asked.append(str(request))
            return send(request, *rest, **more)  # type: ignore[arg-type]

        second._calls._opened = counted  # type: ignore[assignment,method-assign]
        await second.route({"blue": 100})
        moved = [one for one in asked if one.endswith(("leases/late", "services/late"))]
        assert moved == [f"kubernetes stand-in: PATCH {name}" for name in ("leases/late", "services/late")]
        await watcher.weight("blue", 100)


async def test_a_hanging_call_of_ours_does_not_hold_up_the_way_back(place_of: MakePlace) -> None:
    place = place_of("selector")
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await target.route({"green": 100})
        await watcher.weight("green", 100)
        fault = place.cluster.fault(FaultKind.HANG, "PATCH", "deployments", seconds=4, times=1)
        hanging = asyncio.create_task(target.scale("green", 2))
        await asyncio.to_thread(until, lambda: fault.met, "the call")
        async with asyncio.timeout(6):
            await target.route({"blue": 100})
            await watcher.weight("blue", 100)
        assert not hanging.done()
        await hanging


@pytest.mark.parametrize(
    ("kind", "rest"), [(FaultKind.BUSY, {"seconds": 1}), (FaultKind.STATUS, {"status": 503}), (FaultKind.DROP, {})]
)
async def test_a_server_in_trouble_is_unreachable_and_asked_again(
    place_of: MakePlace, kind: FaultKind, rest: dict[str, int]
) -> None:
    place = place_of("selector")
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        place.cluster.fault(kind, "PATCH", "services/late", times=1, **rest)
        with pytest.raises(Unreachable):
            await target.route({"green": 100})
        await target.route({"green": 100})
        await watcher.weight("green", 100)


async def test_an_answer_that_was_lost_is_no_harm(place_of: MakePlace) -> None:
    place = place_of("selector")
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        place.cluster.fault(FaultKind.LOSE, "PATCH", "services/late", times=1)
        with pytest.raises(Unreachable):
            await target.route({"green": 100})
        await watcher.weight("green", 100)
        await target.route({"blue": 100})
        await watcher.weight("blue", 100)


async def test_a_server_that_starts_again_is_watched_again(place_of: MakePlace) -> None:
    place = place_of("selector")
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        place.cluster.run(place.cluster.restart(forget=True))
        await target.route({"green": 100})
        await watcher.weight("green", 100)
        await target.scale("green", 2)
        await watcher.ready("green", 2)


async def test_pods_are_shares_only_for_as_long_as_there_are_two_and_autoscalers_keep_off(place_of: MakePlace) -> None:
    scaling = {"min": 1, "max": 10, "cpu": 60}
    place = place_of("replicas", endpoint={"replicas": 1, "autoscaling": scaling})
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await target.route({"blue": 75, "green": 25})
        assert (await watcher.weight("green", 25)).wanted == 1
        assert _selected(place) == ""
        held = {slot: _object(place, AUTOSCALERS, f"late-{slot}")["spec"] for slot in ("blue", "green")}
        assert [(one["minReplicas"], one["maxReplicas"]) for one in held.values()] == [(3, 3), (1, 1)]
        assert watcher.slots["blue"].wanted == 1
        await target.route({"green": 100})
        await watcher.weight("green", 100)
        await watcher.ready("blue", 1)
        await watcher.until(lambda: len(watcher.slots["blue"].replicas) == 1)
    for slot in ("blue", "green"):
        spec = _object(place, AUTOSCALERS, f"late-{slot}")["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 10)
        assert _object(place, DEPLOYMENTS, f"late-{slot}")["spec"]["replicas"] == 1


async def test_pods_for_a_share_are_asked_for_again_where_nobody_answered(place_of: MakePlace) -> None:
    place = place_of("replicas")
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        fault = place.cluster.fault(FaultKind.STATUS, "PATCH", "deployments/.*/scale", status=503, times=2)
        await target.route({"blue": 75, "green": 25})
        await watcher.noted("answers 503")
        await watcher.weight("green", 25)
        assert fault.met == 2


async def test_a_share_that_pods_can_not_come_near_is_refused_before_anything_changes(place_of: MakePlace) -> None:
    scaling = {"min": 1, "max": 3, "cpu": 60}
    place = place_of("replicas", endpoint={"replicas": 1, "autoscaling": scaling})
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        with pytest.raises(BadInput, match="5 % for green: with 3 pods the nearest share is 28 points off"):
            await target.route({"blue": 95, "green": 5})
        assert _selected(place) == "blue"


async def test_a_share_keeps_what_a_larger_one_will_need(place_of: MakePlace) -> None:
    place = place_of("replicas")
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 2)
        await target.route({"blue": 50, "green": 50})
        assert (await watcher.weight("green", 50)).ready == 1
        await target.apply("green", TWO, 2)
        await watcher.until(lambda: _ready(watcher, "green") == _ready(watcher, "blue") == 2)
        await watcher.weight("green", 50)
        await target.route({"green": 100})
        await watcher.weight("green", 100)
        await watcher.ready("green", 2)


def _ready(watcher: Watcher, slot: str) -> int:
    return watcher.slots[slot].ready


@contextmanager
def _kept_connection(url: str) -> Iterator[list[str]]:
    """A caller who asks again and again on one connection; the versions that answered."""
    parts, answers, over = urlsplit(url), [], threading.Event()

    def ask() -> None:
        line = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
        while not over.wait(0.02):
            line.request("GET", "/predict")
            answer = line.getresponse()
            answer.read()
            answers.append(answer.headers["x-model-version"])
        line.close()

    thread = threading.Thread(target=ask, name="caller")
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join(20)


async def test_traffic_is_not_proved_while_callers_on_old_connections_get_other_answers(place_of: MakePlace) -> None:
    place = place_of("selector")
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        with _kept_connection(place.cluster.service_address(place.namespace, "late")) as answers:
            await asyncio.to_thread(until, lambda: answers, "an answer")
            await target.route({"green": 100})
            await watcher.until(lambda: "connections that they keep" in watcher.slots["green"].why)
            assert watcher.slots["green"].proved_by == 0
            assert set(answers) == {"1"}
        assert (await watcher.weight("green", 100)).proved_by >= 20


async def test_a_second_version_of_the_first_is_told_by_number(place_of: MakePlace) -> None:
    place = place_of("selector")
    target = place.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await target.route({"blue": 100})
        seen = await watcher.weight("blue", 100)
        assert (seen.version, seen.proved_by >= 20) == (ONE, True)

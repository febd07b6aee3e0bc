"""A port that is set otherwise is the one that callers come by, and is not put beside the one before."""

import pytest

from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.manifests import service, slot_service
from core.targets.kubernetes.paths import SERVICES
from core.targets.kubernetes.service_ports import moved_port, port_of
from core.targets.kubernetes.settings import ClusterServiceSettings
from core.targets.kubernetes.standing import lines_of, looked_at
from core.targets.kubernetes.traffic import traffic_of
from tests.kubernetes.caller import Caller
from tests.kubernetes.kinds import Json
from tests.targets.helpers import ONE, TWO, watching
from tests.targets.kubernetes.conftest import MakePlace
from tests.targets.kubernetes.places import ClusterPlace


def _with_port(place: ClusterPlace, port: int) -> ClusterEndpoint:
    at = place.at
    settings = at.place.model_copy(update={"service": ClusterServiceSettings(type="NodePort", port=port)})
    place.at = ClusterEndpoint(at.name, at.called, at.endpoint, settings)
    return place.at


async def test_the_next_version_moves_the_port_and_no_traffic(place_of: MakePlace) -> None:
    place = place_of("selector")
    _with_port(place, 80)
    target = place.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await target.route({"blue": 100})
        await watcher.weight("blue", 100)
    before = place.calls.ask("GET", SERVICES.path(place.namespace, "late"))

    at = _with_port(place, 8081)
    caller = Caller(place.cluster, place.namespace)
    refused = caller.apply("services", service(at, ["blue"]), dryRun="All")
    assert 'Duplicate value: "http"' in refused.json()["message"]
    caller.client.close()
    settings = [line for line in lines_of(at, looked_at(at, place.calls)) if line.startswith("settings")]
    assert settings == ["settings the Service has port 80, not 8081; the next version moves it"]

    await place.target().apply("green", TWO, 1)
    after = place.calls.ask("GET", SERVICES.path(place.namespace, "late"))
    assert after["spec"]["ports"] == [{**before["spec"]["ports"][0], "port": 8081}]
    assert traffic_of(at, after).weights == traffic_of(at, before).weights == {"blue": 100.0}
    assert not [line for line in lines_of(at, looked_at(at, place.calls)) if line.startswith("settings")]


THEIRS = {"name": "metrics", "port": 9000, "targetPort": 9000, "protocol": "TCP"}
OURS = {"name": "http", "targetPort": "http", "protocol": "TCP"}


@pytest.mark.parametrize(
    ("ports", "left"),
    [
        ([{**OURS, "port": 8081}], None),
        ([{**OURS, "port": 80, "nodePort": 30080}], [{**OURS, "port": 8081, "nodePort": 30080}]),
        ([THEIRS, {**OURS, "port": 80}], [{**OURS, "port": 8081}, THEIRS]),
        ([{**OURS, "port": 80}, {**OURS, "port": 8081}], [{**OURS, "port": 8081}]),
        ([{**OURS, "port": 80}, {**THEIRS, "port": 8081}], [{**OURS, "port": 8081}]),
        ([], [{**OURS, "port": 8081}]),
    ],
)
def test_the_wanted_port_alone_is_ours_and_what_others_added_stays(ports: list[Json], left: list[Json] | None) -> None:
    patch = moved_port({"spec": {"ports": ports}}, 8081)
    assert patch == (None if left is None else {"spec": {"ports": left}})


def test_behind_a_gateway_a_slots_port_is_nobodys_setting(place_of: MakePlace) -> None:
    place = place_of("gateway")
    ports = [port_of(slot_service(_with_port(place, port), "blue")) for port in (80, 8081)]
    assert ports == [80, 80]

"""Where an endpoint in a cluster answers: at its own address, or through the API server where it has none out here."""

import asyncio

from core.domain.errors import QuarterdeckError, Refused, Unreachable
from core.domain.model import Slot
from core.system.aside import aside
from core.targets.kubernetes.api_errors import ApiMissing, Json, kubectl
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.forwarding import ApiForwarder
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.paths import GATEWAYS, SERVICES
from core.targets.kubernetes.proving import through, through_service
from core.targets.kubernetes.service_ports import port_of
from core.targets.loopback import LoopbackServer
from core.targets.protocol import Address
from core.targets.proving import Asker

LOOK_S = 3.0


def answerer(at: ClusterEndpoint, calls: ApiCalls) -> Asker:
    """How one answer is asked for that goes the way of everybody's requests."""
    gateway = at.place.gateway
    if at.place.traffic != "gateway" or gateway is None:
        return through_service(calls, at)
    known: list[str] = []

    def ask() -> str:
        if not known:
            known.append(gateway_url(at, calls))
        try:
            return through(known[0], gateway.host)()
        except Unreachable:
            # It may have moved.
            known.clear()
            raise

    return ask


def gateway_url(at: ClusterEndpoint, calls: ApiCalls) -> str:
    """Where the gateway of an endpoint answers; raises Unreachable while it has no address."""
    gateway = at.place.gateway
    if gateway is None:
        raise Unreachable("kubernetes.gateway is not set")
    try:
        body = calls.ask("GET", GATEWAYS.path(gateway.namespace, gateway.name))
    except QuarterdeckError as error:
        raise Unreachable(str(error)) from error
    return _url_in(body, f"the gateway {gateway.namespace}/{gateway.name}")


def gateway_lacks(at: ClusterEndpoint, calls: ApiCalls) -> str:
    """What a gateway that is to split the traffic lacks, and what to do; empty where none is to, or it lacks nothing.

    Raises Refused where it may not be seen, Unreachable where nobody answers.
    """
    gateway = at.place.gateway
    if at.place.traffic != "gateway" or gateway is None:
        return ""
    what = f"{gateway.name} in {gateway.namespace}"
    try:
        body = calls.ask("GET", GATEWAYS.path(gateway.namespace, gateway.name), timeout_s=LOOK_S)
    except ApiMissing:
        return f"there is no Gateway {what}; have it made, or kubernetes.traffic: replicas"
    try:
        _url_in(body, f"the Gateway {what}")
    except Unreachable as error:
        look = f"{kubectl(at.place.context)} -n {gateway.namespace} describe gateway {gateway.name}"
        return f"{error}, so that nobody could prove where traffic goes; see {look}"
    return ""


def _url_in(body: Json, named: str) -> str:
    addresses = (body.get("status") or {}).get("addresses") or ()
    listeners = [one for one in body["spec"].get("listeners") or () if one.get("protocol") == "HTTP"]
    if not addresses or not listeners:
        missing = "address yet" if not addresses else "listener for HTTP"
        raise Unreachable(f"{named} has no {missing}")
    return f"http://{addresses[0]['value']}:{listeners[0]['port']}"


def external_url(service: Json) -> str:
    """The address that a load balancer gave a Service; empty where there is none yet."""
    for one in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
        if found := one.get("hostname") or one.get("ip"):
            host = f"[{found}]" if ":" in found else found
            port = port_of(service)
            return f"http://{host}" if port == 80 else f"http://{host}:{port}"
    return ""


class Reach:
    """The addresses of one target. A server on loopback opens with the first who needs it, and ends with it."""

    def __init__(self, at: ClusterEndpoint, calls: ApiCalls, changes: ObjectChanges, key: str) -> None:
        self._at = at
        self._calls = calls
        self._changes = changes
        self._key = key
        self._loopback: LoopbackServer | None = None
        self._opening = asyncio.Lock()

    async def address(self, slot: Slot | None) -> Address:
        """Where everybody's requests go, or one slot's alone; raises Refused while there is no such place."""
        if slot is not None:
            server = await self._forwarded()
            return Address(server.url, server.pin(slot), self._key)
        if self._at.place.traffic == "gateway":
            return Address(await aside(self._gateway, "kubernetes address"), {}, self._key)
        service = await aside(lambda: self._changes.owned(SERVICES, self._at.name), "kubernetes address")
        if service is None:
            raise Refused(f"{self._at.called} has no address yet; deploy a model first")
        if self._at.place.service.type != "LoadBalancer":
            return Address((await self._forwarded()).url, {}, self._key)
        if url := external_url(service):
            return Address(url, {}, self._key)
        raise Refused(f"{self._at.called} has no address yet: the cluster's load balancer has given it none so far")

    async def close(self) -> None:
        """Nobody is led anywhere any more."""
        if self._loopback is not None:
            await self._loopback.close()

    def _gateway(self) -> str:
        try:
            return gateway_url(self._at, self._calls)
        except Unreachable as error:
            raise Refused(str(error)) from error

    async def _forwarded(self) -> LoopbackServer:
        async with self._opening:
            if self._loopback is None:
                made = LoopbackServer(ApiForwarder(self._at, self._calls).pass_on)
                await made.open(f"{self._at.place.context} {self._at.place.namespace} {self._at.name}")
                self._loopback = made
        return self._loopback

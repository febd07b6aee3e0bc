"""What carries traffic: a Service's real ports on loopback, and the Gateway's.

A Service hands on connections, each to a ready endpoint by chance, as kube-proxy does. A Gateway hands on requests, by
the weights of the HTTPRoute behind it, and copies them where the route says so.
"""

import asyncio
import random
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.kubernetes.controllers.endpoints import NAME_LABEL
from tests.kubernetes.errors import ApiError
from tests.kubernetes.kinds import GATEWAY_GROUP, Json, resource
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.registry import Registry
from tests.kubernetes.storage import Key, StoreChange
from tests.ports import free_port

SERVICES, SLICES = resource("services"), resource("endpointslices.discovery.k8s.io")
ROUTES, GATEWAYS = resource(f"httproutes.{GATEWAY_GROUP}"), resource(f"gateways.{GATEWAY_GROUP}")
CHUNK = 65536
_HOP = {"host", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length"}


@dataclass(slots=True)
class DataPlane:
    """Listens for what the Services and Gateways of the cluster say.

    With `balancers`, a Service of type LoadBalancer gets 127.0.0.1 as its address and listens on its own port there.
    """

    registry: Registry
    kubelet: Kubelet
    balancers: bool = False
    troubles: list[BaseException] = field(default_factory=list)
    ports: dict[tuple[Key, int], int] = field(default_factory=dict)
    gateways: dict[Key, int] = field(default_factory=dict)
    _servers: dict[object, asyncio.Server] = field(default_factory=dict)
    _runners: dict[Key, web.ServerRunner] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _client: aiohttp.ClientSession | None = None
    _looks: asyncio.Lock = field(default_factory=asyncio.Lock)

    def told(self, change: StoreChange) -> None:
        """A Service or a Gateway changed: listen as it says."""
        if change.store in {SERVICES.store, GATEWAYS.store}:
            self._begin(self._follow(change.store, change.key))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.troubles.append(error)

    async def _follow(self, store: str, key: Key) -> None:
        async with self._looks:
            body = self.registry.store.get(store, key)
            if store == GATEWAYS.store:
                await self._gateway(key, body)
            elif body is None:
                self._leave(key)
            else:
                await self._service(key, body)

    def _leave(self, key: Key, ports: Sequence[Json] = ()) -> None:
        """Listen no more at what a Service does not have among its ports any more."""
        kept = {one.get(name) for one in ports for name in ("port", "nodePort")}
        for name in [one for one in self._servers if isinstance(one, tuple) and one[0] == key and one[-1] not in kept]:
            self._servers.pop(name).close()
        self.ports = {at: port for at, port in self.ports.items() if at[0] != key or at[1] in kept}

    async def _service(self, key: Key, body: Json) -> None:
        spec = body["spec"]
        self._leave(key, spec.get("ports") or ())
        for port in spec.get("ports") or ():
            number = port["port"]
            if (key, number) not in self.ports:
                at = port.get("nodePort") or free_port()
                await self._listen((key, number), at, key, number)
                self.ports[key, number] = at
            elif port.get("nodePort") and self.ports[key, number] != port["nodePort"]:
                await self._listen((key, port["nodePort"]), port["nodePort"], key, number)
            if self.balancers and spec.get("type") == "LoadBalancer" and (key, "own", number) not in self._servers:
                # The well-known ports are not everybody's to listen at; at any other callers would come to a stranger.
                with suppress(OSError) if number < 1024 else nullcontext():
                    await self._listen((key, "own", number), number, key, number)
        if self.balancers and spec.get("type") == "LoadBalancer" and not body["status"]["loadBalancer"]:
            self.registry.status(SERVICES, body, {"loadBalancer": {"ingress": [{"ip": "127.0.0.1", "ipMode": "VIP"}]}})

    async def _listen(self, name: object, at: int, key: Key, port: int) -> None:
        # A task that nobody holds may be collected while both ends of its connection are idle.
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._begin(self._spliced(reader, writer, key, port))

        self._servers[name] = await asyncio.start_server(accept, "127.0.0.1", at)

    def endpoints(self, key: Key, port: int) -> list[int]:
        """The real ports of the ready endpoints behind a Service's port."""
        service = self.registry.store.get(SERVICES.store, key)
        names = [
            one.get("name", "") for one in (service or {"spec": {}})["spec"].get("ports") or () if one["port"] == port
        ]
        return [at for name in names[:1] for at in self._ready(key, name)]

    def _ready(self, key: Key, name: str) -> Iterator[int]:
        for one in self.registry.store.items(SLICES.store, key[0]):
            if (one["metadata"].get("labels") or {}).get(NAME_LABEL) != key[1]:
                continue
            numbers = [port["port"] for port in one["ports"] or () if port["name"] == name]
            for point in one["endpoints"] or ():
                if point["conditions"]["ready"] and numbers:
                    at = self.kubelet.port_of(point["addresses"][0], numbers[0])
                    if at:
                        yield at

    async def _spliced(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: Key, port: int) -> None:
        """One connection, to one endpoint; refused where none is ready."""
        found = self.endpoints(key, port)
        try:
            if not found:
                writer.transport.abort()
                return
            behind, onward = await asyncio.open_connection("127.0.0.1", random.choice(found))
        except OSError:
            writer.transport.abort()
            return
        ways = [asyncio.create_task(_copy(reader, onward)), asyncio.create_task(_copy(behind, writer))]
        try:
            await asyncio.gather(*ways)
        finally:
            for one in ways:
                one.cancel()
            for end in (onward, writer):
                end.close()

    async def _gateway(self, key: Key, body: Json | None) -> None:
        if body is None:
            runner = self._runners.pop(key, None)
            self.gateways.pop(key, None)
            if runner is not None:
                await runner.cleanup()
            return
        if key not in self._runners:

            async def answer(request: web.BaseRequest) -> web.StreamResponse:
                return await self._routed(request, key)

            runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=1)
            await runner.setup()
            wanted = next((one["port"] for one in body["spec"].get("listeners") or ()), 0)
            port = wanted if wanted >= 1024 else free_port()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            self._runners[key], self.gateways[key] = runner, port
        accepted = {"type": "Programmed", "status": "True", "reason": "Programmed", "message": ""}
        addresses = [{"type": "IPAddress", "value": "127.0.0.1"}]
        status = {
            "addresses": addresses,
            "conditions": [{**accepted, "lastTransitionTime": body["metadata"]["creationTimestamp"]}],
        }
        self.registry.status(GATEWAYS, body, status)

    async def _routed(self, request: web.BaseRequest, gateway: Key) -> web.StreamResponse:
        rule, namespace = self._rule(request, gateway)
        backends = [one for one in (rule or {}).get("backendRefs") or () if one.get("weight", 1) > 0]
        if rule is None:
            return web.Response(status=404)
        if not backends:
            return web.Response(status=500)
        chosen = random.choices(backends, [one.get("weight", 1) for one in backends])[0]
        body = await request.read()
        for one in rule.get("filters") or ():
            if one["type"] == "RequestMirror" and random.random() * 100 < one["requestMirror"].get("percent", 100):
                self._begin(self._mirrored(request, body, one["requestMirror"]["backendRef"], namespace))
        found = self.endpoints((chosen.get("namespace", namespace), chosen["name"]), chosen["port"])
        if not found:
            return web.Response(status=503, text="no healthy upstream")
        return await handed_on(self.client, request, random.choice(found), request.path_qs, body)

    async def _mirrored(self, request: web.BaseRequest, body: bytes, backend: Json, namespace: str) -> None:
        found = self.endpoints((backend.get("namespace", namespace), backend["name"]), backend["port"])
        if found:
            await handed_on(self.client, request, random.choice(found), request.path_qs, body)

    def _rule(self, request: web.BaseRequest, gateway: Key) -> tuple[Json | None, str]:
        for route in self.registry.store.items(ROUTES.store):
            namespace = route["metadata"]["namespace"]
            parents = [(one.get("namespace", namespace), one["name"]) for one in route["spec"].get("parentRefs") or ()]
            hosts = route["spec"].get("hostnames") or ()
            if gateway not in parents or (hosts and request.host.split(":")[0] not in hosts):
                continue
            for rule in route["spec"].get("rules") or ():
                if not rule.get("matches") or any(_matches(request, one) for one in rule["matches"]):
                    return rule, namespace
        return None, ""

    @property
    def client(self) -> aiohttp.ClientSession:
        """For requests handed on."""
        if self._client is None:
            self._client = aiohttp.ClientSession(auto_decompress=False)
        return self._client

    async def stop(self) -> None:
        """Listen no more."""
        for server in self._servers.values():
            server.close()
        for one in (*self._tasks,):
            one.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for runner in self._runners.values():
            await runner.cleanup()
        if self._client is not None:
            await self._client.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _matches(request: web.BaseRequest, match: Json) -> bool:
    path = match.get("path") or {"type": "PathPrefix", "value": "/"}
    prefix = path.get("type", "PathPrefix") == "PathPrefix"
    value = path.get("value", "/")
    fits = request.path.startswith(value) if prefix else request.path == value
    headers = match.get("headers") or ()
    return fits and all(request.headers.get(one["name"]) == one["value"] for one in headers)


async def handed_on(
    client: aiohttp.ClientSession, request: web.BaseRequest, port: int, path: str, body: bytes
) -> web.Response:
    """The answer of what listens on a port; 503 where it does not."""
    headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP | {"authorization"}]
    url = f"http://127.0.0.1:{port}{path}"
    try:
        async with client.request(
            request.method, url, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP]
            return web.Response(status=answer.status, body=await answer.read(), headers=dict(kept))
    except (aiohttp.ClientError, OSError) as error:
        message = f"error trying to reach service: {error}"
        return web.json_response(ApiError(503, "ServiceUnavailable", message).body(), status=503)

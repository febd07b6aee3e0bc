"""The whole stand-in as one object: started on a port of loopback, told what to do, stopped."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from aiohttp import web

from tests.kubernetes import admin
from tests.kubernetes.access import ALL, Access
from tests.kubernetes.beyond import Beyond
from tests.kubernetes.clock import SkewedClock
from tests.kubernetes.controllers.hub import Controllers
from tests.kubernetes.dataplane import DataPlane
from tests.kubernetes.faults import ApiFault, FaultKind, Faults
from tests.kubernetes.kinds import GATEWAY_GROUP, METRICS_GROUP, Json, resource
from tests.kubernetes.metrics import MetricsApi
from tests.kubernetes.network import Addresses
from tests.kubernetes.registry import Registry
from tests.kubernetes.server import ApiServer
from tests.kubernetes.storage import ObjectStore
from tests.loop_thread import LoopThread
from tests.ports import free_port

T = TypeVar("T")
NODES = 3


class Cluster:
    """An API server with what stands behind it. All of it lives on one event loop.

    `start` and `stop` belong to that loop; from another thread use `run` and `do`, as `running` gives them.
    """

    def __init__(self) -> None:
        self.clock = SkewedClock()
        self.store = ObjectStore()
        self.access = Access()
        self.faults = Faults()
        self.addresses = Addresses()
        self.registry = Registry(self.store, self.clock, self.addresses)
        self.gateway = False
        self.token = ""
        self.controllers = Controllers(self.registry)
        self.kubelet, self.metrics = self.controllers.kubelet, self.controllers.metrics
        self.plane = DataPlane(self.registry, self.kubelet)
        beyond = Beyond(self.registry, self.kubelet, self.metrics, self.plane)
        self.server = ApiServer(self.registry, self.access, self.faults, self._served, beyond)
        self.admin = admin.Admin(self)
        self.port = 0
        self.spared: asyncio.Transport | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None
        self.renew_token()

    def _served(self, group: str) -> bool:
        if group == METRICS_GROUP:
            return self.metrics.api is not MetricsApi.ABSENT
        return self.gateway or group != GATEWAY_GROUP

    @property
    def troubles(self) -> list[BaseException]:
        """What went wrong behind the server, which no test may leave."""
        return [*self.controllers.troubles, *self.plane.troubles]

    def service_address(self, namespace: str, name: str, port: int = 80) -> str:
        """Where a Service's port really is, as a base of URLs."""
        return f"http://127.0.0.1:{self.plane.ports[(namespace, name), port]}"

    def gateway_address(self, namespace: str, name: str) -> str:
        """Where a Gateway really is."""
        return f"http://127.0.0.1:{self.plane.gateways[namespace, name]}"

    @property
    def address(self) -> str:
        """Where the API server is."""
        return f"http://127.0.0.1:{self.port}"

    def renew_token(self) -> str:
        """A new token for the administrator, whose old one is none any longer."""
        self.access.expire(self.token)
        self.token = secrets.token_urlsafe(24)
        self.access.user(self.token, "kubernetes-admin", ALL)
        return self.token

    def kubeconfig(self, folder: Path, namespace: str = "default", token: str = "") -> Path:
        """Write one that leads here, and say where it is."""
        path = folder / "kubeconfig"
        user = {"name": "admin", "user": {"token": token or self.token}}
        context = {"name": "stand-in", "context": {"cluster": "stand-in", "user": "admin", "namespace": namespace}}
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "stand-in",
            "clusters": [{"name": "stand-in", "cluster": {"server": self.address}}],
            "contexts": [context],
            "users": [user],
        }
        path.write_text(yaml.safe_dump(body), encoding="utf-8")
        path.chmod(0o600)
        return path

    async def start(self) -> Self:
        """Make what a fresh cluster has, and listen."""
        self.loop = asyncio.get_running_loop()
        self.controllers.start()
        self.store.listeners.append(self.plane.told)
        self._furnish()
        self.store.compact()
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=1)
        await self._runner.setup()
        self.port = self.port or free_port()
        await self.listen()
        return self

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith(admin.ROOT):
            return await self.admin.answer(request)
        return await self.server.answer(request)

    def _furnish(self) -> None:
        for name in ("default", "kube-system"):
            self.registry.create(resource("namespaces"), "", {"metadata": {"name": name}})
        for number in range(1, NODES + 1):
            self.registry.create(resource("nodes"), "", _node(number))
            body = self.registry.read(resource("nodes"), "", f"node-{number}")
            self.registry.status(resource("nodes"), body, _node_status(number))

    async def listen(self) -> None:
        """Accept connections, on the port of before."""
        if self._runner is not None and self._site is None:
            self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
            await self._site.start()
            self.controllers.resume()

    async def refuse(self, *, kill: bool = True) -> None:
        """Accept none any more. `kill` breaks the open ones, watches too, in the middle of a line."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        self.controllers.pause()
        if kill:
            self.break_connections()

    def break_connections(self) -> None:
        """Break every connection that is open, but for the one by which that is asked."""
        server = self._runner.server if self._runner is not None else None
        for one in tuple(server.connections) if server is not None else ():
            if one.transport is not None and one.transport is not self.spared:
                one.transport.abort()

    async def restart(self, *, forget: bool = True) -> None:
        """Stop and start again on the same port; `forget`: watches cannot go on from before."""
        await self.refuse()
        if forget:
            self.store.compact()
        await self.listen()

    async def stop(self) -> None:
        """End all of it."""
        await self.refuse()
        await self.plane.stop()
        await self.controllers.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """From another thread: wait for it, a minute at most."""
        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def do(self, function: Callable[[], T]) -> T:
        """From another thread: call it on the cluster's loop."""

        async def called() -> T:
            return function()

        return self.run(called())

    def fault(self, kind: FaultKind, method: str = "", path: str = "", **rest: Any) -> ApiFault:
        """Set a fault."""
        return self.faults.add(ApiFault(kind, method, path, **rest))

    def compact(self) -> None:
        """Forget history: watches and lists from before are refused with 410."""
        self.store.compact()
        self.server.wake()


def _node(number: int) -> Json:
    name = f"node-{number}"
    return {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}, "spec": {}}


def _node_status(number: int) -> Json:
    room = {"cpu": "8", "memory": "32Gi", "pods": "500"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    addresses = [{"type": "InternalIP", "address": f"10.0.0.{10 + number}"}]
    return {"capacity": room, "allocatable": room, "conditions": [ready], "addresses": addresses}


@contextmanager
def running(make: Callable[[], Cluster] = Cluster) -> Iterator[Cluster]:
    """A cluster on a loop of its own in a thread of its own, until the end."""
    loop = LoopThread("cluster")
    loop.begin()
    try:
        cluster = loop.run(_made(make))
        try:
            yield cluster
        finally:
            cluster.run(cluster.stop())
    finally:
        loop.end()


async def _made(make: Callable[[], Cluster]) -> Cluster:
    return await make().start()

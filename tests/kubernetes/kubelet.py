"""The nodes' part: each pod that is bound to one is pulled, started, probed, and ended with its grace."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tests.kubernetes.controllers.recorder import Recorder
from tests.kubernetes.errors import ApiError
from tests.kubernetes.images import MISSING, PRETENDS, PodImage
from tests.kubernetes.kinds import Json, resource
from tests.kubernetes.pod_status import ContainerState, pod_status
from tests.kubernetes.processes import PodProcess
from tests.kubernetes.registry import Registry
from tests.kubernetes.storage import Key, StoreChange

PODS = resource("pods")
PULL_BACK_OFF_S = 1.0


class Kubelet:
    """All nodes' kubelets in one. `images` says what the pods are; one that is not named there pretends."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.images: dict[str, PodImage] = {"registry.example/missing:1": MISSING}
        self.default = PRETENDS
        self.speed = 1.0
        """Divides the periods of probes and back-offs."""
        self.up = asyncio.Event()
        self.up.set()
        self.pods: dict[str, PodRun] = {}
        self.troubles: list[BaseException] = []
        self._recorders: dict[str, Recorder] = {}

    def told(self, change: StoreChange) -> None:
        """Begin with a pod that was bound; end one that is to go."""
        if change.store != PODS.store:
            return
        body = change.after
        if body is None:
            gone = self.pods.get(change.before["metadata"]["uid"]) if change.before else None
            if gone is not None:
                gone.end(0)
            return
        uid = body["metadata"]["uid"]
        if uid not in self.pods and body["spec"].get("nodeName") and body["status"].get("phase") == "Pending":
            self.pods[uid] = PodRun(self, change.key, body)
        if uid in self.pods and "deletionTimestamp" in body["metadata"]:
            self.pods[uid].end(body["metadata"].get("deletionGracePeriodSeconds", 0))

    def events(self, pod: Json) -> Recorder:
        """Where this pod's node tells its events."""
        node = pod["spec"]["nodeName"]
        return self._recorders.setdefault(node, Recorder(self.registry, "kubelet", node))

    def port_of(self, address: str, port: int) -> int | None:
        """The real port on 127.0.0.1 behind a pod's address."""
        for one in self.pods.values():
            if one.address == address and one.process is not None:
                return one.process.ports.get(port)
        return None

    def by_name(self, namespace: str, name: str) -> "PodRun | None":
        """The pod of this name, while it runs."""
        return next((one for one in self.pods.values() if one.key == (namespace, name)), None)

    async def stop(self) -> None:
        """End every process."""
        runs = list(self.pods.values())
        for one in runs:
            one.task.cancel()
        await asyncio.gather(*(one.task for one in runs), return_exceptions=True)


class PodRun:
    """One pod on its node, from binding to its end."""

    def __init__(self, kubelet: Kubelet, key: Key, body: Json) -> None:
        self.kubelet, self.key, self.uid = kubelet, key, body["metadata"]["uid"]
        self.body = body
        self.address = ""
        self.state = ContainerState(waiting="ContainerCreating")
        self.process: PodProcess | None = None
        self.ready_at_s: float | None = None
        self._ending = asyncio.Event()
        self._grace_s = 30.0
        self.task = asyncio.get_running_loop().create_task(self._guarded(self._live()))

    @property
    def container(self) -> Json:
        """Its first container, the one that serves."""
        found: Json = self.body["spec"]["containers"][0]
        return found

    @property
    def image(self) -> PodImage:
        """What it is."""
        return self.kubelet.images.get(self.container["image"], self.kubelet.default)

    def end(self, grace_s: float) -> None:
        """It is to go."""
        self._grace_s = min(self._grace_s, grace_s) if self._ending.is_set() else grace_s
        self._ending.set()

    async def _guarded(self, life: Coroutine[Any, Any, None]) -> None:
        try:
            await life
        except Exception as error:
            self.kubelet.troubles.append(error)
        finally:
            if self.process is not None:
                await self.process.kill()
            self.kubelet.pods.pop(self.uid, None)

    async def _tell(self, **changes: Any) -> None:
        """Write the status, once the server is there."""
        self.state = replace(self.state, **changes)
        await self.kubelet.up.wait()
        live = self.kubelet.registry.store.get(PODS.store, self.key)
        if live is None or live["metadata"]["uid"] != self.uid:
            return
        self.body = live
        clock = self.kubelet.registry.clock
        self.ready_at_s = (self.ready_at_s or clock.now_s()) if self.state.ready else None
        self.kubelet.registry.status(PODS, live, pod_status(live, self.address, self.state, clock))

    def say(self, kind: str, reason: str, message: str) -> None:
        """An event about it."""
        self.kubelet.events(self.body).say(self.body, kind, reason, message, self.container["name"])

    async def _sleep(self, seconds: float) -> bool:
        """Wait; true where it is to go."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        return self._ending.is_set()

    async def _live(self) -> None:
        await self._tell()
        if not await self._sleep(self.image.starts_s):
            self.address = self.kubelet.registry.addresses.pod(_number(self.body["spec"]["nodeName"]))
            if self.image.missing:
                await self._never_pulled()
            else:
                image = self.container["image"]
                said = f'Container image "{image}" already present on machine and can be accessed by the pod'
                self.say("Normal", "Pulled", said)
                await self._runs()
        await self._ends()

    async def _never_pulled(self) -> None:
        image = self.container["image"]
        where = f'failed to resolve reference "{image}": {image}: not found'
        why = f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": {where}'
        back_off = f'Back-off pulling image "{image}"'
        while True:
            self.say("Normal", "Pulling", f'Pulling image "{image}"')
            self.say("Warning", "Failed", f'Failed to pull image "{image}": {why}')
            self.say("Warning", "Failed", "Error: ErrImagePull")
            await self._tell(waiting="ErrImagePull", message=why)
            if await self._sleep(PULL_BACK_OFF_S / self.kubelet.speed):
                return
            self.say("Normal", "BackOff", back_off)
            self.say("Warning", "Failed", "Error: ImagePullBackOff")
            await self._tell(waiting="ImagePullBackOff", message=f"{back_off}: ErrImagePull: {why}")
            if await self._sleep(5 * PULL_BACK_OFF_S / self.kubelet.speed):
                return

    async def _runs(self) -> None:
        if self.image.command:
            self.process = PodProcess(self)
            await self.process.run()
            return
        self.say("Normal", "Created", "Container created")
        self.say("Normal", "Started", "Container started")
        await self.started()
        seconds = self.image.ready_s
        if seconds is None:
            await self._ending.wait()
        elif not await self._sleep(seconds):
            await self._tell(ready=True)
            await self._ending.wait()

    async def started(self) -> None:
        """Its program runs."""
        await self._tell(started_at=self.kubelet.registry.clock.stamp(), waiting="", message="", started=True)

    async def tell(self, **changes: Any) -> None:
        """What its process learns of it."""
        await self._tell(**changes)

    @property
    def ending(self) -> asyncio.Event:
        """Set once it is to go."""
        return self._ending

    @property
    def grace_s(self) -> float:
        """How long its program may take to end."""
        return self._grace_s

    async def _ends(self) -> None:
        await self._ending.wait()
        if self.state.started_at and not self.state.ended:
            self.say("Normal", "Killing", f"Stopping container {self.container['name']}")
            code = 0
            if self.process is not None:
                code = await self.process.stop(self._grace_s)
            else:
                await asyncio.sleep(min(self.image.stops_s, self._grace_s))
            finished = self.kubelet.registry.clock.stamp()
            await self._tell(ready=False, started=False, exit_code=code, finished_at=finished)
        await self.kubelet.up.wait()
        with suppress(ApiError):
            held = self.kubelet.registry.read(PODS, *self.key)
            if held["metadata"]["uid"] == self.uid:
                self.kubelet.registry.delete(PODS, *self.key, {"gracePeriodSeconds": 0})

    def log(self) -> list[tuple[str, str]]:
        """Its lines, each with the time."""
        if self.process is not None:
            return list(self.process.lines)
        stamp = self.state.started_at or self.kubelet.registry.clock.stamp()
        said = [f"{self.key[1]} pretends to serve", "GET /health 200", "POST /predict 200 22ms"]
        return [(stamp, one) for one in said] if self.state.started_at else []


def _number(node: str) -> int:
    tail = node.rpartition("-")[2]
    return int(tail) if tail.isdecimal() else 0

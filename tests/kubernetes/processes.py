"""A pod that is a real process of this machine: started, probed over loopback, restarted, drained."""

import asyncio
import os
import signal
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil

from tests.kubernetes.kinds import Json
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.kubernetes.kubelet import PodRun

LINES = 5000
CRASH_S, LONGEST_CRASH_S = 0.5, 10.0


class PodProcess:
    """The program of one pod. Its ports are real ones of 127.0.0.1, by the number that the pod's spec gives them."""

    def __init__(self, pod: "PodRun") -> None:
        self.pod = pod
        self.lines: deque[tuple[str, str]] = deque(maxlen=LINES)
        declared = [one["containerPort"] for one in pod.container.get("ports") or ()]
        self.ports: dict[int, int] = {port: free_port() for port in declared or [8000]}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._client: aiohttp.ClientSession | None = None

    def _command(self) -> list[str]:
        image, container = self.pod.image, self.pod.container
        command = [*(container.get("command") or image.command), *(container.get("args") or ())]
        real = {str(port): str(at) for port, at in self.ports.items()}
        here = {"0.0.0.0": "127.0.0.1", **real, **image.instead}  # noqa: S104
        return [here.get(one, one) for one in command]

    def _environment(self) -> dict[str, str]:
        said = {**os.environ, **self.pod.image.environment}
        known = {
            "metadata.name": self.pod.key[1],
            "metadata.namespace": self.pod.key[0],
            "metadata.uid": self.pod.uid,
            "spec.nodeName": self.pod.body["spec"]["nodeName"],
            "status.podIP": self.pod.address,
        }
        for one in self.pod.container.get("env") or ():
            source = one.get("valueFrom") or {}
            if "fieldRef" in source:
                said[one["name"]] = known.get(source["fieldRef"]["fieldPath"], "")
            elif "secretKeyRef" in source or "configMapKeyRef" in source:
                said[one["name"]] = self._referred(source)
            else:
                said[one["name"]] = str(one.get("value", ""))
        return said

    def _referred(self, source: Json) -> str:
        import base64

        store = self.pod.kubelet.registry.store
        if found := source.get("secretKeyRef"):
            data = (store.get("secrets", (self.pod.key[0], found["name"])) or {}).get("data") or {}
            return base64.b64decode(data.get(found["key"], "")).decode()
        found = source["configMapKeyRef"]
        data = (store.get("configmaps", (self.pod.key[0], found["name"])) or {}).get("data") or {}
        return str(data.get(found["key"], ""))

    async def run(self) -> None:
        """Keep it running until the pod is to go."""
        pause_s = CRASH_S
        async with aiohttp.ClientSession() as self._client:
            while not self.pod.ending.is_set():
                await self._start()
                await self.pod.started()
                life = asyncio.create_task(self._watched())
                ending = asyncio.create_task(self.pod.ending.wait())
                await asyncio.wait({life, ending}, return_when=asyncio.FIRST_COMPLETED)
                ending.cancel()
                life.cancel()
                await asyncio.gather(life, ending, return_exceptions=True)
                if self.pod.ending.is_set():
                    return
                await self._crashed(pause_s)
                pause_s = min(2 * pause_s, LONGEST_CRASH_S)

    async def _start(self) -> None:
        self.pod.say("Normal", "Created", "Container created")
        self._process = await asyncio.create_subprocess_exec(
            *self._command(),
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        self.pod.say("Normal", "Started", "Container started")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        clock = self.pod.kubelet.registry.clock
        while line := await process.stdout.readline():
            self.lines.append((clock.micro(), line.decode(errors="replace").rstrip("\n")))

    async def _watched(self) -> None:
        """Until it ends by itself or is not alive any more."""
        assert self._process is not None
        probes = asyncio.create_task(self._probed())
        exited = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({probes, exited}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            probes.cancel()
            exited.cancel()
            await asyncio.gather(probes, exited, return_exceptions=True)

    async def _probed(self) -> None:
        """Startup, then readiness and liveness side by side; over where the liveness fails."""
        container = self.pod.container
        if startup := container.get("startupProbe"):
            await self.pod.tell(started=False)
            if not await self._until(startup, wanted=True):
                self.pod.say("Warning", "Unhealthy", "Startup probe failed")
                return
            await self.pod.tell(started=True)
        readiness, liveness = container.get("readinessProbe"), container.get("livenessProbe")
        if readiness is None:
            await self.pod.tell(ready=True)
        tasks = [asyncio.create_task(self._ready(readiness))] if readiness else []
        try:
            if liveness is None:
                await asyncio.Event().wait()
            await self._until(liveness, wanted=False)
            self.pod.say("Warning", "Unhealthy", "Liveness probe failed")
        finally:
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ready(self, probe: Json) -> None:
        while True:
            await self._until(probe, wanted=True, for_ever=True)
            await self.pod.tell(ready=True)
            await self._until(probe, wanted=False, for_ever=True)
            self.pod.say("Warning", "Unhealthy", "Readiness probe failed")
            await self.pod.tell(ready=False)

    async def _until(self, probe: Json | None, *, wanted: bool, for_ever: bool = False) -> bool:
        """Probe until it says so as often in a row as the threshold has it; false where it says the other."""
        assert probe is not None
        speed = self.pod.kubelet.speed
        # A program takes its time to start, however quick the probes are.
        most = probe["failureThreshold"] * (max(1.0, speed) if wanted and not for_ever else 1.0)
        good = bad = 0
        await asyncio.sleep(probe.get("initialDelaySeconds", 0) / speed)
        while True:
            held = await self._asked(probe)
            good, bad = (good + 1, 0) if held else (0, bad + 1)
            if wanted and good >= probe["successThreshold"]:
                return True
            if bad >= most:
                if not wanted:
                    return True
                if not for_ever:
                    return False
            await asyncio.sleep(probe["periodSeconds"] / speed)

    async def _asked(self, probe: Json) -> bool:
        action: Json = probe.get("httpGet") or probe.get("tcpSocket") or {}
        if not action:
            return True
        port = self.real_port(action["port"])
        try:
            async with asyncio.timeout(probe["timeoutSeconds"]):
                if "httpGet" in probe:
                    assert self._client is not None
                    async with self._client.get(f"http://127.0.0.1:{port}{action['path']}") as answer:
                        return 200 <= answer.status < 400
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return True
        except (TimeoutError, OSError, aiohttp.ClientError):
            return False

    def real_port(self, port: Any) -> int:
        """Behind a port's number or name."""
        for one in self.pod.container.get("ports") or ():
            if one.get("name") == port:
                port = one["containerPort"]
        return self.ports.get(int(port), 0)

    async def _crashed(self, pause_s: float) -> None:
        code = await self.kill()
        clock = self.pod.kubelet.registry.clock
        finished = {"exitCode": code, "reason": "Error" if code else "Completed"}
        last = {"terminated": {**finished, "startedAt": self.pod.state.started_at, "finishedAt": clock.stamp()}}
        message = (
            f"back-off {pause_s:g}s restarting failed container={self.pod.container['name']} pod={self.pod.key[1]}"
        )
        self.pod.say("Warning", "BackOff", f"Back-off restarting failed container {self.pod.container['name']}")
        restarts = self.pod.state.restarts + 1
        waiting: dict[str, Any] = {"waiting": "CrashLoopBackOff", "message": message, "restarts": restarts}
        await self.pod.tell(ready=False, started=False, started_at="", last=last, **waiting)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s / self.pod.kubelet.speed):
                await self.pod.ending.wait()

    async def stop(self, grace_s: float) -> int:
        """preStop, SIGTERM, and SIGKILL once the grace is over; how it ended."""
        process = self._process
        if process is None:
            return 0
        try:
            async with asyncio.timeout(grace_s):
                await self._before_stop()
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)
                await process.wait()
        except TimeoutError:
            pass
        return await self.kill()

    async def _before_stop(self) -> None:
        hook = ((self.pod.container.get("lifecycle") or {}).get("preStop")) or {}
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"] / self.pod.kubelet.speed)
        elif "exec" in hook:
            one = await asyncio.create_subprocess_exec(*hook["exec"]["command"], stdin=asyncio.subprocess.DEVNULL)
            await one.wait()
        elif "httpGet" in hook:
            url = f"http://127.0.0.1:{self.real_port(hook['httpGet']['port'])}{hook['httpGet'].get('path', '/')}"
            with suppress(aiohttp.ClientError, OSError):
                async with aiohttp.ClientSession() as client, client.get(url):
                    pass

    async def kill(self) -> int:
        """At once; its exit code, as a shell has it."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)
        code = process.returncode or 0
        return 128 - code if code < 0 else code

    def cores_used_s(self) -> float:
        """Seconds of CPU since its start."""
        if self._process is None or self._process.returncode is not None:
            return 0.0
        with suppress(psutil.Error):
            times = psutil.Process(self._process.pid).cpu_times()
            return float(times.user + times.system)
        return 0.0

"""The stand-in told what to do over HTTP, for runs by hand: `POST /stand-in/WORD` with a JSON object.

curl -d '{"kind": "hang", "method": "PATCH", "path": "services", "seconds": 5, "times": 1}' ADDRESS/stand-in/fault
curl 'ADDRESS/stand-in/calls?since=1790000000'    # what was asked of it lately
curl -d '{"namespace": "flights", "deployment": "late-blue", "cores": 0.9}' ADDRESS/stand-in/cpu
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.kubernetes.access import AccessRule
from tests.kubernetes.faults import ApiFault, FaultKind
from tests.kubernetes.images import PodImage
from tests.kubernetes.kinds import Json
from tests.kubernetes.metrics import MetricsApi

if TYPE_CHECKING:
    from tests.kubernetes.cluster import Cluster

ROOT = "/stand-in/"


class Admin:
    """One word each; GET says what is so."""

    def __init__(self, cluster: "Cluster") -> None:
        self.cluster = cluster
        self._words: dict[str, Callable[..., object]] = {
            "fault": self._fault,
            "clear": cluster.faults.clear,
            "compact": cluster.compact,
            "break": cluster.break_connections,
            "refuse": self._refuse,
            "cpu": self._cpu,
            "metrics": self._metrics,
            "gateway": self._gateway,
            "balancers": self._balancers,
            "skew": self._skew,
            "expire": cluster.access.expire,
            "deny": self._deny,
            "image": self._image,
        }
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Do it, or say which words there are."""
        word = request.path.removeprefix(ROOT)
        if word == "calls":
            since = float(request.query.get("since", "0"))
            calls = [asdict(one) for one in tuple(self.cluster.server.calls) if one.answered_at >= since]
            return web.json_response({"calls": calls})
        if request.method == "GET":
            return web.json_response(self._state())
        if word not in self._words:
            return web.json_response({"error": f"{word}: not one of {', '.join(self._words)}"}, status=404)
        try:
            asked = json.loads(await request.read() or b"{}")
            self.cluster.spared = request.transport
            self._words[word](**asked)
        except (TypeError, ValueError, KeyError) as error:
            return web.json_response({"error": f"{word}: {error}"}, status=400)
        return web.json_response(self._state())

    def _state(self) -> Json:
        cluster = self.cluster
        return {
            "version": cluster.store.version,
            "compacted": cluster.store.compacted,
            "faults": [{"kind": one.kind.value, "path": one.path, "met": one.met} for one in cluster.faults.active],
            "services": {f"{key[0]}/{key[1]}:{port}": at for (key, port), at in cluster.plane.ports.items()},
            "gateways": {"/".join(key): at for key, at in cluster.plane.gateways.items()},
            "troubles": [f"{type(one).__name__}: {one}" for one in cluster.troubles],
        }

    def _fault(self, kind: str, **rest: Any) -> None:
        self.cluster.faults.add(ApiFault(FaultKind(kind), **rest))

    def _refuse(self, seconds: float, *, forget: bool = True, kill: bool = True) -> None:
        async def away() -> None:
            await self.cluster.refuse(kill=kill)
            await asyncio.sleep(seconds)
            if forget:
                self.cluster.compact()
            await self.cluster.listen()

        task = asyncio.get_running_loop().create_task(away())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _cpu(self, namespace: str, deployment: str, cores: float) -> None:
        self.cluster.metrics.cores[namespace, deployment] = cores

    def _metrics(self, api: str) -> None:
        self.cluster.metrics.api = MetricsApi(api)

    def _gateway(self, *, there: bool) -> None:
        self.cluster.gateway = there

    def _balancers(self, *, there: bool) -> None:
        self.cluster.plane.balancers = there

    def _skew(self, seconds: float) -> None:
        self.cluster.clock.skew_s = seconds

    def _deny(self, verb: str, resource: str) -> None:
        self.cluster.access.denied.append(AccessRule((verb,), (resource,)))

    def _image(self, name: str, **rest: Any) -> None:
        command = tuple(rest.pop("command", ()))
        self.cluster.kubelet.images[name] = PodImage(command=command, **rest)

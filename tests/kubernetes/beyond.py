"""What the API server hands on: metrics, a pod's log, and requests to pods and Services."""

import random

from aiohttp import web

from tests.kubernetes.controllers.endpoints import target_port
from tests.kubernetes.dataplane import DataPlane, handed_on
from tests.kubernetes.errors import ApiError, bad_request
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.metrics import PodMetrics
from tests.kubernetes.registry import Registry
from tests.kubernetes.routes import ApiPath
from tests.kubernetes.server import Extra


class Beyond(Extra):
    """Over the nodes and the data plane."""

    def __init__(self, registry: Registry, kubelet: Kubelet, pod_metrics: PodMetrics, plane: DataPlane) -> None:
        self.registry, self.kubelet, self.pod_metrics, self.plane = registry, kubelet, pod_metrics, plane

    def metrics(self, path: str, query: dict[str, str]) -> web.Response | None:
        """metrics.k8s.io."""
        return self.pod_metrics.answer(path, query)

    def log(self, at: ApiPath, query: dict[str, str]) -> web.Response:
        """A pod's lines: all, or the last few, with their times or without."""
        pod = self.registry.read(at.of, at.namespace or "", at.name)
        names = [one["name"] for one in pod["spec"]["containers"]]
        if query.get("container", names[0]) not in names:
            raise bad_request(f"container {query['container']} is not valid for pod {at.name}")
        run = self.kubelet.by_name(at.namespace or "", at.name)
        if run is None or not (run.state.started_at or run.state.restarts):
            waiting = run.state.waiting if run is not None else "ContainerCreating"
            why = "trying and failing to pull image" if "Pull" in waiting else waiting
            raise bad_request(f'container "{names[0]}" in pod "{at.name}" is waiting to start: {why}')
        lines = run.log()
        if "tailLines" in query:
            lines = lines[-int(query["tailLines"]) :] if int(query["tailLines"]) else []
        with_time = query.get("timestamps") == "true"
        text = "".join(f"{stamp} {line}\n" if with_time else f"{line}\n" for stamp, line in lines)
        return web.Response(text=text)

    async def proxied(self, request: web.BaseRequest, at: ApiPath) -> web.StreamResponse:
        """`services/NAME:PORT/proxy/…` and `pods/NAME:PORT/proxy/…`."""
        parts = at.name.split(":")
        name, port = (parts[1], parts[2]) if len(parts) == 3 else (parts[0], parts[1] if len(parts) == 2 else "")
        body = self.registry.read(at.of, at.namespace or "", name)
        if at.of.plural == "services":
            ports = body["spec"].get("ports") or ()
            found = next((one for one in ports if port in {"", one.get("name"), str(one["port"])}), None)
            ready = self.plane.endpoints((at.namespace or "", name), found["port"]) if found else []
        else:
            run = self.kubelet.by_name(at.namespace or "", name)
            number = target_port({"targetPort": int(port) if port.isdecimal() else port or 80, "port": 80}, body)
            ready = [at_port] if run and (at_port := self.kubelet.port_of(run.address, number)) else []
        if not ready:
            message = f'no endpoints available for service "{at.name}"'
            raise ApiError(503, "ServiceUnavailable", message)
        query = f"?{request.query_string}" if request.query_string else ""
        to = random.choice(ready)
        return await handed_on(self.plane.client, request, to, (at.rest or "/") + query, await request.read())

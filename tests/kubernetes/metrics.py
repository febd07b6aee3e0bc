"""metrics.k8s.io: what pods use, as a test says it or as their processes are measured."""

from dataclasses import dataclass, field
from enum import Enum

from aiohttp import web

from tests.kubernetes import selectors
from tests.kubernetes.controllers.replicasets import owner_key, ready
from tests.kubernetes.kinds import METRICS_GROUP, Json, resource
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.registry import Registry
from tests.kubernetes.storage import Key

PODS, SETS = resource("pods"), resource("replicasets.apps")
ROOT = f"/apis/{METRICS_GROUP}/v1beta1"


class MetricsApi(Enum):
    """How the API is: not installed, installed and dead, or there."""

    ABSENT = "absent"
    DEAD = "dead"
    THERE = "there"


@dataclass(frozen=True, slots=True)
class PodUse:
    """Cores and bytes that one pod uses, averaged over `window_s` up to `at_s`."""

    cores: float
    memory_bytes: int
    at_s: float
    window_s: float


@dataclass(slots=True)
class PodMetrics:
    """`cores` says how much CPU all pods of a Deployment use together, by its key; spread evenly over its ready ones.

    A Deployment that is not named there uses what its processes use, and nothing where its pods pretend. A pod has
    figures from `after_s` after it is ready.
    """

    registry: Registry
    kubelet: Kubelet
    api: MetricsApi = MetricsApi.THERE
    cores: dict[Key, float] = field(default_factory=dict)
    memory_bytes: int = 64 * 1024 * 1024
    after_s: float = 0.0
    window_s: float = 15.0
    _measured: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def use_of(self, pod: Json) -> PodUse | None:
        """What a pod uses; None while it has no figures."""
        run = self.kubelet.pods.get(pod["metadata"]["uid"])
        now_s = self.registry.clock.now_s()
        if run is None or run.ready_at_s is None or now_s < run.ready_at_s + self.after_s:
            return None
        owner = owner_key(pod, "ReplicaSet")
        deployment = owner_key(self.registry.store.get(SETS.store, owner), "Deployment") if owner else None
        if deployment in self.cores:
            mates = [one for one in self._mates(pod) if ready(one)]
            return PodUse(self.cores[deployment] / max(1, len(mates)), self.memory_bytes, now_s, self.window_s)
        return PodUse(self._cores(run.uid, now_s), self.memory_bytes, now_s, self.window_s)

    def _mates(self, pod: Json) -> list[Json]:
        owner = owner_key(pod, "ReplicaSet")
        pods = self.registry.store.items(PODS.store, pod["metadata"]["namespace"])
        return [one for one in pods if owner_key(one, "ReplicaSet") == owner]

    def _cores(self, uid: str, now_s: float) -> float:
        """Of a process, since it was last measured a second ago or longer."""
        run = self.kubelet.pods[uid]
        used_s = run.process.cores_used_s() if run.process is not None else 0.0
        at_s, before_s, cores = self._measured.get(uid, (run.ready_at_s or now_s, 0.0, 0.0))
        if now_s - at_s >= 1.0:
            cores = max(0.0, used_s - before_s) / (now_s - at_s)
            self._measured[uid] = (now_s, used_s, cores)
        return cores

    def answer(self, path: str, query: dict[str, str]) -> web.Response | None:
        """A request to the API; None where it is not one."""
        if not path.startswith(ROOT) or self.api is MetricsApi.ABSENT:
            return None
        if self.api is MetricsApi.DEAD:
            return web.Response(status=503, text="service unavailable\n")
        parts = [part for part in path[len(ROOT) :].split("/") if part]
        if parts[:1] != ["namespaces"] or len(parts) < 3 or parts[2] != "pods":
            namespace = None if parts == ["pods"] else ""
        else:
            namespace = parts[1]
        chosen = selectors.by_labels(query.get("labelSelector", ""))
        pods = [one for one in self.registry.store.items(PODS.store, namespace) if chosen(one)]
        if len(parts) == 4:
            return self._one([one for one in pods if one["metadata"]["name"] == parts[3]], parts[3])
        items = [body for one in pods if (body := self._body(one)) is not None]
        head = {"kind": "PodMetricsList", "apiVersion": f"{METRICS_GROUP}/v1beta1", "metadata": {}}
        return web.json_response({**head, "items": items})

    def _one(self, pods: list[Json], name: str) -> web.Response:
        body = self._body(pods[0]) if pods else None
        if body is None:
            from tests.kubernetes.errors import ApiError

            message = f'podmetrics.metrics.k8s.io "{name}" not found'
            error = ApiError(404, "NotFound", message, {"name": name, "group": METRICS_GROUP, "kind": "podmetrics"})
            return web.json_response(error.body(), status=404)
        return web.json_response({"kind": "PodMetrics", "apiVersion": f"{METRICS_GROUP}/v1beta1", **body})

    def _body(self, pod: Json) -> Json | None:
        use = self.use_of(pod)
        if use is None:
            return None
        held = pod["metadata"]
        metadata = {key: held[key] for key in ("name", "namespace", "creationTimestamp", "labels") if key in held}
        amounts = {"cpu": f"{round(use.cores * 1e9)}n", "memory": f"{use.memory_bytes // 1024}Ki"}
        containers = [{"name": pod["spec"]["containers"][0]["name"], "usage": amounts}]
        stamp = self.registry.clock.stamp()
        return {"metadata": metadata, "timestamp": stamp, "window": f"{use.window_s:g}s", "containers": containers}

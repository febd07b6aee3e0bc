"""Puts each pod on a node that has room for it, or says why there is none."""

from collections import Counter
from collections.abc import Hashable, Iterable
from decimal import Decimal

from tests.kubernetes.controllers.loop import Controller
from tests.kubernetes.controllers.recorder import scheduler_says
from tests.kubernetes.kinds import Json, resource
from tests.kubernetes.quantities import quantity
from tests.kubernetes.registry import Registry
from tests.kubernetes.storage import Key, StoreChange

PODS, NODES = resource("pods"), resource("nodes")
KINDS = ("cpu", "memory")


def needs(pod: Json) -> dict[str, Decimal]:
    """What all containers ask for together."""
    asked = {kind: Decimal(0) for kind in KINDS}
    for container in pod["spec"]["containers"]:
        for kind in KINDS:
            asked[kind] += quantity((container["resources"].get("requests") or {}).get(kind, 0))
    return asked


class Scheduler(Controller):
    """By the pod's key. What each node has taken up is counted as pods come and go."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._taken: dict[str, dict[str, Decimal]] = {}
        self._waiting: set[Key] = set()

    def wants(self, change: StoreChange) -> Iterable[Hashable]:
        """A pod without a node; and all that wait, where a node or a pod's room has changed."""
        if change.store == NODES.store:
            return tuple(self._waiting)
        if change.store != PODS.store:
            return ()
        freed = self._count(change)
        if change.after is None:
            self._waiting.discard(change.key)
        elif not change.after["spec"].get("nodeName") and change.before is None:
            return (change.key,)
        return tuple(self._waiting) if freed else ()

    def _count(self, change: StoreChange) -> bool:
        """Add or take away; true where room was freed."""
        before, after = (_node_of(body) for body in (change.before, change.after))
        if before == after:
            return False
        for node, body, sign in ((before, change.before, -1), (after, change.after, 1)):
            if node and body is not None:
                taken = self._taken.setdefault(node, dict.fromkeys((*KINDS, "pods"), Decimal(0)))
                taken["pods"] += sign
                for kind, amount in needs(body).items():
                    taken[kind] += sign * amount
        return bool(before)

    def look(self, key: Hashable) -> None:
        """Bind it, or say that it fits nowhere."""
        pod = self.store.get(PODS.store, key)  # type: ignore[arg-type]
        if pod is None or pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"]:
            return
        nodes = self.store.items(NODES.store)
        why: Counter[str] = Counter()
        fitting = [node for node in nodes if not self._against(pod, node, why)]
        if fitting:
            self._bind(pod, min(fitting, key=self._fullness))
        else:
            self._unschedulable(pod, why, len(nodes))

    def _against(self, pod: Json, node: Json, why: Counter[str]) -> bool:
        found = False
        wanted = pod["spec"].get("nodeSelector") or {}
        labels = node["metadata"].get("labels") or {}
        if node["spec"].get("unschedulable"):
            why["node(s) were unschedulable"] += 1
            return True
        if any(labels.get(name) != value for name, value in wanted.items()):
            why["node(s) didn't match Pod's node affinity/selector"] += 1
            return True
        room = node["status"]["allocatable"]
        taken = self._taken.get(node["metadata"]["name"], {})
        asked = {**needs(pod), "pods": Decimal(1)}
        for kind, amount in asked.items():
            if amount and taken.get(kind, Decimal(0)) + amount > quantity(room[kind]):
                why["Too many pods" if kind == "pods" else f"Insufficient {kind}"] += 1
                found = True
        return found

    def _fullness(self, node: Json) -> Decimal:
        taken = self._taken.get(node["metadata"]["name"], {})
        room = node["status"]["allocatable"]
        return taken.get("pods", Decimal(0)) / quantity(room["pods"]) + taken.get("cpu", Decimal(0)) / quantity(
            room["cpu"]
        )

    def _bind(self, pod: Json, node: Json) -> None:
        metadata = pod["metadata"]
        name = node["metadata"]["name"]
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None}
        scheduled["lastTransitionTime"] = self.clock.stamp()
        status = {**pod["status"], "conditions": [scheduled]}
        key = (metadata["namespace"], metadata["name"])
        self._waiting.discard(key)
        self.store.put(PODS.store, key, {**pod, "spec": {**pod["spec"], "nodeName": name}, "status": status})
        message = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {name}"
        scheduler_says(self.registry, pod, "Normal", "Scheduled", message, "Binding")

    def _unschedulable(self, pod: Json, why: Counter[str], nodes: int) -> None:
        self._waiting.add((pod["metadata"]["namespace"], pod["metadata"]["name"]))
        said = ", ".join(f"{count} {reason}" for reason, count in sorted(why.items()))
        head = f"0/{nodes} nodes are available"
        message = (
            f"{head}: {said}. no new claims to deallocate, "
            f"preemption: {head}: {nodes} Preemption is not helpful for scheduling."
        )
        held = next((one for one in pod["status"].get("conditions", ()) if one["type"] == "PodScheduled"), None)
        if held is not None and held["message"] == message:
            return
        told = {
            "type": "PodScheduled",
            "observedGeneration": pod["metadata"]["generation"],
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": self.clock.stamp(),
            "reason": "Unschedulable",
            "message": message,
        }
        self.registry.status(PODS, pod, {**pod["status"], "conditions": [told]})
        scheduler_says(self.registry, pod, "Warning", "FailedScheduling", message, "Scheduling")


def _node_of(body: Json | None) -> str:
    if body is None or body["status"].get("phase") in {"Succeeded", "Failed"}:
        return ""
    return str(body["spec"].get("nodeName") or "")

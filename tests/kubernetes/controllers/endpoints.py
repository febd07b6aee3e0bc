"""The slices of a Service: the pods that its selector chooses, and which of them take requests."""

import copy
from collections.abc import Hashable, Iterable, Mapping

from tests.kubernetes.controllers.loop import Controller
from tests.kubernetes.controllers.replicasets import ready
from tests.kubernetes.kinds import Json, resource
from tests.kubernetes.storage import Key, StoreChange

SERVICES, PODS, SLICES = resource("services"), resource("pods"), resource("endpointslices.discovery.k8s.io")
NAME_LABEL = "kubernetes.io/service-name"
LARGEST = 100


def chosen_by(service: Json, labels: Mapping[str, str]) -> bool:
    """Does a Service's selector choose these labels? An empty one chooses nothing."""
    selector = service["spec"].get("selector") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


class EndpointsController(Controller):
    """By the Service's key."""

    def wants(self, change: StoreChange) -> Iterable[Hashable]:
        """The Service itself, and every one that chooses a pod that changed."""
        if change.store == SERVICES.store:
            yield change.key
        elif change.store == PODS.store:
            labels = [(body or {}).get("metadata", {}).get("labels") or {} for body in (change.before, change.after)]
            for service in self.store.items(SERVICES.store, change.key[0]):
                if any(chosen_by(service, one) for one in labels):
                    yield (change.key[0], service["metadata"]["name"])

    def look(self, key: Hashable) -> None:
        """Write the slices."""
        service = self.store.get(SERVICES.store, key)  # type: ignore[arg-type]
        if service is None or "deletionTimestamp" in service["metadata"] or not service["spec"].get("selector"):
            return
        held = self.owned(SLICES, service)
        pods = [one for one in self.store.items(PODS.store, service["metadata"]["namespace"]) if _told(service, one)]
        order = {point["addresses"][0]: number for number, point in enumerate(_points(held))}
        pods.sort(key=lambda pod: order.get(pod["status"]["podIP"], len(order)))
        points = [_endpoint(pod) for pod in pods]
        ports = _ports(service, pods[0]) if pods else None
        parts: list[list[Json] | None] = [points[at : at + LARGEST] for at in range(0, len(points), LARGEST)]
        parts = parts or [None]
        for number, part in enumerate(parts):
            if number < len(held):
                self._put(held[number], part, ports)
            else:
                self._make(service, part, ports)
        for left in held[len(parts) :]:
            self.registry.delete(SLICES, left["metadata"]["namespace"], left["metadata"]["name"], {})

    def _put(self, held: Json, points: list[Json] | None, ports: list[Json] | None) -> None:
        if (held["endpoints"], held["ports"]) == (points, ports):
            return
        body = copy.deepcopy({**held, "endpoints": points, "ports": ports})
        body["metadata"]["generation"] += 1
        key: Key = (held["metadata"]["namespace"], held["metadata"]["name"])
        self.store.put(SLICES.store, key, body)

    def _make(self, service: Json, points: list[Json] | None, ports: list[Json] | None) -> None:
        metadata = service["metadata"]
        reference = {"apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"]}
        labels = {
            **(metadata.get("labels") or {}),
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            NAME_LABEL: metadata["name"],
        }
        body = {
            "metadata": {
                "generateName": f"{metadata['name']}-",
                "labels": labels,
                "ownerReferences": [{**reference, "controller": True, "blockOwnerDeletion": True}],
            },
            "addressType": "IPv4",
        }
        made = self.registry.create(SLICES, metadata["namespace"], body)
        key: Key = (metadata["namespace"], made["metadata"]["name"])
        self.store.put(SLICES.store, key, {**made, "endpoints": points, "ports": ports})


def _points(slices: list[Json]) -> list[Json]:
    return [point for one in slices for point in one["endpoints"] or ()]


def _told(service: Json, pod: Json) -> bool:
    over = pod["status"].get("phase") in {"Succeeded", "Failed"}
    return chosen_by(service, pod["metadata"].get("labels") or {}) and not over and "podIP" in pod["status"]


def _endpoint(pod: Json) -> Json:
    metadata = pod["metadata"]
    ending, serving = "deletionTimestamp" in metadata, ready(pod)
    target = {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": serving and not ending, "serving": serving, "terminating": ending},
        "targetRef": target,
        "nodeName": pod["spec"]["nodeName"],
    }


def target_port(port: Json, pod: Json) -> int:
    """The number of a port of a Service on a pod."""
    wanted = port["targetPort"]
    if isinstance(wanted, int):
        return wanted
    for container in pod["spec"]["containers"]:
        for one in container.get("ports") or ():
            if one.get("name") == wanted:
                number: int = one["containerPort"]
                return number
    return int(port["port"])


def _ports(service: Json, pod: Json) -> list[Json]:
    ports = service["spec"].get("ports") or ()
    return [{"name": one.get("name", ""), "protocol": one["protocol"], "port": target_port(one, pod)} for one in ports]

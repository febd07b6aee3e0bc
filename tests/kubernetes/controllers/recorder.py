"""Events: what controllers tell people, counted where it is the same again and gathered where it is alike."""

import uuid
from dataclasses import dataclass, field

from tests.kubernetes.kinds import Json, resource
from tests.kubernetes.registry import Registry

ALIKE = 10
EVENTS = resource("events")


@dataclass(slots=True)
class Recorder:
    """Writes events of one component, or of the kubelet on one `host`."""

    registry: Registry
    component: str
    host: str = ""
    _alike: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _names: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def say(self, about: Json, kind: str, reason: str, message: str, container: str = "") -> None:
        """Tell it."""
        uid = about["metadata"]["uid"]
        told = self._alike.setdefault((uid, reason), [])
        if message not in told:
            told.append(message)
        said = message if len(told) <= ALIKE else f"(combined from similar events): {message}"
        known = "" if len(told) > ALIKE else message
        namespace = about["metadata"].get("namespace", "default")
        name = self._names.get((uid, reason, known))
        old = self.registry.store.get(EVENTS.store, (namespace, name)) if name else None
        stamp = self.registry.clock.stamp()
        if old is not None:
            body = {**old, "count": old["count"] + 1, "lastTimestamp": stamp, "message": said}
            self.registry.store.put(EVENTS.store, (namespace, old["metadata"]["name"]), body)
            return
        body = {
            **_head(self.registry, about, container),
            "reason": reason,
            "message": said,
            "source": {"component": self.component, **({"host": self.host} if self.host else {})},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "type": kind,
            "eventTime": None,
            "reportingComponent": self.component,
            "reportingInstance": self.host,
        }
        self._names[uid, reason, known] = body["metadata"]["name"]
        _put(self.registry, body)


def scheduler_says(registry: Registry, pod: Json, kind: str, reason: str, message: str, action: str) -> None:
    """The scheduler's events are of the newer make: a time, and neither first, last nor count."""
    body = {
        **_head(registry, pod, ""),
        "reason": reason,
        "message": message,
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "type": kind,
        "eventTime": registry.clock.micro(),
        "action": action,
        "reportingComponent": "default-scheduler",
        "reportingInstance": "default-scheduler-stand-in",
    }
    _put(registry, body)


def _head(registry: Registry, about: Json, container: str) -> Json:
    held = about["metadata"]
    namespace = held.get("namespace", "default")
    involved = {
        "kind": about["kind"],
        "namespace": namespace,
        "name": held["name"],
        "uid": held["uid"],
        "apiVersion": about["apiVersion"],
        "resourceVersion": held.get("resourceVersion", ""),
        **({"fieldPath": f"spec.containers{{{container}}}"} if container else {}),
    }
    metadata = {
        "name": f"{held['name']}.{uuid.uuid4().hex[:16]}",
        "namespace": namespace,
        "uid": str(uuid.uuid4()),
        "creationTimestamp": registry.clock.stamp(),
    }
    return {"kind": "Event", "apiVersion": "v1", "metadata": metadata, "involvedObject": involved}


def _put(registry: Registry, body: Json) -> None:
    namespace = body["metadata"]["namespace"]
    home = registry.store.get("namespaces", ("", namespace))
    if home is None or "deletionTimestamp" in home["metadata"]:
        return
    registry.store.put(EVENTS.store, (namespace, body["metadata"]["name"]), body)

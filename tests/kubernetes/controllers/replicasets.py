"""A ReplicaSet keeps as many pods as it should, and says how many it has."""

import copy
from collections.abc import Hashable, Iterable

from tests.kubernetes.clock import seconds_of
from tests.kubernetes.controllers.loop import Controller
from tests.kubernetes.controllers.recorder import Recorder
from tests.kubernetes.errors import ApiError
from tests.kubernetes.kinds import Json, resource
from tests.kubernetes.registry import Registry
from tests.kubernetes.storage import Key, StoreChange

SETS, PODS = resource("replicasets.apps"), resource("pods")
BACK_OFF_S, LONGEST_BACK_OFF_S = 0.2, 60.0


def condition(body: Json, kind: str) -> Json | None:
    """One of an object's conditions."""
    found = body.get("status", {}).get("conditions") or ()
    return next((one for one in found if one["type"] == kind), None)


def ready(pod: Json) -> bool:
    """Does it take requests?"""
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def alive(pod: Json) -> bool:
    """Does it count as one of its set's?"""
    over = pod["status"].get("phase") in {"Succeeded", "Failed"}
    return not over and "deletionTimestamp" not in pod["metadata"]


def owner_key(body: Json | None, kind: str) -> Key | None:
    """The owner of this kind."""
    for owner in (body or {}).get("metadata", {}).get("ownerReferences", ()):
        if owner["kind"] == kind and body is not None:
            return body["metadata"]["namespace"], owner["name"]
    return None


class ReplicaSetController(Controller):
    """By the set's key."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.events = Recorder(registry, "replicaset-controller")
        self._failures: dict[str, int] = {}

    def wants(self, change: StoreChange) -> Iterable[Hashable]:
        """The set itself, and that of a pod."""
        if change.store == SETS.store:
            return (change.key,)
        if change.store != PODS.store:
            return ()
        owner = owner_key(change.after or change.before, "ReplicaSet")
        return (owner,) if owner else ()

    def look(self, key: Hashable) -> None:
        """Add or take away pods, then say how many there are."""
        body = self.store.get(SETS.store, key)  # type: ignore[arg-type]
        if body is None:
            return
        pods = self.owned(PODS, body)
        living = [one for one in pods if alive(one)]
        trouble = condition(body, "ReplicaFailure")
        if "deletionTimestamp" not in body["metadata"]:
            missing = body["spec"]["replicas"] - len(living)
            if missing > 0:
                trouble = self._add(key, body, missing)
            elif missing < 0:
                trouble = None
                for pod in sorted(living, key=_first_to_go)[:-missing]:
                    self._take(body, pod)
            elif not missing:
                trouble = None
        self._tell(body, trouble)

    def _add(self, key: Hashable, owner: Json, missing: int) -> Json | None:
        """Make pods until one is refused; the answer is the condition that says so."""
        metadata = owner["metadata"]
        reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": metadata["name"], "uid": metadata["uid"]}
        for _ in range(missing):
            pod = copy.deepcopy(owner["spec"]["template"])
            pod["metadata"] |= {
                "generateName": f"{metadata['name']}-",
                "ownerReferences": [{**reference, "controller": True, "blockOwnerDeletion": True}],
            }
            try:
                made = self.registry.create(PODS, metadata["namespace"], pod)
            except ApiError as error:
                if error.code != 403:
                    raise
                return self._refused(key, owner, error.message)
            self.events.say(owner, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        self._failures.pop(metadata["uid"], None)
        return None

    def _refused(self, key: Hashable, owner: Json, message: str) -> Json:
        """Try again later, ever more rarely: nothing wakes it before."""
        uid = owner["metadata"]["uid"]
        count = self._failures.get(uid, 0)
        self._failures[uid] = count + 1
        self.events.say(owner, "Warning", "FailedCreate", f"Error creating: {message}")
        self.later(min(BACK_OFF_S * 2**count, LONGEST_BACK_OFF_S), key)
        held = condition(owner, "ReplicaFailure")
        since = held["lastTransitionTime"] if held else self.clock.stamp()
        failed = {"type": "ReplicaFailure", "status": "True", "lastTransitionTime": since, "reason": "FailedCreate"}
        return {**failed, "message": held["message"] if held else message}

    def _take(self, owner: Json, pod: Json) -> None:
        self.registry.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"], {})
        self.events.say(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _tell(self, body: Json, trouble: Json | None) -> None:
        pods = self.owned(PODS, body)
        living = [one for one in pods if alive(one)]
        able = [one for one in living if ready(one)]
        available = [one for one in able if self._available(body, one)]
        counts = {
            "replicas": len(living),
            "fullyLabeledReplicas": len(living),
            "readyReplicas": len(able),
            "availableReplicas": len(available),
        }
        status: Json = {key: value for key, value in counts.items() if value or key == "replicas"}
        status["terminatingReplicas"] = sum("deletionTimestamp" in one["metadata"] for one in pods)
        status["observedGeneration"] = body["metadata"]["generation"]
        if trouble:
            status["conditions"] = [trouble]
        self.registry.status(SETS, body, status)

    def _available(self, body: Json, pod: Json) -> bool:
        wanted_s = body["spec"].get("minReadySeconds", 0)
        since = condition(pod, "Ready")
        if not wanted_s or since is None:
            return True
        left_s: float = seconds_of(since["lastTransitionTime"]) + wanted_s - self.clock.now_s()
        if left_s > 0:
            self.later(left_s + 0.01, (body["metadata"]["namespace"], body["metadata"]["name"]))
        return left_s <= 0


def _first_to_go(pod: Json) -> tuple[bool, bool, float]:
    """Not scheduled, then not ready, then the youngest."""
    found = condition(pod, "Ready") or {}
    stamp = found.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"]
    return bool(pod["spec"].get("nodeName")), ready(pod), -seconds_of(stamp)

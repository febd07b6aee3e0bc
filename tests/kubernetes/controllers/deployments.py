"""A Deployment moves from one ReplicaSet to the next, as fast as its strategy allows."""

import copy
import json
import zlib
from collections.abc import Hashable, Iterable

from tests.kubernetes.controllers.loop import Controller
from tests.kubernetes.controllers.progress import deployment_status, room
from tests.kubernetes.controllers.recorder import Recorder
from tests.kubernetes.controllers.replicasets import PODS, SETS, condition, owner_key
from tests.kubernetes.kinds import Json, resource
from tests.kubernetes.registry import Registry
from tests.kubernetes.storage import StoreChange

DEPLOYMENTS = resource("deployments.apps")
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
HASH = "pod-template-hash"
_SAFE = "bcdf456789"


def template_hash(template: Json) -> str:
    """The label that tells the pods of one template from those of another."""
    said = json.dumps(template, sort_keys=True).encode()
    return "".join(_SAFE[int(digit)] for digit in str(zlib.crc32(said)))


class DeploymentController(Controller):
    """By the Deployment's key."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.events = Recorder(registry, "deployment-controller")

    def wants(self, change: StoreChange) -> Iterable[Hashable]:
        """The Deployment itself, that of a set, and that of a pod that went."""
        if change.store == DEPLOYMENTS.store:
            return (change.key,)
        if change.store == PODS.store and change.after is None:
            owner = owner_key(change.before, "ReplicaSet")
            found = owner_key(self.store.get(SETS.store, owner), "Deployment") if owner else None
            return (found,) if found else ()
        owner = owner_key(change.after or change.before, "Deployment") if change.store == SETS.store else None
        return (owner,) if owner else ()

    def look(self, key: Hashable) -> None:
        """One step of the rollout, and the status."""
        body = self.store.get(DEPLOYMENTS.store, key)  # type: ignore[arg-type]
        if body is None:
            return
        sets = self.owned(SETS, body)
        if "deletionTimestamp" not in body["metadata"]:
            new = self._newest(body, sets)
            if new is None and not body["spec"].get("paused"):
                self._begin(body, sets)
                return
            if new is not None:
                old = [one for one in sets if one is not new]
                self._numbered(body, new)
                self._scaled(body, new, old)
                self._tidied(body, old)
        live = self.store.get(DEPLOYMENTS.store, key)  # type: ignore[arg-type]
        if live is not None:
            sets = self.owned(SETS, live)
            new = self._newest(live, sets)
            status, again_s = deployment_status(live, new, sets, self.clock)
            self.registry.status(DEPLOYMENTS, live, status)
            if again_s is not None:
                self.later(again_s, key)

    def _newest(self, body: Json, sets: list[Json]) -> Json | None:
        wanted = body["spec"]["template"]
        for one in sets:
            held = copy.deepcopy(one["spec"]["template"])
            held["metadata"].get("labels", {}).pop(HASH, None)
            if held == wanted:
                return one
        return None

    def _begin(self, body: Json, sets: list[Json]) -> None:
        """A new set for a new template; with room for its first pods."""
        metadata, spec = body["metadata"], body["spec"]
        mark = template_hash(spec["template"])
        template = copy.deepcopy(spec["template"])
        labels = {**template["metadata"].get("labels", {}), HASH: mark}
        template["metadata"]["labels"] = labels
        selector = copy.deepcopy(spec["selector"])
        selector.setdefault("matchLabels", {})[HASH] = mark
        revision = 1 + max((int(one["metadata"]["annotations"][REVISION]) for one in sets), default=0)
        surge, _ = room(spec)
        running = sum(one["spec"]["replicas"] for one in sets)
        first = max(0, min(spec["replicas"], spec["replicas"] + surge - running))
        if spec["strategy"]["type"] == "Recreate" and running:
            first = 0
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"], "uid": metadata["uid"]}
        annotations = {DESIRED: str(spec["replicas"]), MOST: str(spec["replicas"] + surge), REVISION: str(revision)}
        made = {
            "metadata": {
                "name": f"{metadata['name']}-{mark}",
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [{**reference, "controller": True, "blockOwnerDeletion": True}],
            },
            "spec": {"replicas": first, "selector": selector, "template": template},
        }
        if "minReadySeconds" in spec:
            made["spec"]["minReadySeconds"] = spec["minReadySeconds"]
        new = self.registry.create(SETS, metadata["namespace"], made)
        self._progressing(body, "NewReplicaSetCreated", f'Created new replica set "{new["metadata"]["name"]}"')
        if first:
            name = new["metadata"]["name"]
            self.events.say(body, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {first}")

    def _progressing(self, body: Json, reason: str, message: str) -> None:
        live = self.registry.read(DEPLOYMENTS, body["metadata"]["namespace"], body["metadata"]["name"])
        stamp = self.clock.stamp()
        held = condition(live, "Progressing")
        since = held["lastTransitionTime"] if held and held["status"] == "True" else stamp
        told = {"type": "Progressing", "status": "True", "lastUpdateTime": stamp, "lastTransitionTime": since}
        told |= {"reason": reason, "message": message}
        others = [one for one in live["status"].get("conditions", ()) if one["type"] != "Progressing"]
        self.registry.status(DEPLOYMENTS, live, {**live["status"], "conditions": [*others, told]})

    def _numbered(self, body: Json, new: Json) -> None:
        """The revision of the newest set, on it and on the Deployment. One that comes back is the newest again."""
        others = [one for one in self.owned(SETS, body) if one["metadata"]["uid"] != new["metadata"]["uid"]]
        highest = max((int(one["metadata"]["annotations"][REVISION]) for one in others), default=0)
        mine = int(new["metadata"]["annotations"][REVISION])
        revision = str(max(mine, highest + 1))
        for of, one in ((SETS, new), (DEPLOYMENTS, body)):
            live = self.registry.read(of, one["metadata"]["namespace"], one["metadata"]["name"])
            held = live["metadata"].get("annotations") or {}
            if held.get(REVISION) != revision:
                changed = copy.deepcopy(live)
                changed["metadata"]["annotations"] = {**held, REVISION: revision}
                self.registry.changed(of, live, changed)

    def _scaled(self, body: Json, new: Json, old: list[Json]) -> None:
        spec = body["spec"]
        surge, fewer = room(spec)
        wanted, have = spec["replicas"], new["spec"]["replicas"]
        running = have + sum(one["spec"]["replicas"] for one in old)
        if have > wanted or (spec.get("paused") and not old):
            self._scale(body, new, wanted)
        elif spec.get("paused"):
            return
        elif spec["strategy"]["type"] == "Recreate":
            if any(self.owned(PODS, one) or one["spec"]["replicas"] for one in old):
                for one in old:
                    self._scale(body, one, 0)
            else:
                self._scale(body, new, wanted)
            return
        elif have < wanted:
            self._scale(body, new, max(have, min(wanted, have + wanted + surge - running)))
        if not spec.get("paused"):
            self._fewer(body, new, old, wanted - fewer)

    def _fewer(self, body: Json, new: Json, old: list[Json], least: int) -> None:
        """Take from the old sets what may go: first what is not ready, then what the new set makes up for."""
        new = self.registry.read(SETS, new["metadata"]["namespace"], new["metadata"]["name"])
        every = [new, *old]
        running = sum(one["spec"]["replicas"] for one in every)
        waiting = new["spec"]["replicas"] - new["status"].get("availableReplicas", 0)
        spare = running - least - waiting
        if spare <= 0:
            return
        for one in sorted(old, key=lambda each: int(each["metadata"]["annotations"][REVISION])):
            sick = one["spec"]["replicas"] - one["status"].get("availableReplicas", 0)
            if (count := min(sick, spare)) > 0:
                self._scale(body, one, one["spec"]["replicas"] - count)
                spare -= count
        spare = min(spare, sum(one["status"].get("availableReplicas", 0) for one in every) - least)
        for one in sorted(old, key=lambda each: int(each["metadata"]["annotations"][REVISION])):
            live = self.registry.read(SETS, one["metadata"]["namespace"], one["metadata"]["name"])
            if (count := min(live["spec"]["replicas"], spare)) > 0:
                self._scale(body, live, live["spec"]["replicas"] - count)
                spare -= count

    def _scale(self, body: Json, one: Json, count: int) -> None:
        live = self.registry.read(SETS, one["metadata"]["namespace"], one["metadata"]["name"])
        before = live["spec"]["replicas"]
        surge, _ = room(body["spec"])
        changed = copy.deepcopy(live)
        changed["spec"]["replicas"] = count
        wanted = body["spec"]["replicas"]
        changed["metadata"]["annotations"] |= {DESIRED: str(wanted), MOST: str(wanted + surge)}
        self.registry.changed(SETS, live, changed)
        if before != count:
            way = "up" if count > before else "down"
            message = f"Scaled {way} replica set {live['metadata']['name']} from {before} to {count}"
            self.events.say(body, "Normal", "ScalingReplicaSet", message)

    def _tidied(self, body: Json, old: list[Json]) -> None:
        """Old sets without pods beyond the history that is kept."""
        empty = [one for one in old if not one["spec"]["replicas"] and not self.owned(PODS, one)]
        by_age = sorted(empty, key=lambda one: int(one["metadata"]["annotations"][REVISION]))
        for one in by_age[: max(0, len(empty) - body["spec"]["revisionHistoryLimit"])]:
            self.registry.delete(SETS, one["metadata"]["namespace"], one["metadata"]["name"], {})

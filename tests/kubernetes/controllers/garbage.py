"""What goes with its owner: in the background after it, in the foreground before it, or not at all."""

import copy
from collections.abc import Hashable, Iterable

from tests.kubernetes.controllers.loop import Controller
from tests.kubernetes.kinds import RESOURCES, Json, resource
from tests.kubernetes.storage import StoreChange

_BY_KIND = {(one.group_version, one.kind): one for one in RESOURCES}


class GarbageCollector(Controller):
    """Looks at owners that are gone (by uid) and at owners that wait for what they own (by drawer and key)."""

    def wants(self, change: StoreChange) -> Iterable[Hashable]:
        """An owner that went or is going, and the owners of what went."""
        if change.after is None and change.before is not None:
            yield ("gone", change.before["metadata"]["uid"])
            for owner in change.before["metadata"].get("ownerReferences", ()):
                of = _BY_KIND.get((owner["apiVersion"], owner["kind"]))
                if of is not None:
                    yield (of.store, (change.key[0], owner["name"]))
        elif change.after is not None and change.after["metadata"].get("finalizers"):
            yield (change.store, change.key)

    def look(self, key: Hashable) -> None:
        """Delete or let go."""
        assert isinstance(key, tuple)
        if key[0] == "gone":
            for store, dependent in sorted(self.store.owned.get(key[1], ())):
                body = self.store.get(store, dependent)
                if body is not None and "deletionTimestamp" not in body["metadata"]:
                    self.registry.delete(resource(store), *dependent, {})
            return
        body = self.store.get(*key)
        if body is None or "deletionTimestamp" not in body["metadata"]:
            return
        finalizers = body["metadata"].get("finalizers", ())
        if "foregroundDeletion" in finalizers:
            self._foreground(key[0], body)
        elif "orphan" in finalizers:
            self._orphan(key[0], body)

    def _foreground(self, store: str, owner: Json) -> None:
        dependents = sorted(self.store.owned.get(owner["metadata"]["uid"], ()))
        for drawer, key in dependents:
            body = self.store.get(drawer, key)
            if body is not None and "deletionTimestamp" not in body["metadata"]:
                policy = {} if drawer == "pods" else {"propagationPolicy": "Foreground"}
                self.registry.delete(resource(drawer), *key, policy)
        if not self.store.owned.get(owner["metadata"]["uid"]):
            self._without(store, owner, "foregroundDeletion")

    def _orphan(self, store: str, owner: Json) -> None:
        uid = owner["metadata"]["uid"]
        for drawer, key in sorted(self.store.owned.get(uid, ())):
            body = self.store.get(drawer, key)
            if body is None:
                continue
            left = copy.deepcopy(body)
            references = [one for one in left["metadata"]["ownerReferences"] if one["uid"] != uid]
            left["metadata"]["ownerReferences"] = references
            if not references:
                del left["metadata"]["ownerReferences"]
            self.registry.changed(resource(drawer), body, left)
        self._without(store, owner, "orphan")

    def _without(self, store: str, owner: Json, finalizer: str) -> None:
        key = (owner["metadata"].get("namespace", ""), owner["metadata"]["name"])
        live = self.store.get(store, key)
        if live is None:
            return
        body = copy.deepcopy(live)
        body["metadata"]["finalizers"] = [one for one in live["metadata"]["finalizers"] if one != finalizer]
        if not body["metadata"]["finalizers"]:
            del body["metadata"]["finalizers"]
        self.registry.changed(resource(store), live, body)

"""Changes of one object, read and written back: only of ours, and only from the version that was read."""

from collections.abc import Callable
from typing import TypeAlias

from core.domain.errors import Refused
from core.targets.kubernetes.api_errors import ApiConflict, ApiMissing, Json
from core.targets.kubernetes.calls import APPLY, MANAGER, MERGE, ApiCalls
from core.targets.kubernetes.held_fields import without
from core.targets.kubernetes.labels import ClusterEndpoint, ours
from core.targets.kubernetes.paths import ApiKind
from core.targets.kubernetes.watching import ClusterWatch

TRIES = 5
Edit: TypeAlias = Callable[[Json], Json | None]
"""From an object to a merge patch of it; None where it is right already. Raises Refused where it may not be."""


class ForeignObject(Refused):
    """Somebody else made the object of this name."""


class ObjectChanges:
    """Writes to one endpoint's objects. What was answered is put into the watch, where there is one."""

    def __init__(self, at: ClusterEndpoint, calls: ApiCalls) -> None:
        self.at = at
        self.calls = calls
        self.watch: ClusterWatch | None = None

    def read(self, kind: ApiKind, name: str, *, known: bool = True) -> Json | None:
        """An object: as the watch knows it, or as the server has it; None where there is none."""
        if known and self.watch is not None and self.watch.synced:
            body = self.watch.view().get(kind, name)
            if body is not None:
                return body
        try:
            return self.calls.ask("GET", kind.path(self.at.place.namespace, name))
        except ApiMissing:
            return None

    def owned(self, kind: ApiKind, name: str, *, known: bool = True) -> Json | None:
        """An object of ours; raises ForeignObject where one of this name is somebody else's."""
        body = self.read(kind, name, known=known)
        if body is not None and not ours(body["metadata"].get("labels"), self.at):
            raise ForeignObject(
                f"{kind.plural}/{name} in {self.at.place.namespace} is not Quarterdeck's, and was left as it is; "
                "rename the endpoint, or delete it there"
            )
        return body

    def change(self, kind: ApiKind, name: str, edit: Edit, *, known: bool = True) -> Json:
        """Change an object of ours from the very version that `edit` saw; where it changed meanwhile it is read again.

        A call that lands late, after another change, is refused by the server. Raises ApiMissing where it is not there.
        """
        for number in range(TRIES):
            body = self.owned(kind, name, known=known and number == 0)
            if body is None:
                raise ApiMissing(f"{kind.plural}/{name}: there is none in {self.at.place.namespace}")
            change = edit(body)
            if change is None:
                return body
            head = {**change.get("metadata", {}), "resourceVersion": body["metadata"]["resourceVersion"]}
            try:
                return self._sent(kind, name, {**change, "metadata": head}, MERGE)
            except ApiConflict:
                if number == TRIES - 1:
                    raise
        raise AssertionError("not reached")

    def apply(self, kind: ApiKind, body: Json) -> Json:
        """Server-side apply of an object of ours. A field that somebody else holds is a conflict, and never taken."""
        name = body["metadata"]["name"]
        self.owned(kind, name)
        return self._sent(kind, name, body, APPLY)

    def apply_rest(self, kind: ApiKind, body: Json) -> ApiConflict | None:
        """Server-side apply of all that nobody else holds. The conflict over the rest, which stays as it is there."""
        try:
            self.apply(kind, body)
        except ApiConflict as conflict:
            rest = without(body, [path for fields in conflict.held.values() for path in fields])
            if not conflict.held or rest is None:
                raise
            self.apply(kind, rest)
            return conflict
        return None

    def create(self, kind: ApiKind, body: Json) -> Json:
        """An object that is not there; whoever was quicker has made it."""
        name = body["metadata"]["name"]
        if (found := self.owned(kind, name)) is not None:
            return found
        try:
            made = self.calls.ask("POST", kind.path(self.at.place.namespace), body, query={"fieldManager": MANAGER})
        except ApiConflict:
            found = self.owned(kind, name, known=False)
            if found is None:
                raise
            return found
        return self._told(kind, made)

    def scale(self, kind: ApiKind, name: str, count: int) -> None:
        """So many replicas, whoever set another figure before."""
        change = {"spec": {"replicas": count}}
        path = kind.path(self.at.place.namespace, name, "scale")
        self.calls.ask("PATCH", path, change, kind=MERGE, query={"fieldManager": MANAGER})

    def delete(self, kind: ApiKind, name: str) -> bool:
        """Let an object of ours go, with what hangs on it; False where there is none."""
        body = self.owned(kind, name, known=False)
        if body is None:
            return False
        asked = {"propagationPolicy": "Background", "preconditions": {"uid": body["metadata"]["uid"]}}
        try:
            self.calls.ask("DELETE", kind.path(self.at.place.namespace, name), asked)
        except ApiMissing:
            return False
        return True

    def _sent(self, kind: ApiKind, name: str, body: Json, how: str) -> Json:
        path = kind.path(self.at.place.namespace, name)
        return self._told(kind, self.calls.ask("PATCH", path, body, kind=how, query={"fieldManager": MANAGER}))

    def _told(self, kind: ApiKind, body: Json) -> Json:
        if self.watch is not None and self.watch.synced:
            self.watch.put(kind, body)
        return body

"""What the cluster holds: every object in its newest version, and every change since the last compaction.

Objects in it are never changed in place: whoever writes puts another one there.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.kubernetes.errors import expired
from tests.kubernetes.kinds import Json

FIRST_VERSION = 5000
Key = tuple[str, str]
"""Namespace (empty for what has none) and name."""


@dataclass(frozen=True, slots=True)
class StoreChange:
    """One write: `before` is None for a new object, `after` for one that is gone. `last` is the object as it went."""

    version: int
    store: str
    key: Key
    before: Json | None
    after: Json | None
    last: Json | None = None


@dataclass(slots=True)
class ObjectStore:
    """All objects by drawer and key. Versions grow by one with each write, whatever is written."""

    version: int = FIRST_VERSION
    compacted: int = FIRST_VERSION
    history: list[StoreChange] = field(default_factory=list)
    objects: dict[str, dict[Key, Json]] = field(default_factory=dict)
    owned: dict[str, set[tuple[str, Key]]] = field(default_factory=dict)
    listeners: list[Callable[[StoreChange], None]] = field(default_factory=list)

    def get(self, store: str, key: Key) -> Json | None:
        """The object as it is."""
        return self.objects.get(store, {}).get(key)

    def items(self, store: str, namespace: str | None = None) -> list[Json]:
        """All of a drawer, or those of one namespace, by name."""
        return [one for _, one in self._sorted(self.objects.get(store, {}), namespace)]

    def items_at(self, store: str, namespace: str | None, version: int) -> list[Json]:
        """The same as it was at a version that is not compacted yet."""
        if version < self.compacted:
            raise expired("The resourceVersion for the provided list is too old.")
        then = dict(self.objects.get(store, {}))
        for change in reversed(self.history):
            if change.version <= version:
                break
            if change.store == store:
                if change.before is None:
                    then.pop(change.key, None)
                else:
                    then[change.key] = change.before
        return [one for _, one in self._sorted(then, namespace)]

    @staticmethod
    def _sorted(drawer: dict[Key, Json], namespace: str | None) -> Iterator[tuple[Key, Json]]:
        chosen = [entry for entry in drawer.items() if namespace is None or entry[0][0] == namespace]
        yield from sorted(chosen, key=lambda entry: entry[0])

    def put(self, store: str, key: Key, body: Json) -> Json:
        """Write an object; the answer is it with its version."""
        before = self.get(store, key)
        self.version += 1
        after = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        self.objects.setdefault(store, {})[key] = after
        self._own(store, key, before, after)
        self._tell(StoreChange(self.version, store, key, before, after))
        return after

    def remove(self, store: str, key: Key) -> Json:
        """Take an object away; the answer is it as it went."""
        before = self.objects[store].pop(key)
        self.version += 1
        last = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.version)}}
        self._own(store, key, before, None)
        self._tell(StoreChange(self.version, store, key, before, None, last))
        return last

    def _own(self, store: str, key: Key, before: Json | None, after: Json | None) -> None:
        for body, add in ((before, False), (after, True)):
            for owner in (body or {}).get("metadata", {}).get("ownerReferences", ()):
                dependents = self.owned.setdefault(owner["uid"], set())
                (dependents.add if add else dependents.discard)((store, key))

    def _tell(self, change: StoreChange) -> None:
        self.history.append(change)
        for listener in tuple(self.listeners):
            listener(change)

    def since(self, version: int) -> list[StoreChange]:
        """Every change after a version, in order."""
        start = bisect_right(self.history, version, key=lambda change: change.version)
        return self.history[start:]

    def compact(self) -> None:
        """Forget what was: a watch or a list from before is refused from here on."""
        self.history.clear()
        self.compacted = self.version

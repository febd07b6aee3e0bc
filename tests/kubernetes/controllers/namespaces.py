"""A namespace gets its account when it is new, and takes all that is in it along when it goes."""

from collections.abc import Hashable, Iterable

from tests.kubernetes.controllers.loop import Controller
from tests.kubernetes.kinds import resource
from tests.kubernetes.storage import StoreChange

NAMESPACES = resource("namespaces")


class NamespaceController(Controller):
    """By the namespace's name."""

    def wants(self, change: StoreChange) -> Iterable[Hashable]:
        """The namespace itself, and one that is ending whenever something in it went."""
        if change.store == NAMESPACES.store:
            return (change.key[1],)
        return (change.key[0],) if change.after is None and change.key[0] else ()

    def look(self, key: Hashable) -> None:
        """Furnish it, or empty it."""
        name = str(key)
        body = self.get(NAMESPACES, ("", name))
        if body is None:
            return
        if "deletionTimestamp" not in body["metadata"]:
            self._furnish(name)
            return
        left = False
        for drawer in tuple(self.store.objects):
            for one in self.store.items(drawer, name) if drawer != NAMESPACES.store else ():
                left = True
                if "deletionTimestamp" not in one["metadata"]:
                    self.registry.delete(resource(drawer), name, one["metadata"]["name"], {})
                    self.later(0.01, key)
        if not left:
            self.store.remove(NAMESPACES.store, ("", name))

    def _furnish(self, name: str) -> None:
        wanted = (
            ("serviceaccounts", {"metadata": {"name": "default"}}),
            ("configmaps", {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": ""}}),
        )
        for plural, body in wanted:
            if self.store.get(plural, (name, body["metadata"]["name"])) is None:
                self.registry.create(resource(plural), name, body)

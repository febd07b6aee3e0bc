"""Says of each quota how much of it is taken up."""

from collections.abc import Hashable, Iterable

from tests.kubernetes.admission import in_use, shown
from tests.kubernetes.controllers.loop import Controller
from tests.kubernetes.kinds import resource
from tests.kubernetes.storage import StoreChange

QUOTAS = resource("resourcequotas")


class QuotaController(Controller):
    """By the quota's key."""

    def wants(self, change: StoreChange) -> Iterable[Hashable]:
        """Every quota of a namespace in which something came or went."""
        if change.store == QUOTAS.store:
            return (change.key,)
        counted = change.store not in {"events", "leases.coordination.k8s.io"}
        if not counted or (change.before is not None and change.after is not None and change.store != "pods"):
            return ()
        quotas = self.store.objects.get(QUOTAS.store, {})
        return tuple(key for key in quotas if key[0] == change.key[0])

    def look(self, key: Hashable) -> None:
        """Write its status."""
        quota = self.store.get(QUOTAS.store, key)  # type: ignore[arg-type]
        if quota is None:
            return
        hard = quota["spec"].get("hard") or {}
        used = in_use(self.store, quota["metadata"]["namespace"], hard)
        status = {"hard": hard, "used": {name: shown(name, amount) for name, amount in used.items()}}
        self.registry.status(QUOTAS, quota, status)

"""All controllers on one loop, in the order in which they look."""

from tests.kubernetes.controllers.garbage import GarbageCollector
from tests.kubernetes.controllers.loop import WorkLoop
from tests.kubernetes.controllers.namespaces import NamespaceController
from tests.kubernetes.registry import Registry


class Controllers:
    """Started with the cluster, paused while its server is away, ended with it."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.work = WorkLoop()
        for one in (NamespaceController(registry), GarbageCollector(registry)):
            self.work.add(one)

    def start(self) -> None:
        """Listen to changes."""
        self.registry.store.listeners.append(self.work.told)

    def pause(self) -> None:
        """Do nothing while the server is away."""
        self.work.pause()

    def resume(self) -> None:
        """Go on."""
        self.work.pause(paused=False)

    async def stop(self) -> None:
        """For ever."""
        self.work.end()

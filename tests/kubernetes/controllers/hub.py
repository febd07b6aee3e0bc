"""All controllers and the kubelets on one loop, in the order in which they look."""

from tests.kubernetes.controllers.autoscalers import AutoscalerController
from tests.kubernetes.controllers.deployments import DeploymentController
from tests.kubernetes.controllers.endpoints import EndpointsController
from tests.kubernetes.controllers.garbage import GarbageCollector
from tests.kubernetes.controllers.loop import WorkLoop
from tests.kubernetes.controllers.namespaces import NamespaceController
from tests.kubernetes.controllers.quotas import QuotaController
from tests.kubernetes.controllers.replicasets import ReplicaSetController
from tests.kubernetes.controllers.scheduler import Scheduler
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.metrics import PodMetrics
from tests.kubernetes.registry import Registry


class Controllers:
    """Started with the cluster, paused while its server is away, ended with it."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.work = WorkLoop()
        self.kubelet = Kubelet(registry)
        self.metrics = PodMetrics(registry, self.kubelet)
        self.autoscaler = AutoscalerController(registry, self.metrics)
        for one in (
            NamespaceController(registry),
            GarbageCollector(registry),
            QuotaController(registry),
            DeploymentController(registry),
            ReplicaSetController(registry),
            Scheduler(registry),
            EndpointsController(registry),
            self.autoscaler,
        ):
            self.work.add(one)

    @property
    def troubles(self) -> list[BaseException]:
        """What went wrong in them, which no test may leave."""
        return [*self.work.troubles, *self.kubelet.troubles]

    def start(self) -> None:
        """Listen to changes."""
        self.registry.store.listeners += [self.work.told, self.kubelet.told]

    def pause(self) -> None:
        """Do nothing while the server is away. Pods run on."""
        self.work.pause()
        self.kubelet.up.clear()

    def resume(self) -> None:
        """Go on."""
        self.kubelet.up.set()
        self.work.pause(paused=False)

    async def stop(self) -> None:
        """For ever."""
        self.work.end()
        await self.kubelet.stop()

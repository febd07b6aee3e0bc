"""Endpoints in a stand-in cluster, for tests of the Kubernetes target."""

import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.config.serving import EndpointSettings
from core.targets.kubernetes.client import KubernetesTarget
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.settings import KubernetesSettings, Traffic
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.images import PodImage
from tests.kubernetes.kinds import GATEWAY_GROUP, resource
from tests.kubernetes.network import free_port

IMAGE = f"registry.example/late@sha256:{'0' * 64}"
SERVES = PodImage(
    command=("python",), instead={"python": sys.executable, "scoring": "tests.targets.kubernetes.pod_server"}
)
NAMESPACES = itertools.count(1)


@contextmanager
def serving_cluster() -> Iterator[Cluster]:
    """A stand-in whose pods are real processes, quick to start and to end."""
    with running() as cluster:
        cluster.gateway = True
        cluster.kubelet.speed = 20.0
        cluster.kubelet.default = SERVES
        yield cluster
        assert cluster.troubles == []


class ClusterPlace:
    """One namespace, and targets over an endpoint in it."""

    def __init__(self, cluster: Cluster, folder: Path, traffic: Traffic = "replicas", **more: Any) -> None:
        self.cluster = cluster
        self.folder = folder
        self.namespace = f"flights-{next(NAMESPACES)}"
        self.made: list[KubernetesTarget] = []
        cluster.do(lambda: cluster.registry.create(resource("namespaces"), "", {"metadata": {"name": self.namespace}}))
        endpoint = {"drain_s": 1.0, **more.pop("endpoint", {})}
        settings = {"service": {"type": "ClusterIP"}, "image": IMAGE, **more}
        if traffic == "gateway":
            settings["gateway"] = {"name": "front", "namespace": self.namespace}
            listener = {"name": "http", "port": free_port(), "protocol": "HTTP"}
            body = {"metadata": {"name": "front"}, "spec": {"listeners": [listener]}}
            of = resource(f"gateways.{GATEWAY_GROUP}")
            cluster.do(lambda: cluster.registry.create(of, self.namespace, body))
        self.at = ClusterEndpoint(
            name="late",
            called="late",
            endpoint=EndpointSettings(name="late", **endpoint),
            place=KubernetesSettings(context="stand-in", namespace=self.namespace, traffic=traffic, **settings),
        )
        self.kubeconfig = str(cluster.kubeconfig(folder))

    def target(self, token: int = 0, folder: Path | None = None) -> KubernetesTarget:
        """A driver's target; one of another `folder` is another project's."""
        target = KubernetesTarget(self.at, folder or self.folder, token, kubeconfig=self.kubeconfig)
        self.made.append(target)
        return target

    async def close(self) -> None:
        """Let go of all, and let the namespace go with all that is in it."""
        for one in self.made:
            await one.close()
        cluster = self.cluster
        cluster.do(lambda: cluster.registry.delete(resource("namespaces"), "", self.namespace, {}))

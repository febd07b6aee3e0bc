"""Endpoints in a stand-in cluster, or in a real one, for tests of the Kubernetes target.

A real one is where `QUARTERDECK_TEST_KUBECONFIG` leads, by its current context; its nodes must be able to pull what
`QUARTERDECK_TEST_IMAGE` names (by its digest), with a model in it. A gateway is made by the stand-in alone.
"""

import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.config.serving import EndpointSettings
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.client import KubernetesTarget
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.paths import GATEWAYS, namespace_path
from core.targets.kubernetes.settings import KubernetesSettings, Traffic
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.images import PodImage
from tests.ports import free_port

IMAGE = f"registry.example/late@sha256:{'0' * 64}"
SERVES = PodImage(
    command=("python",), instead={"python": sys.executable, "scoring": "tests.targets.kubernetes.pod_server"}
)
NUMBERS = itertools.count(1)
REAL, REAL_IMAGE = "QUARTERDECK_TEST_KUBECONFIG", "QUARTERDECK_TEST_IMAGE"


@dataclass(frozen=True, slots=True)
class RealCluster:
    """A cluster that was there before the test."""

    path: Path
    context: str
    image: str

    @classmethod
    def named(cls) -> "RealCluster | None":
        """The one that the variables name; None where they name none."""
        if not (path := os.environ.get(REAL, "")):
            return None
        context = yaml.safe_load(Path(path).read_text(encoding="utf-8"))["current-context"]
        return cls(Path(path), context, os.environ[REAL_IMAGE])


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

    def __init__(self, home: Cluster | RealCluster, folder: Path, traffic: Traffic = "replicas", **more: Any) -> None:
        real = isinstance(home, RealCluster)
        self._home = home
        self.folder = folder
        self.namespace = f"quarterdeck-test-{os.getpid()}-{next(NUMBERS)}" if real else f"flights-{next(NUMBERS)}"
        self.made: list[KubernetesTarget] = []
        self.kubeconfig = str(home.path if isinstance(home, RealCluster) else home.kubeconfig(folder))
        context = home.context if isinstance(home, RealCluster) else "stand-in"
        self.calls = ApiCalls(context, self.kubeconfig)
        self.calls.ask("POST", namespace_path(), {"metadata": {"name": self.namespace}})
        endpoint = {"drain_s": 1.0, **more.pop("endpoint", {})}
        image = home.image if isinstance(home, RealCluster) else IMAGE
        settings = {"service": {"type": "ClusterIP"}, "image": image, **more}
        if traffic == "gateway":
            settings["gateway"] = {"name": "front", "namespace": self.namespace}
            listener = {"name": "http", "port": free_port(), "protocol": "HTTP"}
            body = {"metadata": {"name": "front"}, "spec": {"listeners": [listener]}}
            self.calls.ask("POST", GATEWAYS.path(self.namespace), body)
        self.at = ClusterEndpoint(
            name="late",
            called="late",
            endpoint=EndpointSettings(name="late", **endpoint),
            place=KubernetesSettings(context=context, namespace=self.namespace, traffic=traffic, **settings),
        )

    @property
    def cluster(self) -> Cluster:
        """The stand-in, for what only it can do."""
        assert isinstance(self._home, Cluster)
        return self._home

    def target(self, token: int = 0, folder: Path | None = None) -> KubernetesTarget:
        """A driver's target; one of another `folder` is another project's."""
        target = KubernetesTarget(self.at, folder or self.folder, token, kubeconfig=self.kubeconfig)
        self.made.append(target)
        return target

    async def close(self) -> None:
        """Let go of all, and let the namespace go with all that is in it."""
        for one in self.made:
            await one.close()
        self.calls.ask("DELETE", namespace_path(self.namespace))
        self.calls.close()

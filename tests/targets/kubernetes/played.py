"""A recording of a real cluster, played on a server that has what it is told."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from core.config.scaling import AutoscalingSettings
from core.config.serving import EndpointSettings
from core.domain.model import Version
from core.targets.kubernetes import labels
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.settings import ClusterServiceSettings, KubernetesSettings
from tests.targets.kubernetes.places import IMAGE
from tests.targets.kubernetes.told_server import Json, ToldCluster

FOLDER = Path(__file__).parents[2] / "data/kubernetes/recordings"
VERSIONS = {"blue": Version("late", "6", "run6", "models:/late/6"), "green": Version("late", "7", "run7")}
AT = ClusterEndpoint(
    name="late",
    called="late",
    endpoint=EndpointSettings(name="late", replicas=2, autoscaling=AutoscalingSettings(min=2, max=15, cpu=60)),
    place=KubernetesSettings(
        context="stand-in",
        namespace="flights",
        traffic="selector",
        image=IMAGE,
        service=ClusterServiceSettings(type="ClusterIP"),
    ),
)


class Plays(Protocol):
    """What a recording is played on."""

    usage: list[Json] | None
    answers: str

    def put(self, plural: str, body: Json) -> None:
        """An object is new or other than before."""
        ...

    def remove(self, plural: str, name: str) -> None:
        """An object is gone."""
        ...


class Recording:
    """Plays on a cluster. What was recorded becomes ours: it gets the labels and annotations that we would have put.

    A slot's traffic is the one of `serves`, whose Service is there from the start; empty: nothing is served.
    """

    def __init__(self, cluster: Plays, name: str, serves: str = "blue") -> None:
        lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        self._cluster = cluster
        self._lines = [json.loads(line) for line in lines]
        self.seconds: float = self._lines[-1]["t"]
        self.at_s = -1.0
        cluster.put("services", service(serves))
        cluster.answers = VERSIONS[serves].number if serves else ""

    def to(self, at_s: float) -> None:
        """Whatever happened until a second of the recording."""
        for line in self._lines:
            if self.at_s < line["t"] <= at_s:
                self._play(line)
        self.at_s = at_s

    def play(self, speed: float) -> None:
        """All of the rest, so many times as quickly as it happened."""
        begun_s, first_s = time.monotonic(), max(0.0, self.at_s)
        while self.at_s < self.seconds:
            self.to(first_s + speed * (time.monotonic() - begun_s))
            time.sleep(0.02)

    def _play(self, line: Json) -> None:
        if "usage" in line:
            self._cluster.usage = line["usage"]
        elif line["type"] == "DELETED":
            self._cluster.remove(line["kind"], line["object"]["metadata"]["name"])
        else:
            self._cluster.put(line["kind"], ours(line["object"]))


def ours(body: Json) -> Json:
    """An object as if we had made it."""
    slot = body["metadata"]["name"].split("-")[1]
    head = labels.metadata(AT, body["metadata"]["name"], slot, VERSIONS[slot])
    return {**body, "metadata": {**head, **body["metadata"]}}


def service(serves: str) -> Json:
    """The endpoint's Service, which leads to one slot."""
    head: dict[str, Any] = labels.metadata(AT, AT.name)
    chosen = labels.selector(AT, serves or "none")
    return {"metadata": head, "spec": {"type": "ClusterIP", "selector": chosen, "ports": [{"port": 80}]}}


@contextmanager
def told() -> Iterator[ToldCluster]:
    """A server that is gone afterwards."""
    cluster = ToldCluster(AT.place.namespace)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.close()

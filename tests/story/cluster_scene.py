"""A project that serves in a stand-in cluster in each way of traffic, and what stands there of it."""

import contextlib
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from tests.kubernetes.kinds import GATEWAY_GROUP, Json
from tests.ports import free_port
from tests.story.kills_scene import QUICK, Scene
from tests.story.shop import HOME
from tests.story.stand_in import NAMESPACE, StandIn

MARK = "quarterdeck.dev/"
SLOTS = ("blue", "green")
ERRORS = {"metric": "failed_percent", "op": "<", "limit": 5, "at_least": 20}
SLOW = dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), 20_000.0)
"""The only gate, and smoke tests that wait: how fast answers come is the machine's matter here."""
SCALING = {"min": 1, "max": 4, "cpu": 60}
DEPLOYMENTS, HPAS = "deployments.apps", "horizontalpodautoscalers.autoscaling"
ROUTES, LEASES = f"httproutes.{GATEWAY_GROUP}", "leases.coordination.k8s.io"
THEIRS = ("configmaps", "services", DEPLOYMENTS)


@dataclass(frozen=True, slots=True)
class TrafficWay:
    """One environment, whose endpoint's traffic is moved in a way of its own, and where callers reach it."""

    traffic: str
    env: str
    endpoint: str
    port: int


def ways() -> tuple[TrafficWay, ...]:
    """One of each."""
    return (
        TrafficWay("gateway", "dev", "iris-dev", free_port()),
        TrafficWay("selector", "staging", "iris-staging", free_port()),
        TrafficWay("replicas", "prod", "iris", free_port()),
    )


def image(number: str) -> str:
    """What a version's pods run."""
    return f"registry.example/iris@sha256:{int(number):064d}"


class ClusterScene(Scene):
    """The project. Its endpoints share a namespace with what is somebody else's."""

    def __init__(self, folder: Path, cluster: StandIn, places: Sequence[TrafficWay]) -> None:
        super().__init__(folder, (*QUICK, "release.retire_after_s=3600", "release.steps=[50,100]"))
        self.cluster = cluster
        self.places = places
        self.caller = cluster.caller()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.caller.client.close()

    def environ(self, **more: str) -> dict[str, str]:
        """With the way to the cluster."""
        return super().environ(KUBECONFIG=str(self.cluster.kubeconfig), **more)

    def furnish(self) -> Json:
        """Write the settings, give the pods their images; what is not ours in the namespace is the answer."""
        path = self.folder / "quarterdeck.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["target"] = "kubernetes"
        settings["kubernetes"] = {"context": "stand-in", "namespace": NAMESPACE}
        settings["endpoint"]["replicas"] = 1
        settings["release"]["gates"] = [ERRORS]
        for way in self.places:
            own = settings.setdefault("environments", {}).setdefault(way.env, {})
            own |= {"approve": "nobody", "kubernetes": _place(way), "release": {"smoke_limits": SLOW}}
            if way.traffic == "replicas":
                own["endpoint"] = {"autoscaling": SCALING}
        path.write_text(yaml.safe_dump(settings))
        for number in ("1", "2"):
            instead = {
                "python": sys.executable,
                "/model": str(self.folder / ".quarterdeck" / "models" / f"iris-{number}"),
            }
            where = {"PYTHONPATH": str(HOME)}
            self.cluster.tell("image", name=image(number), command=["python"], instead=instead, environment=where)
        self.caller.create("namespaces", {"metadata": {"name": NAMESPACE}})
        for way in self.places:
            if way.traffic == "gateway":
                listener = {"name": "http", "port": way.port, "protocol": "HTTP"}
                body = {"metadata": {"name": "front"}, "spec": {"listeners": [listener]}}
                assert self.caller.create(f"gateways.{GATEWAY_GROUP}", body).status_code == 201
        for plural, body in _theirs().items():
            made = self.caller.create(plural, {"metadata": {"name": "theirs", "labels": {"app": "iris"}}, **body})
            assert made.status_code == 201, made.text
        return self.foreign()

    def foreign(self) -> Json:
        """What is somebody else's, as far as nobody but them may change it."""
        found: Json = {}
        for plural in THEIRS:
            body = self.caller.read(plural, "theirs")
            head = {name: body["metadata"].get(name) for name in ("uid", "labels", "ownerReferences")}
            # Controllers count revisions there, in their own time.
            noted = body["metadata"].get("annotations") or {}
            head["annotations"] = {key: said for key, said in noted.items() if "deployment.kubernetes.io/" not in key}
            found[plural] = {**head, "spec": body.get("spec"), "data": body.get("data")}
        return found

    def wrong(self, way: TrafficWay, number: str) -> str:
        """What in the cluster is not as it is to be once a version has all traffic; empty where all is."""
        slot = self._slot(way, number)
        if not slot:
            return f"no Deployment of {way.endpoint} holds v{number}"
        if (found := self._leads(way)) != {slot}:
            return f"traffic leads to {sorted(found)}, not to {slot}"
        if way.traffic != "replicas":
            return ""
        head = self.caller.read("services", way.endpoint)["metadata"]
        if (kept := head["annotations"].get(f"{MARK}replicas", "{}")) != "{}":
            return f"replicas are still shares: {kept}"
        spec = self.caller.read(HPAS, f"{way.endpoint}-{slot}")["spec"]
        held = (spec["minReplicas"], spec["maxReplicas"])
        return "" if held == (SCALING["min"], SCALING["max"]) else f"the autoscaler of {slot} is held at {held}"

    def _slot(self, way: TrafficWay, number: str) -> str:
        for slot in SLOTS:
            answer = self.caller.get(DEPLOYMENTS, f"{way.endpoint}-{slot}")
            said = answer.json()["metadata"].get("annotations", {}) if answer.status_code == 200 else {}
            if said.get(f"{MARK}number") == number:
                return slot
        return ""

    def _leads(self, way: TrafficWay) -> set[str]:
        """The slots that callers come to, as the object says."""
        if way.traffic != "gateway":
            chosen = self.caller.read("services", way.endpoint)["spec"]["selector"]
            return {str(chosen.get(f"{MARK}slot", "all"))}
        rules = self.caller.read(ROUTES, way.endpoint)["spec"]["rules"]
        (rule,) = [one for one in rules if not any(match.get("headers") for match in one.get("matches") or ())]
        return {one["name"].removeprefix(f"{way.endpoint}-") for one in rule["backendRefs"] if one.get("weight", 1)}

    def leases(self, way: TrafficWay) -> str:
        """What is wrong about who drives: a Lease of a later driver than the journal's, or a holder that is dead."""
        token = self.caller.read(LEASES, way.endpoint)["metadata"]["annotations"][f"{MARK}token"]
        with contextlib.closing(sqlite3.connect(self.folder / ".quarterdeck" / "journal.db", timeout=10)) as database:
            query = "select token, held, pid from leases where endpoint = ?"
            known, held, pid = database.execute(query, (way.endpoint,)).fetchone()
        if int(token) > known:
            return f"the cluster's Lease is of driver {token}, the journal's of {known}"
        runs = pid in {process.pid for process in self.processes()}
        return f"held by {pid}, which does not run" if held and not runs else ""


def _place(way: TrafficWay) -> dict[str, Any]:
    if way.traffic == "gateway":
        front = {"name": "front", "namespace": NAMESPACE}
        return {"traffic": "gateway", "gateway": front, "service": {"type": "ClusterIP"}}
    return {"traffic": way.traffic, "service": {"type": "LoadBalancer", "port": way.port}}


def _theirs() -> dict[str, Json]:
    """Objects that somebody else made beside ours."""
    labels = {"app": "theirs"}
    container = {"name": "one", "image": "registry.example/theirs:1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "configmaps": {"data": {"key": "value"}},
        "services": {"spec": {"selector": labels, "ports": [{"port": 80}]}},
        DEPLOYMENTS: {"spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}},
    }

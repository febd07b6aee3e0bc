"""What people read where a cluster says no: by the real commands, one line each, with what to do and no secret."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from core.config.config import load
from core.domain.model import Observation
from core.state import events as ev
from core.targets.kubernetes.labels import cluster_endpoint
from core.targets.kubernetes.manifests_pod import deployment
from tests.environments import V1
from tests.kubernetes import bodies
from tests.kubernetes.access import AccessRule
from tests.kubernetes.caller import Caller
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.faults import FaultKind
from tests.ports import free_port
from tests.targets.kubernetes_scenes import GATEWAY, IMAGE
from tests.tui import past
from tui.cli import app

SECRET = "s3cret"
DRY = ("export", "kubernetes", "1", "--dry-run=server")
OURS = {"app.kubernetes.io/managed-by": "quarterdeck", "quarterdeck.dev/endpoint": past.ENDPOINT}
BLUE = f"{past.ENDPOINT}-blue"
LOG_IN = "log in as you do for kubectl, and see that 'kubectl --context stand-in get ns' works"


@dataclass(slots=True)
class Desk:
    """Where somebody sits: a project, a kubeconfig, and the cluster that both lead to."""

    cluster: Cluster
    caller: Caller
    folder: Path
    config: Path

    def place(self, **more: Any) -> None:
        """Other settings of the cluster."""
        said = yaml.safe_load(self.config.read_text())
        said["kubernetes"] |= more
        self.config.write_text(yaml.safe_dump(said))

    def user(self, **user: Any) -> None:
        """Another login in the kubeconfig."""
        path = self.folder / "kubeconfig"
        said = yaml.safe_load(path.read_text())
        said["users"][0]["user"] = user
        path.write_text(yaml.safe_dump(said))

    def other_selector(self) -> None:
        """A Deployment of ours as no version of ours makes it."""
        body = bodies.deployment(BLUE, 1)
        body["metadata"]["labels"] = OURS
        self.caller.apply("deployments.apps", body, manager="kustomize")

    def held_by_another(self) -> None:
        """A Deployment of ours that somebody else applies too, with another count."""
        at = cluster_endpoint(load(self.config, "dev"))
        self.caller.apply("deployments.apps", deployment(at, "blue", V1, IMAGE, 5), manager="kustomize")

    def plugin(self) -> None:
        """A login by a command that fails."""
        path = self.folder / "plugin"
        path.write_text(f"#!/bin/sh\necho {SECRET}\necho sign in again >&2\nexit 3\n")
        path.chmod(0o700)
        api = "client.authentication.k8s.io/v1"
        self.user(exec={"apiVersion": api, "command": str(path), "interactiveMode": "Never"})

    def away(self) -> None:
        """Nobody listens there."""
        path = self.folder / "kubeconfig"
        server = f"http://ada:{SECRET}@127.0.0.1:{free_port()}"
        path.write_text(path.read_text().replace(self.cluster.address, server))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running() as one:
        yield one


@pytest.fixture
def desk(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    cluster.faults.clear()
    cluster.access.denied.clear()
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
    project = past.project(tmp_path)
    with contextlib.closing(project.journal()) as journal:
        journal.append([ev.Observed(past.ENDPOINT, Observation("blue", V1, 2, 2, 100.0))], "watch", past.T + 4000)
    said = yaml.safe_load(project.path.read_text())
    place = {"context": "stand-in", "namespace": "flights", "image": IMAGE, "traffic": "selector"}
    project.path.write_text(yaml.safe_dump({**said, "target": "kubernetes", "kubernetes": place}))
    caller = Caller(cluster, "flights")
    caller.create("namespaces", {"metadata": {"name": "flights"}})
    yield Desk(cluster, caller, tmp_path, project.path)
    cluster.faults.clear()
    cluster.access.denied.clear()
    for plural in ("deployments.apps", "services"):
        for body in caller.get(plural).json()["items"]:
            caller.delete(plural, body["metadata"]["name"])
    caller.client.close()


def deny(desk: Desk) -> None:
    desk.cluster.access.denied.append(AccessRule(("patch",), ("deployments",)))


def busy(desk: Desk) -> None:
    desk.cluster.fault(FaultKind.BUSY, "PATCH", "deployments", seconds=7)


def no_gateway(desk: Desk) -> None:
    desk.cluster.gateway = False
    desk.place(**GATEWAY)


@pytest.mark.parametrize(
    ("broken", "code", "line"),
    [
        (lambda desk: desk.user(token=f"{SECRET}-of-yesterday"), 1,
         f"kubernetes stand-in: not logged in, or the login has run out; {LOG_IN}"),
        (lambda desk: desk.plugin(), 1, f"plugin' ended with 3: sign in again; {LOG_IN}"),
        (deny, 1, "may not patch deployments.apps in the namespace flights; a role needs the verb 'patch' on"),
        (no_gateway, 1, "PATCH httproutes/late-dev: there is none; the cluster may not have this API"),
        (lambda desk: desk.held_by_another(), 1, "kustomize holds spec.replicas: an apply stops at that"),
        (lambda desk: desk.other_selector(), 1, "PATCH deployments/late-dev-blue: spec.selector: field is immutable"),
        (busy, 1, "PATCH deployments/late-dev-blue: too many requests; asked again after 7 s"),
        (lambda desk: desk.away(), 1, "kubernetes stand-in: GET namespaces/flights: no answer from 127.0.0.1:"),
        (lambda desk: desk.place(context="stand-im"), 2, "it has stand-in; did you mean stand-in?"),
    ],
    ids=["401", "login command", "403", "404", "409", "422", "429", "away", "no such context"],
)  # fmt: skip
def test_each_refusal_is_one_line_and_says_what_to_do(
    desk: Desk, broken: Callable[[Desk], None], code: int, line: str
) -> None:
    broken(desk)
    told = CliRunner().invoke(app, [*DRY, "--config", str(desk.config)])
    assert told.exit_code == code, told.output
    said = next((one for one in told.output.splitlines() if line in one), told.output)
    assert line in said
    assert "{" not in said
    assert SECRET not in told.output
    assert "Traceback" not in told.output


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        (lambda desk: desk.user(token=SECRET), f"not logged in, or the login has run out; {LOG_IN}"),
        (lambda desk: desk.away(), "no answer from 127.0.0.1:"),
        (lambda desk: desk.plugin(), f"plugin' ended with 3: sign in again; {LOG_IN}"),
    ],
    ids=["401", "away", "login command"],
)
def test_status_says_it_beside_what_is_known_here(desk: Desk, broken: Callable[[Desk], None], line: str) -> None:
    broken(desk)
    told = CliRunner().invoke(app, ["status", "--config", str(desk.config), "--env", "dev"])
    assert told.exit_code == 0, told.output
    (said,) = [one for one in told.output.splitlines() if line in one]
    assert said.startswith("  cluster  stand-in/flights: kubernetes stand-in: ")
    assert SECRET not in told.output

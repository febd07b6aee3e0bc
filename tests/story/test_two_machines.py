"""Two projects, each with its journal, release to one endpoint of a cluster: by the real command, from two folders."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from core.targets.kubernetes.calls import MERGE, ApiCalls
from core.targets.kubernetes.labels import SLOT
from core.targets.kubernetes.paths import SERVICES
from tests.kubernetes.cluster import running
from tests.kubernetes.images import PodImage
from tests.ports import free_port
from tests.story.cluster_scene import ERRORS, SLOW
from tests.story.shop import DEADLINE_S, HOME, Told, begun, quarterdeck

QUICK = ("--set", "train.n_iter=2", "--set", "train.cv_folds=3", "--set", "release.background.users=0")
IMAGE = f"registry.example/iris@sha256:{'0' * 64}"
PROD = ("--env", "prod", "--confirm", "prod", "--skip", "load", *QUICK)
SAME = ("--model-uri", "models:/iris/1")
LONG_S = 3 * DEADLINE_S
AT_ONCE = ("--set", "release.strategy=all-at-once")


@dataclass(frozen=True, slots=True)
class Machine:
    """A folder from which somebody releases."""

    folder: Path
    kubeconfig: Path

    def run(self, *arguments: str, kubeconfig: str = "") -> Told:
        """A command there."""
        environ = {"KUBECONFIG": kubeconfig or str(self.kubeconfig)}
        return quarterdeck(*arguments, cwd=self.folder, env=environ, deadline_s=LONG_S)

    def well(self, *arguments: str) -> list[str]:
        """What a command said, which went well."""
        told = self.run(*arguments)
        assert told.code == 0, told.out + told.err
        return told.lines

    def copied(self, name: str, *, whole: bool) -> "Machine":
        """Another folder beside it, with the settings and, `whole`, with the journal."""
        folder = self.folder.with_name(name)
        if whole:
            shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("*.sock", "watch*"))
        else:
            folder.mkdir()
            shutil.copy(self.folder / "quarterdeck.yaml", folder)
        return Machine(folder, self.kubeconfig)

    def begun(self, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
        """A command that goes on meanwhile."""
        return begun(*arguments, cwd=self.folder, env={**os.environ, "KUBECONFIG": str(self.kubeconfig)})


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A project that has released v1 twice: green serves, and blue is kept for the way back."""
    home = tmp_path_factory.mktemp("machines")
    with running() as cluster:
        cluster.kubelet.speed = 10.0
        cluster.plane.balancers = True
        machine = Machine(home / "here", cluster.kubeconfig(home))
        quarterdeck("init", str(machine.folder), "--sample", "iris", cwd=home)
        path = machine.folder / "quarterdeck.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["target"] = "kubernetes"
        settings["kubernetes"] = {
            "context": "stand-in",
            "namespace": "flights",
            "create_namespace": True,
            "image": IMAGE,
            "service": {"type": "LoadBalancer", "port": free_port()},
        }
        settings["release"] |= {"steps": [50, 100], "hold_s": 600, "retire_after_s": 3600}
        settings["release"] |= {"smoke_limits": SLOW, "gates": [ERRORS]}
        path.write_text(yaml.safe_dump(settings))
        words = {"python": sys.executable, "/model": str(machine.folder / ".quarterdeck" / "models" / "iris-1")}
        cluster.kubelet.images[IMAGE] = PodImage(("python",), words, {"PYTHONPATH": str(HOME)})
        machine.well("release", *PROD, *AT_ONCE)
        machine.well("release", *PROD, *AT_ONCE, *SAME)
        yield machine
        machine.run("down")


def _serves(machine: Machine) -> dict[str, str]:
    """The share of each slot, as the cluster says."""
    lines = [line.split() for line in machine.well("status")]
    return {words[0]: words[3] for words in lines if words[:1] in (["blue"], ["green"]) and len(words) > 4}


def _until(machine: Machine, wanted: dict[str, str]) -> None:
    until_s = time.monotonic() + LONG_S
    while (found := _serves(machine)) != wanted:
        assert time.monotonic() < until_s, found
        time.sleep(0.5)


def _select(machine: Machine, slot: str) -> None:
    """As `kubectl patch service` does."""
    calls = ApiCalls("stand-in", str(machine.kubeconfig))
    path = SERVICES.path("flights", "iris")
    calls.ask("PATCH", path, {"spec": {"selector": {SLOT: slot}}}, kind=MERGE)
    calls.close()


@pytest.mark.slow
def test_traffic_that_kubectl_moves_is_said_until_it_is_back(first: Machine) -> None:
    assert not any("moved" in line for line in first.well("status"))
    _select(first, "blue")
    until_s = time.monotonic() + LONG_S
    while not (said := [line for line in first.well("status") if "! moved" in line]):
        assert time.monotonic() < until_s
    assert "all on v1 in blue, moved from elsewhere" in said[0]
    assert said[0].endswith("; it was sent all on v1 in green")
    _select(first, "green")
    while any("! moved" in line for line in first.well("status")):
        assert time.monotonic() < until_s


@pytest.mark.slow
def test_a_release_of_another_machine_is_left_alone_and_taken_back_from_either(first: Machine) -> None:
    second, empty = first.copied("there", whole=True), first.copied("empty", whole=False)
    plan = empty.well("plan", "--env", "prod")
    assert plan[0] == "iris · prod · production · canary · over v1, which serves", plan
    unheard = empty.run("plan", "--env", "prod", kubeconfig="/dev/null")
    assert any(line.startswith("not known: what serves there now: ") for line in unheard.lines), unheard.lines
    assert not any("nothing serves yet" in line for line in unheard.lines)
    try:
        with first.begun("release", *PROD, *SAME) as canary:
            _until(first, {"blue": "50.0", "green": "50.0"})
            told = second.run("release", *PROD, *SAME)
            assert told.code == 3
            assert "is under way since" in told.err
            assert "in the folder here" in told.err
            second.well("rollback", "--env", "prod")
            out, _ = canary.communicate(timeout=LONG_S)
            assert canary.returncode == 1
            (ended,) = [line for line in out.splitlines() if "taken over by" in line and line.startswith("stuck")]
            assert "in the folder there" in ended
        assert not any("gone" in line for line in first.well("status"))
        first.well("rollback", "--env", "prod")
        _until(first, {"blue": "0.0", "green": "100.0"})
    finally:
        second.run("watch", "--stop")

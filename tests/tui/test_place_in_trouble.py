"""A cluster that hangs, does not know who asks, or has lost the namespace: each is one line, in bounded time."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.domain.errors import Refused, Unreachable
from core.domain.model import Observation
from core.engine.project import Project
from core.state import events as ev
from core.state.commands import ScaleSlot
from core.targets.kubernetes import api_errors
from tests.environments import V1
from tests.kubernetes.access import ALL
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.faults import FaultKind
from tests.targets import kubernetes_scenes
from tui import scale_command
from tui.cli import app
from tui.explain_command import explained
from tui.scale_command import scale

GONE = "kubernetes stand-in: there is no namespace flights; 'kubectl --context stand-in create namespace flights' makes"
NO_LOGIN = "kubernetes stand-in: not logged in, or the login has run out; log in as you do for kubectl"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """One without any namespace of ours."""
    with running() as one:
        yield one


@pytest.fixture
def project(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    async def no_watch(*_: object) -> None:
        """None is started."""

    monkeypatch.setattr(scale_command, "have_watch", no_watch)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
    return Project(kubernetes_scenes.project(tmp_path), "prod")


def _known(project: Project) -> None:
    """Two replicas, as a watch saw them last."""
    with contextlib.closing(project.journal()) as journal:
        facts: tuple[ev.Body, ...] = (
            ev.Opened("late", "http://late", "prod", "kubernetes stand-in/flights", production=True),
            ev.Observed("late", Observation("blue", V1, 2, 2, 100.0)),
        )
        journal.append(facts, "watch", journal.clock.now())


def _logged_out(cluster: Cluster, folder: Path) -> None:
    cluster.access.user("old", "ada", ALL)
    cluster.kubeconfig(folder, token="old")
    cluster.access.expire("old")


async def test_a_namespace_that_is_gone_is_not_told_as_nothing_released_yet(project: Project) -> None:
    said: list[str] = []
    assert await explained(project, said.append) == 0
    (line,) = said
    assert line.startswith(f"late: nothing is served: {GONE} it")
    with pytest.raises(Refused, match=rf"nothing is served yet; run a release first: {GONE}"):
        await scale(project, ScaleSlot("", 3), said.append)


async def test_as_many_as_were_asked_for_is_not_said_to_be_so_by_who_can_not_look(
    project: Project, cluster: Cluster, tmp_path: Path
) -> None:
    _known(project)
    _logged_out(cluster, tmp_path)
    said: list[str] = []
    with pytest.raises(Unreachable, match=rf"late: blue was asked for 2 replicas already; .* not known: {NO_LOGIN}"):
        await scale(project, ScaleSlot("", 2), said.append)


@pytest.mark.parametrize("what", ["drops", "401", "namespace"])
def test_a_dry_run_ends_in_a_line(project: Project, cluster: Cluster, tmp_path: Path, what: str) -> None:
    _known(project)
    wanted = {"drops": "error: kubernetes stand-in: GET namespaces/flights: ", "401": f"error: {NO_LOGIN}"}
    if what == "drops":
        cluster.fault(FaultKind.DROP)
    elif what == "401":
        _logged_out(cluster, tmp_path)
    result = CliRunner().invoke(
        app, ["export", "kubernetes", "--dry-run=server", "--config", str(project.path), "--env", "prod"]
    )
    (line,) = [one for one in result.output.splitlines() if what in wanted or one.startswith("! ")]
    assert result.exit_code == 1
    assert line.startswith(wanted.get(what, "! namespaces/flights: there is none; 'kubectl --context stand-in create"))


async def test_a_call_that_hangs_has_an_end(
    project: Project, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.targets.kubernetes.standing.CALL_S", 0.2)
    _known(project)
    cluster.fault(FaultKind.HANG, seconds=3600.0)
    said: list[str] = []
    assert await explained(project, said.append) == 0
    assert "ago: kubernetes stand-in: GET deployments: no answer from 127.0.0.1" in said[0]
    assert said[1] == f"  → {project.typed('doctor')} says what is wrong"


def test_a_context_of_any_name_is_typed_as_a_shell_takes_it() -> None:
    assert api_errors.kubectl("arn:aws:eks:eu-west-1:1:cluster/prod") == (
        "kubectl --context arn:aws:eks:eu-west-1:1:cluster/prod"
    )
    assert api_errors.kubectl("my cluster; rm x") == "kubectl --context 'my cluster; rm x'"


def test_a_release_that_is_only_to_be_tried_is_told_what_does_that(project: Project) -> None:
    for flag in (["--dry-run=server"], ["--dry-run", "server"]):
        result = CliRunner().invoke(app, ["release", "--config", str(project.path), *flag])
        assert result.exit_code == 2
        assert result.output.startswith("error: --dry-run: 'quarterdeck plan --config ")
        assert f"'quarterdeck export --config {project.path} kubernetes --dry-run=server" in result.output

"""`quarterdeck azure setup`: what is missing is said with its cost and made once somebody agreed; nothing twice."""

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from core.targets.azureml.autoscale_bodies import OWNER
from tests.azure.blobs import DOMAIN
from tests.azure.standin import AzureStandIn
from tests.kubernetes.faults import FaultKind
from tests.story.kills_scene import COMMAND, wait_for
from tests.targets.azureml_places import serving_workspace
from tests.targets.azureml_scenes import project
from tui.cli import app
from tui.headless import INTERRUPTED

DATED = "about, as of 2026-11; azureml.prices has yours"


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureStandIn]:
    """A subscription with nothing in it, and a project that wants to serve there."""
    (tmp_path / "azure").mkdir()
    with serving_workspace(tmp_path / "azure") as one:
        one.foundations.clear()
        one.clusters.held.clear()
        one.delays.compute_s = 0.2
        for name, value in one.environment().items():
            monkeypatch.setenv(name, value)
        cloud = {"resource_manager": one.url, "storage": DOMAIN}
        project(tmp_path, {"cloud": cloud, "poll_s": 0.05})
        monkeypatch.chdir(tmp_path)
        yield one


def setup(*options: str) -> Result:
    return CliRunner().invoke(app, ["azure", "setup", "--env", "dev", *options])


def test_what_is_missing_is_made_in_its_order_and_not_again(azure: AzureStandIn) -> None:
    said = setup("--region", "westeurope", "--yes")
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert lines[0].startswith("00000000/rg/ws: to be made, as user@example.com of tenant")
    what = [line.partition(":")[0].strip().split(" ")[:2] for line in lines[1:6]]
    assert what == [
        ["resource", "group"],
        ["storage", "account"],
        ["key", "vault"],
        ["workspace", "ws"],
        ["compute", "cluster"],
    ]
    assert lines[5] == (
        "  compute cluster cpu-cluster (0 to 4 x Standard_D4s_v3, low priority): nothing while idle, at most 4 x "
        f"Standard_D4s_v3, $0.80 to $1.60 an hour ({DATED}); low priority costs less"
    )
    assert [line.rpartition(": ")[2].split(" in ")[0] for line in lines[6:]] == ["made"] * 5
    made = azure.clusters.held["cpu-cluster"]
    assert made.asked["properties"]["properties"]["vmPriority"] == "LowPriority"
    assert made.asked["tags"][OWNER] == "late-dev"
    before = len(azure.front.seen)
    again = setup()
    assert again.output == "00000000/rg/ws: the workspace and its cluster cpu-cluster are there; nothing to make\n"
    assert {one.method for one in list(azure.front.seen)[before:]} == {"GET"}


def test_where_nobody_can_be_asked_nothing_is_made(azure: AzureStandIn) -> None:
    said = setup("--region", "westeurope")
    assert said.exit_code == 3
    assert said.output.splitlines()[-1] == (
        "refused: it costs money, and nobody can be asked here; say --yes to mean it"
    )
    assert not azure.foundations.group_there


def test_without_a_group_somebody_must_say_where(azure: AzureStandIn) -> None:
    said = setup("--yes")
    assert said.exit_code == 1
    assert said.output == (
        "error: 00000000/rg/ws: there is no such group, so nobody knows where to make it; say --region NAME\n"
    )


def test_what_stands_when_the_workspace_fails_is_said_and_made_no_second_time(
    azure: AzureStandIn,
) -> None:
    azure.foundations.group_there = True
    message = "The workspace name is taken."
    refused = {"code": "BadRequest", "message": message, "service": False}
    azure.fault(FaultKind.STATUS, "PUT", r"/workspaces/ws(\?|$)", status=400, times=None, **refused)
    said = setup("--yes")
    assert said.exit_code == 2, said.output
    lines = said.output.splitlines()
    begun = lines.index("this was asked for and stays; 'quarterdeck azure setup' goes on from there:")
    held = sorted(azure.foundations.held)
    stay = [line.partition(": ")[2] for line in lines[begun + 1 : begun + 3]]
    assert stay == ["some cents a month for what lies there"] * 2
    words = shlex.split(lines[begun + 3].removeprefix("or take it away: "))
    assert words[:4] == ["az", "resource", "delete", "--ids"]
    assert sorted(path.lower() for path in words[4:]) == held
    assert message in lines[-1]
    azure.take_back()
    again = setup("--yes")
    assert again.exit_code == 0, again.output
    assert [line.split()[0] for line in again.output.splitlines()[-2:]] == ["workspace", "compute"]
    assert sorted(azure.foundations.held) == held


def test_a_group_that_was_made_for_it_goes_with_all_that_stands_in_it(azure: AzureStandIn) -> None:
    azure.fault(FaultKind.STATUS, "PUT", "/vaults/", status=400, times=None, code="BadRequest", message="no")
    said = setup("--region", "westeurope", "--yes")
    lines = said.output.splitlines()
    assert [line.strip().split()[0] for line in lines[-4:-2]] == ["resource", "storage"]
    assert lines[-2] == f"or take it away: az group delete --name rg --subscription {azure.place.subscription}"
    assert lines[-1].startswith("error: azureml ws: PUT ")


def test_where_nothing_could_be_made_nothing_is_said_to_stay(azure: AzureStandIn) -> None:
    azure.fault(FaultKind.STATUS, "PUT", "/resourceGroups/", status=400, times=None, code="BadRequest", message="no")
    assert "stays" not in setup("--region", "westeurope", "--yes").output


def test_a_workspace_that_we_made_and_that_failed_is_made_again(
    azure: AzureStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert setup("--region", "westeurope", "--yes").exit_code == 0
    document = azure.place.document

    def failed(owner: str) -> dict[str, Any]:
        found = document()
        return {**found, "tags": {OWNER: owner}, "properties": {**found["properties"], "provisioningState": "Failed"}}

    for owner, told in (("late-dev", "workspace ws: costs nothing by itself"), ("theirs", "nothing to make")):
        monkeypatch.setattr(type(azure.place), "document", lambda _, owner=owner: failed(owner))
        assert told in setup().output


def test_a_cluster_of_others_is_left_as_it_is(azure: AzureStandIn) -> None:
    assert setup("--region", "westeurope", "--yes").exit_code == 0
    azure.clusters.held["cpu-cluster"].asked["tags"] = {}
    status = CliRunner().invoke(app, ["down", "--env", "dev"])
    assert status.exit_code == 0, status.output
    assert "cpu-cluster" in azure.clusters.held


def test_what_was_made_goes_with_down_and_its_cost_is_said(azure: AzureStandIn) -> None:
    assert setup("--region", "westeurope", "--yes").exit_code == 0
    said = CliRunner().invoke(app, ["down", "--env", "dev"])
    assert said.exit_code == 0, said.output
    assert "what it costs ends: cluster cpu-cluster: 0 x Standard_D4s_v3" in said.output
    assert "cpu-cluster" not in azure.clusters.held or azure.clusters.held["cpu-cluster"].state == "Deleting"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_ends_it_half_way_is_told_what_stands_and_the_next_call_goes_on(
    azure: AzureStandIn, tmp_path: Path, number: signal.Signals
) -> None:
    azure.delays.compute_s = 600.0
    command = [str(COMMAND), "azure", "setup", "--env", "dev", "--region", "westeurope", "--yes"]
    environ = {**os.environ, **azure.environment()}
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True) as begun:
        assert begun.stdout is not None
        said = iter(begun.stdout.readline, "")
        assert any("workspace ws: made" in line for line in said)
        wait_for(lambda: "cpu-cluster" in azure.clusters.held, "the cluster to be asked for")
        begun.send_signal(number)
        lines = [line.strip() for line in said]
        assert begun.wait(20) == INTERRUPTED
    assert lines[0] == "this was asked for and stays; 'quarterdeck azure setup' goes on from there:"
    stay = [line.split(" ")[0] for line in lines[1:-1]]
    assert stay == ["resource", "storage", "key", "workspace", "compute"]
    assert lines[-1] == f"or take it away: az group delete --name rg --subscription {azure.place.subscription}"
    before = len(azure.front.seen)

    def made_once_it_is_looked_at() -> None:
        looked = lambda: any("/computes/" in one.path for one in list(azure.front.seen)[before:])  # noqa: E731
        wait_for(looked, "a look at the cluster")
        azure.delays.compute_s = 0.0

    looking = threading.Thread(target=made_once_it_is_looked_at)
    looking.start()
    again = setup("--yes")
    looking.join(20)
    assert again.exit_code == 0, again.output
    assert [line.split(" (")[0] for line in again.output.splitlines()[1:]] == [
        "  compute cluster cpu-cluster",
        "compute cluster cpu-cluster",
    ]
    assert {one.method for one in list(azure.front.seen)[before:]} == {"GET"}
    assert azure.clusters.held["cpu-cluster"].state == "Succeeded"

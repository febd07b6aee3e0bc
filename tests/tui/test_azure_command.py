"""`quarterdeck azure setup`: what is missing is said with its cost and made once somebody agreed; nothing twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from core.targets.azureml.autoscale_bodies import OWNER
from tests.azure.blobs import DOMAIN
from tests.azure.standin import AzureStandIn
from tests.targets.azureml_places import serving_workspace
from tests.targets.azureml_scenes import project
from tui.cli import app

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

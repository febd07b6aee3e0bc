"""Two projects, each with its journal, at one endpoint of a workspace; and somebody at the portal, who has none."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from tests.azure.blobs import DOMAIN
from tests.azure.serving import OnlineEndpoint
from tests.azure.standin import AzureStandIn
from tests.story.azure_scene import ERRORS, trusted
from tests.story.cluster_scene import SLOW
from tests.story.shop import DEADLINE_S, HOME, Told, begun, quarterdeck
from tests.story.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
QUICK = ("--set", "train.n_iter=2", "--set", "train.cv_folds=3", "--set", "release.background.users=0")
RELEASE = ("release", "--env", "prod", "--confirm", "prod", "--skip", "load", *QUICK)
SAME = ("--model-uri", "models:/iris/1")
LONG_S = 3 * DEADLINE_S
AT_ONCE = ("--set", "release.strategy=all-at-once")
SAID_WITHIN_S = 60.0
API = "2023-04-01-preview"


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder from which somebody releases."""

    folder: Path
    azure: AzureStandIn

    def flags(self) -> Sequence[str]:
        """None: its settings say all."""
        return ()

    def environ(self, **more: str) -> dict[str, str]:
        """The variables of its shell; one that is empty is not there at all."""
        given = {**os.environ, **self.azure.environment(), "PYTHONPATH": str(HOME), **more}
        return {name: value for name, value in given.items() if value}

    def run(self, *arguments: str) -> Told:
        """A command there."""
        return quarterdeck(*arguments, cwd=self.folder, env=self.azure.environment(), deadline_s=LONG_S)

    def well(self, *arguments: str) -> list[str]:
        """What a command said, which went well."""
        told = self.run(*arguments)
        assert told.code == 0, told.out + told.err
        return told.lines

    def says(self, part: str, within_s: float = SAID_WITHIN_S) -> str:
        """The line of `status` that has this in it, once there is one."""
        until_s = time.monotonic() + within_s
        while True:
            lines = self.well("status")
            if found := [line for line in lines if part in line]:
                return found[0]
            assert time.monotonic() < until_s, lines

    def copied(self, name: str) -> "Desk":
        """Another folder beside it, with the settings and the journal."""
        folder = self.folder.with_name(name)
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("*.sock", "watch*"))
        return Desk(folder, self.azure)

    def begun(self, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
        """A command that goes on meanwhile."""
        return begun(*arguments, cwd=self.folder, env=self.environ())


def furnished(home: Path, azure: AzureStandIn) -> Desk:
    """A project for a workspace that has released nothing."""
    desk = Desk(home / "here", azure)
    quarterdeck("init", str(desk.folder), "--sample", "iris", cwd=home)
    path = desk.folder / "quarterdeck.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["target"] = "azureml"
    cloud = {"resource_manager": azure.url, "storage": DOMAIN}
    served = {"request_timeout_s": 10, "max_concurrent_requests": 20}
    settings["azureml"] = {"cloud": cloud, "poll_s": 0.2, "look_s": 1, "instance_type": "Standard_DS2_v2", **served}
    settings["endpoint"]["replicas"] = 1
    settings["release"] |= {"steps": [50, 100], "hold_s": 600, "retire_after_s": 3600}
    settings["release"] |= {"smoke_limits": SLOW, "gates": [ERRORS]}
    path.write_text(yaml.safe_dump(settings))
    return desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A project that has released v1 twice: green serves, and blue is kept for the way back."""
    home = tmp_path_factory.mktemp("desks")
    with AzureStandIn(home) as azure:
        desk = furnished(home, azure)
        desk.well(*RELEASE, *AT_ONCE)
        desk.well(*RELEASE, *AT_ONCE, *SAME)
        yield desk
        desk.run("down", "--env", "prod", "--confirm", "prod")
        assert azure.troubles == []


def endpoint(desk: Desk) -> OnlineEndpoint:
    """As the stand-in holds it."""
    return desk.azure.endpoint("iris")


def traffic(desk: Desk) -> dict[str, int]:
    """Which deployments callers come to, in percent."""
    return {slot: share for slot, share in desk.azure.do(lambda: dict(endpoint(desk).traffic)).items() if share}


def until(desk: Desk, wanted: dict[str, int]) -> None:
    """Until callers come there."""
    until_s = time.monotonic() + LONG_S
    while traffic(desk) != wanted:
        assert time.monotonic() < until_s, traffic(desk)
        time.sleep(0.2)


def at_the_portal(desk: Desk, shares: dict[str, int]) -> None:
    """Traffic moved as the portal does it: the endpoint as it is, with other traffic."""
    url = f"{desk.azure.url}{endpoint(desk).path}?api-version={API}"
    headers = {"authorization": f"Bearer {desk.azure.token}"}
    with httpx.Client(verify=trusted(desk.azure), headers=headers) as client:
        found = client.get(url).json()
        sent = {key: found[key] for key in ("tags", "location", "identity", "properties")}
        sent["properties"] = {**sent["properties"], "traffic": shares}
        assert client.put(url, json=sent).status_code in (200, 201, 202)


def test_traffic_that_is_moved_at_the_portal_is_said_and_a_rollback_brings_it_back(desk: Desk) -> None:
    assert not any("moved" in line for line in desk.well("status"))
    at_the_portal(desk, {"blue": 50, "green": 50})
    line = desk.says("! moved")
    assert "50 %, " in line
    assert "moved from elsewhere" in line
    refused = desk.run(*RELEASE, *SAME)
    assert refused.code != 0
    assert "its traffic was moved from elsewhere (blue 50 %, green 50 %)" in refused.err, refused.err
    desk.well("rollback", "--env", "prod")
    assert traffic(desk) == {"blue": 100}
    assert not any("! moved" in line for line in desk.well("status"))
    with Terminal(desk, "--env", "prod", cells=160, height=40) as deck:
        deck.shows("all on v1 in blue · ")
        at_the_portal(desk, {"blue": 0, "green": 100})
        deck.shows("all on v1 in green, moved from elsewhere")
        deck.press("R")
        until(desk, {"blue": 100})
        deck.press("q")
    at_the_portal(desk, {"blue": 30, "green": 70})
    desk.says("! moved")
    again = desk.well("rollback", "--env", "prod")
    assert any("blue 100 %, verified" in line for line in again), again
    assert traffic(desk) == {"blue": 100}


def test_a_release_of_another_machine_is_left_alone_and_taken_back_from_either(desk: Desk) -> None:
    there = desk.copied("there")
    try:
        with desk.begun(*RELEASE, *SAME) as canary:
            until(desk, {"blue": 50, "green": 50})
            for words in ((*RELEASE, *SAME), ("down", "--env", "prod", "--confirm", "prod")):
                told = there.run(*words)
                assert told.code == 3, told.out + told.err
                assert "has a release under way (blue 50 %, green 50 %)" in told.err, told.err
            assert traffic(desk) == {"blue": 50, "green": 50}
            back = there.well("rollback", "--env", "prod")
            out, _ = canary.communicate(timeout=LONG_S)
            assert canary.returncode == 1
        assert any("blue 100 %, verified" in line for line in back), back
        (ended,) = [line for line in out.splitlines() if "taken over by" in line and line.startswith("stuck")]
        assert "a driver on" in ended
        assert traffic(desk) == {"blue": 100}
        assert "changed it last on" in desk.says("claim    a driver on")
        assert not any("! gone" in line or "! moved" in line for line in desk.well("status"))
        there.well("down", "--env", "prod", "--confirm", "prod")
        assert desk.azure.do(lambda: list(desk.azure.endpoints.held)) == []
        assert "was deleted where it stood: nobody answers all requests" in desk.says("! gone")
    finally:
        there.run("watch", "--stop")

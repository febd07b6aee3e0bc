"""A release's own variables no longer reach Azure: what is said, and that a shell whose variables do gets back."""

import contextlib
from dataclasses import replace
from pathlib import Path

import certifi
import pytest

from core.config.planner import Wishes, release_of
from core.domain.errors import Unreachable
from core.engine import shell_variables
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.credentials import AzureLogin, login_ca
from tests.azure.standin import AzureStandIn
from tests.engine.test_steering import Steering
from tests.environments import ended, until
from tests.targets.azureml_places import AzurePlaceOf
from tests.targets.helpers import ONE, TWO, two_slots, watching


def test_an_authority_that_is_not_trusted_is_named_with_the_variable_that_names_it(place: AzurePlaceOf) -> None:
    calls = AzureCalls(place.at.place, AzureLogin(place.at.place, place.token))
    with pytest.raises(Unreachable, match="its certificate is not trusted; name the authority's file in REQUESTS_CA_B"):
        calls.ask("GET", place.at.path, "2023-04-01")
    calls.close()


def test_a_login_goes_by_the_authorities_of_its_release_and_not_by_those_of_the_process(
    azure: AzureStandIn, place: AzurePlaceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_release = azure.environment()
    for name, value in {**of_release, "REQUESTS_CA_BUNDLE": "/none/ca.pem"}.items():
        monkeypatch.setenv(name, value)
    lost = AzureLogin(place.at.place)
    with pytest.raises(Unreachable, match="no token can be asked for: REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a fi"):
        lost.account()
    login = AzureLogin(place.at.place, None, login_ca(of_release))
    assert login.account().name
    for one in (lost, login):
        one.close()


@pytest.mark.parametrize(
    ("of_release", "of_process", "file"),
    [
        (None, {"REQUESTS_CA_BUNDLE": "a.pem"}, ""),
        ({"REQUESTS_CA_BUNDLE": "a.pem"}, {"REQUESTS_CA_BUNDLE": "a.pem"}, ""),
        ({"REQUESTS_CA_BUNDLE": "a.pem"}, {"REQUESTS_CA_BUNDLE": "b.pem"}, "a.pem"),
        ({"CURL_CA_BUNDLE": "a.pem"}, {}, "a.pem"),
        ({}, {"REQUESTS_CA_BUNDLE": "b.pem"}, certifi.where()),
        ({}, {}, ""),
    ],
)
def test_which_authorities_those_are(
    monkeypatch: pytest.MonkeyPatch, of_release: dict[str, str] | None, of_process: dict[str, str], file: str
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in of_process.items():
        monkeypatch.setenv(name, value)
    assert login_ca(of_release) == file


def _released(project: Project) -> str:
    """v2 went to green over v1 in blue; its name."""
    begun = replace(release_of(project.settings, False, Wishes()), version=TWO)
    shell_variables.keep(project.settings, begun.release)
    with contextlib.closing(project.journal()) as journal:
        now = journal.clock.now()
        journal.append(accept(begun, fold_all(journal.read(0)), now), "ada", now)
        placed = ev.Placed(begun.release, "green", "blue", ONE, 1)
        journal.append((placed, ev.Ended(begun.release, ev.Outcome.DONE, "done", "")), "ada", now)
    return begun.release


def _refusal(snapshot: Snapshot, release: str) -> str:
    way = snapshot.releases[release].way
    return way.refusal if way is not None else ""


async def test_a_way_back_from_a_good_shell_needs_no_file_that_its_release_named(
    azure: AzureStandIn, place: AzurePlaceOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in azure.environment().items():
        monkeypatch.setenv(name, value)
    target = place.target(1)
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await target.route({"green": 100.0})
        await watcher.weight("green", 100)
    gone = tmp_path / "gone.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(gone))
    project = Project(tmp_path / "quarterdeck.yaml", "prod")
    release = _released(project)
    with contextlib.closing(project.journal()) as theirs, contextlib.closing(project.journal()) as mine:
        # It drives in the shell of then: it says what that lacks, and asks again.
        async with project.engine(theirs, who="watch") as watch:
            watch.attend("late")
            await watch.do(c.Rollback("late"))
            lacks = f"SSL_CERT_FILE as {release} was begun with names {gone}, which is gone"
            said = await until(watch, lambda now: _refusal(now, release))
            assert _refusal(said, release).count(lacks) == 1
            monkeypatch.setenv("SSL_CERT_FILE", str(azure.ca))
            async with project.engine(mine, steering=Steering(watch)) as face:
                face.insist("late")
                assert (await ended(watch, release)).outcome is ev.Outcome.ROLLED_BACK
    assert azure.do(lambda: azure.endpoint(place.name).traffic)["blue"] == 100

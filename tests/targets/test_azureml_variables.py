"""A release's own variables no longer reach Azure: what is said, and that a shell whose variables do gets back."""

from pathlib import Path

import certifi
import pytest

from core.domain.errors import Unreachable
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.credentials import AzureLogin, login_ca
from tests.azure.standin import AzureStandIn
from tests.targets.azureml_places import AzurePlaceOf
from tests.targets.helpers import two_slots, watching
from tests.targets.other_shells import back_from_another_shell


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
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    await back_from_another_shell(tmp_path / "quarterdeck.yaml", "SSL_CERT_FILE", str(azure.ca), monkeypatch)
    assert azure.do(lambda: azure.endpoint(place.name).traffic)["blue"] == 100

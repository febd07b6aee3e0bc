"""What `status` says of an endpoint in Azure ML: each slot in one line, with what it waits for."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.claims import TAG, driver_name
from core.targets.azureml.credentials import AccessToken, AzureLogin
from core.targets.azureml.operations import OperationBook
from core.targets.azureml.standing import lines_of, slots_in
from core.targets.azureml.view import AzureView
from core.targets.azureml.workspace import AzureEndpoint
from tests.targets.azureml_scenes import endpoint_of


@pytest.fixture
def at(tmp_path: Path) -> AzureEndpoint:
    """An endpoint."""
    return endpoint_of(tmp_path)


@pytest.fixture
def calls(at: AzureEndpoint) -> Iterator[AzureCalls]:
    """Somebody is logged in; nobody is asked."""
    made = AzureCalls(at.place, AzureLogin(at.place, lambda _: AccessToken("none", time.time() + 3600)))
    yield made
    made.close()


def _view(**states: str) -> AzureView:
    def body(state: str) -> dict[str, Any]:
        return {"sku": {"capacity": 2}, "properties": {"provisioningState": state, "model": "x/late/versions/7"}}

    return AzureView({"properties": {}}, {slot: body(state) for slot, state in states.items()})


def test_a_slot_stands_in_one_line_with_what_it_waits_for(at: AzureEndpoint, calls: AzureCalls) -> None:
    OperationBook(at.folder, at.name).begin("deploy", "green")
    view = _view(blue="Succeeded", green="Creating", grey="Failed")
    said = [line for line in lines_of(at, calls, view) if any(slot in line for slot in view.deployments)]
    assert said == []
    why = {one.slot: one.why for one in slots_in(at, view)}
    assert (why["blue"], why["grey"]) == ("", "Azure says Failed")
    assert "as a rule" in why["green"]


@pytest.mark.parametrize("mine", [True, False])
def test_a_driver_of_another_project_that_changed_it_last_is_named(
    at: AzureEndpoint, calls: AzureCalls, mine: bool
) -> None:
    driver = driver_name(at.folder.parent) if mine else "vm/0badcafe"
    body = {
        "properties": {"provisioningState": "Succeeded"},
        "tags": {TAG: f"3 {driver} 1"},
        "systemData": {"lastModifiedAt": "2026-11-28T12:00:00.1234567Z"},
    }
    told = [line for line in lines_of(at, calls, AzureView(body, {})) if line.startswith("claim")]
    when = time.strftime("%d %b %H:%M", time.localtime(datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()))
    assert told == ([] if mine else [f"claim    a driver on vm (project 0badcafe) changed it last on {when}"])


def test_what_goes_on_at_no_slot_that_stands_has_a_line_of_its_own(at: AzureEndpoint, calls: AzureCalls) -> None:
    OperationBook(at.folder, at.name).begin("deploy", "green")
    (line,) = [line for line in lines_of(at, calls, _view(blue="Succeeded")) if line.startswith("goes on")]
    assert "green" in line

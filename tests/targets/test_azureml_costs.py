"""What instances on Azure ML cost: from the project's own table, by region, else from the one that is shipped."""

from pathlib import Path
from typing import Any

import pytest

from core.domain.model import Observation
from core.targets.azureml.costs import cost_line, hourly, priced
from core.targets.azureml.view import AzureView
from tests.targets.azureml_scenes import SEVEN, endpoint_of

OWN = {"Standard_DS2_v2": {"westeurope": 0.136, "eastus": 0.146}, "Standard_E4s_v3": 0.32}


@pytest.mark.parametrize(
    ("place", "kind", "location", "short", "line"),
    [
        (
            {},
            "Standard_DS2_v2",
            "westeurope",
            "$0.20–0.40/h",
            "2 x Standard_DS2_v2, $0.20 to $0.40 an hour (about, as of 2026-11; azureml.prices has yours)",
        ),
        (
            {"prices": OWN, "priced_on": "March"},
            "standard_ds2_v2",
            "westeurope",
            "$0.27/h",
            "2 x standard_ds2_v2, $0.27 an hour (azureml.prices of March)",
        ),
        (
            {"prices": OWN},
            "Standard_DS2_v2",
            "",
            "$0.27–0.29/h",
            "2 x Standard_DS2_v2, $0.27 to $0.29 an hour (azureml.prices)",
        ),
        (
            {"prices": OWN},
            "Standard_DS2_v2",
            "japaneast",
            "$0.20–0.40/h",
            "2 x Standard_DS2_v2, $0.20 to $0.40 an hour (about, as of 2026-11; azureml.prices has yours)",
        ),
        (
            {"prices": OWN},
            "Standard_E4s_v3",
            "eastus",
            "$0.64/h",
            "2 x Standard_E4s_v3, $0.64 an hour (azureml.prices)",
        ),
        (
            {"prices": {"tiny": 0.00001, "free": 0.0}},
            "tiny",
            "eastus",
            "$0.00002/h",
            "2 x tiny, $0.00002 an hour (azureml.prices)",
        ),
        (
            {"prices": {"tiny": 0.00001, "free": 0.0}},
            "free",
            "eastus",
            "$0.00/h",
            "2 x free, $0.00 an hour (azureml.prices)",
        ),
        (
            {},
            "Standard_NC6s_v3",
            "eastus",
            "",
            "2 x Standard_NC6s_v3, price not known; write it into azureml.prices",
        ),
    ],
)
def test_what_two_instances_cost(
    tmp_path: Path, place: dict[str, Any], kind: str, location: str, short: str, line: str
) -> None:
    at = endpoint_of(tmp_path, place)
    assert hourly(at.place, kind, 2, location) == short
    assert cost_line(at.place, kind, 2, location) == line


def test_what_a_slot_costs_stands_beside_it_and_one_without_instances_costs_nothing(tmp_path: Path) -> None:
    at = endpoint_of(tmp_path, {"prices": OWN})
    body = {
        "location": "eastus",
        "sku": {"capacity": 3},
        "properties": {"instanceType": "Standard_DS2_v2", "provisioningState": "Succeeded"},
    }
    found = {slot: Observation(slot, SEVEN, 3, 3, 0.0) for slot in ("blue", "green")}
    made = priced(found, AzureView({}, {"blue": body}), at.place)
    assert (made["blue"].costs, made["green"].costs) == ("$0.44/h", "")

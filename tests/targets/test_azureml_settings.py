"""What a project says of its workspace: variables fill what the file leaves open, and a slip is one line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from core.config.config import load
from core.config.planner import Wishes, release_of
from core.domain.errors import BadInput
from core.domain.plan import Deploy
from core.targets.azureml.names import azure_name
from core.targets.azureml.settings import AzureMLSettings
from tests.targets.azureml_scenes import SUBSCRIPTION, project, settings_of
from tests.test_house import loaded_by

NAME = "azureml"
NAMED = {"AZURE_SUBSCRIPTION_ID": SUBSCRIPTION, "AZURE_RESOURCE_GROUP": "rg", "AZURE_WORKSPACE_NAME": "ws"}


def place_of(folder: Path, place: dict[str, Any] | None = None, **more: Any) -> AzureMLSettings:
    """The part of Azure ML."""
    part = settings_of(folder, place, **more).place
    assert isinstance(part, AzureMLSettings)
    return part


def test_the_place_is_named_by_subscription_group_and_workspace(tmp_path: Path) -> None:
    assert settings_of(tmp_path).where == "azureml 00000000/rg/ws"


@pytest.mark.parametrize(
    ("env", "instance_type", "count"),
    [("dev", "Standard_DS2_v2", 1), ("staging", "Standard_DS3_v2", 1), ("prod", "Standard_DS3_v2", 2)],
)
def test_each_environment_has_its_instances(tmp_path: Path, env: str, instance_type: str, count: int) -> None:
    settings = settings_of(tmp_path, env=env)
    plan = release_of(settings, False, Wishes()).plan
    deploys = [step.replicas for step in plan.steps if isinstance(step, Deploy)]
    assert (settings.place.instance_type, settings.endpoint.replicas) == (instance_type, count)  # type: ignore[attr-defined]
    assert deploys == [count]


def test_what_the_file_says_comes_before_what_is_usual(tmp_path: Path) -> None:
    said = {"endpoint": {"name": "late", "replicas": 5}, "environments": {"dev": {"azureml": {"workspace": "ws-dev"}}}}
    settings = settings_of(tmp_path, {"instance_type": "Standard_F4s_v2"}, env="dev", **said)
    assert settings.endpoint.replicas == 5
    assert settings.place.instance_type == "Standard_F4s_v2"  # type: ignore[attr-defined]
    assert settings.where == "azureml 00000000/rg/ws-dev"


def test_variables_and_a_dotenv_name_the_workspace(tmp_path: Path) -> None:
    path = project(tmp_path)
    path.write_text(
        yaml.safe_dump({"data": {"source": "iris", "target": "species"}, "endpoint": {"name": "late"}, "target": NAME})
    )
    assert load(path, environ=NAMED).where == "azureml 00000000/rg/ws"
    (tmp_path / ".env").write_text(f'# ours\nexport AZURE_SUBSCRIPTION_ID="{SUBSCRIPTION}"\nAZURE_RESOURCE_GROUP=rg2\n')
    assert load(path, environ={"AZURE_WORKSPACE_NAME": "ws"}).where == "azureml 00000000/rg2/ws"
    assert load(path, environ={**NAMED, "AZURE_RESOURCE_GROUP": "rg3"}).where == "azureml 00000000/rg3/ws"
    with pytest.raises(BadInput, match="workspace is not set; write it here, or set AZURE_WORKSPACE_NAME"):
        load(path, environ={})


def test_variables_name_the_workspace_also_where_another_place_serves(tmp_path: Path) -> None:
    path = project(tmp_path, target="local")
    said = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**said, "azureml": {"workspace": "mine"}}))
    place = getattr(load(path, environ=NAMED), NAME)
    assert (place.subscription, place.workspace) == (NAMED["AZURE_SUBSCRIPTION_ID"], "mine")


def _without(folder: Path, dotenv: str | bytes) -> Path:
    """A project that names no workspace, and a `.env` beside it."""
    path = project(folder)
    path.write_text(
        yaml.safe_dump({"data": {"source": "iris", "target": "species"}, "endpoint": {"name": "late"}, "target": NAME})
    )
    (folder / ".env").write_bytes(dotenv if isinstance(dotenv, bytes) else dotenv.encode())
    return path


@pytest.mark.parametrize(
    ("dotenv", "told"),
    [
        ("# ours\nAZURE_SUBSCRIPTION_ID=mine\n", ".env: line 2: AZURE_SUBSCRIPTION_ID: 'mine' should be its id, 0000"),
        ("AZURE_WORKSPACE_NAME='a b'\n", ".env: line 1: AZURE_WORKSPACE_NAME: 'a b' should be a workspace's name"),
        ("\nAZURE_WORKSPACE_NAME ws\n", ".env: line 2: AZURE_WORKSPACE_NAME: has no '='; write AZURE_WORKSPACE_NAME=…"),
        ("AZURE_WORKSPACE_NAME: ws\n", ".env: line 1: AZURE_WORKSPACE_NAME: has no '='; write AZURE_WORKSPACE_NAME=…"),
        ("AZURE_WORKSPACE_NAME=\n", ".env: line 1: AZURE_WORKSPACE_NAME: is empty; write AZURE_WORKSPACE_NAME=…, or "),
        (
            "AZURE_WORKSPACE=ws\n",
            ".env: line 1: AZURE_WORKSPACE: is no variable that is looked for; write AZURE_WORKSP",
        ),
        (
            "azure_workspace_name=ws\n",
            ".env: line 1: azure_workspace_name: is no variable that is looked for; write AZ",
        ),
        (b"AZURE_WORKSPACE_NAME=w\xff\n", ".env: is not text in UTF-8; save it as such"),
    ],
)
def test_a_fault_in_the_dotenv_is_told_with_its_line(tmp_path: Path, dotenv: str | bytes, told: str) -> None:
    path = _without(tmp_path, dotenv)
    given = {name: value for name, value in NAMED.items() if name.encode() not in path.with_name(".env").read_bytes()}
    with pytest.raises(BadInput) as error:
        load(path, environ={name: value for name, value in given.items() if name != "AZURE_WORKSPACE_NAME"})
    assert str(error.value).startswith(told)


@pytest.mark.parametrize("dotenv", ["AZURE_WORKSPACE=other\n", "AZURE_WORKSPACE_NAME=a b\n", b"\xff", "TOKEN s3cret\n"])
def test_a_fault_in_what_is_not_needed_stops_nobody(tmp_path: Path, dotenv: str | bytes) -> None:
    assert load(_without(tmp_path, dotenv), environ=NAMED).where == "azureml 00000000/rg/ws"
    assert load(project(tmp_path), environ={}).where == "azureml 00000000/rg/ws"


def test_a_wrong_variable_of_the_shell_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^AZURE_WORKSPACE_NAME: 'a b' should be a workspace's name$"):
        load(_without(tmp_path, ""), environ={**NAMED, "AZURE_WORKSPACE_NAME": "a b"})


def test_a_mark_of_the_encoding_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = _without(tmp_path, "\ufeffAZURE_WORKSPACE_NAME=ws2\nAZURE_WORKSPACE=ws3\n")
    given = {name: value for name, value in NAMED.items() if name != "AZURE_WORKSPACE_NAME"}
    assert load(path, environ=given).where == "azureml 00000000/rg/ws2"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ({"subscription": "mine"}, "subscription: 'mine' should be its id"),
        ({"workspace": "a b"}, "workspace: 'a b' should be a workspace's name"),
        ({"instance_type": "DS3"}, "azureml.instance_type: 'DS3' should be a size of Azure's"),
        ({"name": "x"}, "azureml.name: 'x' has 1 character; Azure takes 3 to 32$"),
        ({"name": "x" * 33}, "azureml.name: x{20}… has 33 characters; Azure takes 3 to 32$"),
        ({"name": "Late"}, "azureml.name: 'Late' holds 'L'; write small letters, digits and dashes"),
        ({"name": "zürich"}, "azureml.name: 'zürich' holds 'ü'; write small letters"),
        ({"name": "1late"}, "azureml.name: '1late' begins with '1'; a letter must be first"),
        ({"name": "late-"}, "azureml.name: 'late-' ends with a dash; a letter or a digit must be last"),
        ({"auth": "token"}, "azureml.auth: 'token' is none of key, aad"),
        ({"tags": {"quarterdeck-x": "1"}}, "azureml.tags: 'quarterdeck-x' can't be a tag"),
        ({"request_timeout_s": 500}, "azureml.request_timeout_s: 500 should be at most 180"),
        ({"cloud": {"name": "other"}}, "azureml.cloud: resource_manager should be an https address"),
        (
            {"cloud": {"authority": "login.example"}},
            "azureml.cloud: authority should be an https address, such as https://login.microsoftonline.com",
        ),
        ({"instance_typ": "a"}, "azureml.instance_typ: unknown key; did you mean instance_type?"),
    ],
)
def test_a_slip_is_one_line_with_its_place(tmp_path: Path, place: dict[str, Any], line: str) -> None:
    with pytest.raises(BadInput, match=line):
        settings_of(tmp_path, place)


def test_another_cloud_brings_all_its_addresses(tmp_path: Path) -> None:
    cloud = place_of(tmp_path, {"cloud": {"name": "china"}}).cloud
    assert cloud.resource_manager == "https://management.chinacloudapi.cn"
    assert (cloud.storage, cloud.scoring_scope) == ("core.chinacloudapi.cn", "https://ml.azure.cn")


def test_a_cold_image_has_a_minute_and_a_half_and_a_creation_has_its_twenty_minutes(tmp_path: Path) -> None:
    place = place_of(tmp_path)
    assert place.liveness.initial_s >= 90
    assert place.patience.deploy_s >= 1200


@pytest.mark.parametrize(
    ("name", "azure"),
    [
        ("late", "late"),
        ("customer_churn_model", "customer-churn-model"),
        ("7up", "model-7up"),
        ("x", "x-model"),
        ("été", "ete"),
    ],
)
def test_a_name_is_turned_by_one_rule(name: str, azure: str) -> None:
    assert azure_name(name) == azure


def test_what_is_cut_off_a_name_still_tells_it_apart() -> None:
    one, two = azure_name("a" * 40), azure_name("a" * 41)
    assert one != two
    assert max(len(one), len(two)) <= 32


def test_the_target_loads_nothing_of_azure_s_until_it_needs_a_token() -> None:
    loaded = loaded_by("import core.targets.azureml.kind")
    assert "httpx" in loaded
    assert "azure" not in loaded


def test_endpoints_that_would_be_one_are_refused(tmp_path: Path) -> None:
    path = project(tmp_path, endpoints={"late-a": {}, "late_a": {}})
    path.write_text(path.read_text().replace("endpoint:\n  name: late\n", ""))
    with pytest.raises(BadInput, match="late-a-dev and late_a-dev would both be late-a-dev in Azure ML"):
        load(path, environ={})


def test_callers_can_t_be_kept_on_a_side(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, release={"strategy": "ab", "ab": {"header": "x-user"}})
    with pytest.raises(BadInput, match="no caller can be kept on a side; take header x-user out"):
        release_of(settings, False, Wishes())


@pytest.mark.parametrize(
    ("env", "size", "nodes", "priority"),
    [
        ("dev", "Standard_D4s_v3", (0, 4), "low"),
        ("staging", "Standard_D4s_v3", (0, 4), "dedicated"),
        ("prod", "Standard_DS3_v2", (2, 10), "dedicated"),
    ],
)
def test_a_project_that_trains_there_and_serves_here_has_a_cluster_by_its_environment(
    tmp_path: Path, env: str, size: str, nodes: tuple[int, int], priority: str
) -> None:
    settings = settings_of(tmp_path, env=env, target="local", train="azureml")
    cluster = settings.azureml.cluster  # type: ignore[attr-defined]
    assert (settings.train.on, settings.where) == ("azureml", "local")
    assert (cluster.size, (cluster.min_nodes, cluster.max_nodes), cluster.priority) == (size, nodes, priority)


def test_training_there_needs_its_workspace(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="azureml: workspace is not set; write it here, or set AZURE_WORKSPACE_NAME"):
        settings_of(tmp_path, {"workspace": ""}, target="local", train={"on": "azureml", "n_iter": 3})


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ({"westeurope": "teuer"}, "prices.Standard_DS3_v2.westeurope: 'teuer' should be a number"),
        ({"westeurope": -1}, "prices.Standard_DS3_v2.westeurope: -1 should be at least 0"),
        ("teuer", "prices.Standard_DS3_v2: 'teuer' should be a number or a mapping of settings"),
        (None, "prices.Standard_DS3_v2: is empty, and should be a number or a mapping of settings"),
        (-1, "prices.Standard_DS3_v2: -1 should be at least 0"),
    ],
)
def test_a_value_of_several_kinds_is_complained_of_once_as_people_write_it(
    tmp_path: Path, price: object, said: str
) -> None:
    with pytest.raises(BadInput) as error:
        settings_of(tmp_path, {"prices": {"Standard_DS3_v2": price}})
    assert str(error.value) == f"quarterdeck.yaml: azureml.{said}"

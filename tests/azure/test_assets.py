"""Models, environments, code and the stores, as the recordings have them."""

import json
from pathlib import Path

from tests.azure.caller import ASSETS, CODES, DEPLOYMENTS, AzureCaller
from tests.azure.standin import AzureStandIn
from tests.images.small import linear

CONDA = "channels:\n- conda-forge\ndependencies:\n- python=3.11\n- pip:\n  - orjson\nname: late\n"


def _put(caller: AzureCaller, name: str, version: str, path: str, *, anonymous: bool = False) -> tuple[int, str]:
    scope = caller.azure.place.scope.replace("resourceGroups", "resourcegroups")
    uri = f"azureml:/{scope}/workspaces/ws/datastores/workspaceblobstore/paths/{path}"
    body = {"properties": {"modelType": "custom_model", "modelUri": uri, "isAnonymous": anonymous}}
    answer = caller.send("PUT", "models", name, "versions", version, body=body, version=ASSETS)
    return answer.status_code, answer.text


def _listed(caller: AzureCaller, name: str) -> list[str]:
    query = {"$orderBy": "createdtime desc", "$top": "2"}
    answer = caller.send("GET", "models", name, "versions", version=ASSETS, **query)
    return [one["name"] for one in answer.json()["value"]]


def test_a_version_keeps_its_files_and_the_newest_comes_first(caller: AzureCaller) -> None:
    status, said = _put(caller, "kept", "1", "a/model")
    assert status == 201
    assert "/resourceGroups/rg/" in json.loads(said)["properties"]["modelUri"]
    assert _put(caller, "kept", "1", "a/model")[0] == 200
    refused, why = _put(caller, "kept", "1", "b/model")
    assert (refused, json.loads(why)["error"]["message"]) == (400, "Asset paths cannot be updated.")
    for version in ("7", "3"):
        assert _put(caller, "kept", version, "a/model")[0] == 201
    assert _listed(caller, "kept") == ["3", "7"]
    container = caller.send("GET", "models", "kept", version=ASSETS).json()
    assert container["properties"]["nextVersion"] == "8"


def test_an_unknown_model_has_its_own_code_and_an_anonymous_one_is_not_listed(caller: AzureCaller) -> None:
    error = caller.send("GET", "models", "nobody", "versions", version=ASSETS).json()["error"]
    assert (error["code"], error["details"][0]["code"]) == ("UserError", "ModelNotFound")
    assert _put(caller, "hidden", "1", "a/model", anonymous=True)[0] == 201
    assert _listed(caller, "hidden") == []
    assert caller.send("GET", "models", "hidden", "versions", "1", version=ASSETS).status_code == 200


def test_a_conda_file_comes_back_as_json_and_a_version_put_again_keeps_its_date(caller: AzureCaller) -> None:
    body = {"properties": {"image": "registry.example/late:1", "condaFile": CONDA, "isAnonymous": False}}
    path = ("environments", "late", "versions", "1")
    first = caller.send("PUT", *path, body=body, version=DEPLOYMENTS)
    again = caller.send("PUT", *path, body=body, version=DEPLOYMENTS)
    assert (first.status_code, again.status_code) == (201, 201)
    assert json.loads(first.json()["properties"]["condaFile"])["dependencies"] == ["python=3.11", {"pip": ["orjson"]}]
    assert again.json()["systemData"]["createdAt"] == first.json()["systemData"]["createdAt"]


def test_code_is_found_by_its_hash_under_another_name(caller: AzureCaller) -> None:
    query = {"hash": "0b", "hashVersion": "202208"}
    assert caller.send("GET", "codes", "one", "versions", version=CODES, **query).json() == {"value": []}
    body = {"properties": {"codeUri": "https://x/y", "properties": {"hash_sha256": "0b"}, "isAnonymous": True}}
    made = caller.send("PUT", "codes", "two", "versions", "1", body=body, version=CODES).json()
    assert made["properties"]["isAnonymous"] is False
    found = caller.send("GET", "codes", "one", "versions", version=CODES, **query).json()["value"]
    assert [one["id"] for one in found] == [made["id"]]


def test_a_blob_is_put_marked_read_in_part_and_listed(caller: AzureCaller, tmp_path: Path) -> None:
    caller.upload(linear(tmp_path / "model"), "LocalUpload/0c")
    store = caller.send("GET", "datastores", "workspaceblobstore").json()["properties"]
    home = f"https://{store['accountName']}.blob.{store['endpoint']}/{store['containerName']}"
    url = f"{home}/LocalUpload/0c/model/rows.jsonl"
    assert caller.client.head(f"{home}/LocalUpload/0c/nothing").headers["x-ms-error-code"] == "BlobNotFound"
    marks = {"x-ms-meta-upload_status": "completed", "x-ms-meta-version": "1"}
    assert caller.client.put(url, params={"comp": "metadata"}, headers=marks).status_code == 200
    head = caller.client.head(url)
    assert (head.headers["x-ms-meta-upload_status"], head.headers["content-length"]) == ("completed", "24")
    part = caller.client.get(url, headers={"x-ms-range": "bytes=2-5"})
    assert (part.status_code, part.text, part.headers["content-range"]) == (206, "left", "bytes 2-5/24")
    listed = caller.client.get(home, params={"comp": "list", "restype": "container", "prefix": "LocalUpload/0c/"})
    assert listed.text.count("<Blob>") == 3
    assert caller.client.get(url, headers={"Authorization": ""}).status_code == 403


def test_a_store_says_its_secret_or_that_it_has_none(azure: AzureStandIn, caller: AzureCaller) -> None:
    path = ("datastores", "workspaceblobstore", "listSecrets")
    azure.datastores.credentials = "None"
    none = caller.send("POST", *path, body={})
    assert (none.status_code, none.json()["error"]["message"]) == (400, "No secrets for credentials of type None.")
    azure.datastores.credentials = "Sas"
    assert "sig=" in caller.send("POST", *path, body={}).json()["sasToken"]
    azure.datastores.credentials = "AccountKey"
    assert caller.send("POST", *path, body={}).json() == {"secretsType": "AccountKey", "key": azure.blobs.key}
    unknown = caller.send("GET", "datastores", "nothing").json()["error"]
    inner = next(one["info"]["value"] for one in unknown["additionalInfo"] if one["type"] == "InnerError")
    assert inner == {"code": "NotFoundError", "innerError": None}

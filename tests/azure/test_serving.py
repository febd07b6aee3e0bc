"""What requests meet at an endpoint's own host: real services, shares, copies, refusals."""

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.azure.caller import CODES, AzureCaller, until
from tests.azure.containers import ContainerProgram
from tests.azure.faults import BUILD_LOG, CRASHED, NO_IMAGE
from tests.azure.standin import AzureStandIn
from tests.images.small import linear
from tests.kubernetes.faults import FaultKind

ROWS = {"dataframe_records": [{"left": 1, "right": 2}]}
SCRIPT = """
import json
def init():
    print("the script begins")
def run(raw):
    row = json.loads(raw)
    if "wrong" in row:
        raise ValueError("no such row")
    return {"sum": sum(row["numbers"])}
"""


def test_a_model_of_ours_is_served_by_its_real_service(caller: AzureCaller, tmp_path: Path) -> None:
    model = caller.model("sides", "7", linear(tmp_path / "model"))
    caller.ready("served", "blue", model=model)
    answer = caller.score("served", ROWS)
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"] == ["right"]
    assert answer.headers["azureml-model-deployment"] == "blue"
    assert answer.headers["server"] == "azureml-frontdoor"
    logs = caller.send("POST", "onlineEndpoints", "served", "deployments", "blue", "getLogs", body={"tail": 100})
    assert "ready" in logs.json()["content"]


def test_a_scoring_script_is_served_as_azures_own_server_does(caller: AzureCaller, tmp_path: Path) -> None:
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "score.py").write_text(SCRIPT)
    lent = caller.send("POST", "codes", "c1", "versions", "1", "startPendingUpload", body={}, version=CODES).json()
    uri, sas = (
        lent["blobReferenceForConsumption"]["blobUri"],
        lent["blobReferenceForConsumption"]["credential"]["sasUri"],
    )
    query = sas.partition("?")[2]
    for path in (tmp_path / "late").iterdir():
        put = caller.client.put(
            f"{uri}/late/{path.name}?{query}", content=path.read_bytes(), headers={"Authorization": ""}
        )
        assert put.status_code == 201
    body = {"properties": {"codeUri": f"{uri}/late", "properties": {"hash_sha256": "0a"}, "isAnonymous": True}}
    code = caller.send("PUT", "codes", "c1", "versions", "1", body=body, version=CODES).json()["id"]
    caller.ready("scripted", "blue", codeConfiguration={"codeId": code, "scoringScript": "score.py"})
    assert caller.score("scripted", {"numbers": [1, 2, 4]}).json() == {"sum": 7}
    failed = caller.score("scripted", {"wrong": 1})
    assert failed.status_code == 424
    assert failed.headers["ms-azureml-model-error-statuscode"] == "500"


def test_a_container_that_crashes_is_started_again(caller: AzureCaller, tmp_path: Path) -> None:
    model = caller.model("sides", "8", linear(tmp_path / "model"))
    held = caller.ready("crashes", "blue", model=model)
    container = held.deployments["blue"].containers[0]
    caller.azure.do(container.crash)
    until(lambda: not container.ready, "the crash is noticed")
    until(lambda: container.ready, "it serves again")
    assert caller.score("crashes", ROWS).status_code == 200


def test_requests_follow_the_shares_and_the_pin_and_copies_follow_the_mirror(caller: AzureCaller) -> None:
    caller.ready("shares", "blue", "green")
    caller.succeed(caller.put_endpoint("shares", {"blue": 75, "green": 25}))
    served = Counter(caller.score("shares").headers["azureml-model-deployment"] for _ in range(200))
    assert 100 < served["blue"] < 190
    assert served.total() == 200
    assert caller.score("shares", pin="green").json() == {"deployment": "green"}
    caller.succeed(caller.put_endpoint("shares", {"blue": 100}, {"green": 50}))
    caller.azure.scored.clear()
    for _ in range(60):
        assert caller.score("shares").json() == {"deployment": "blue"}
    copies = until(lambda: [one for one in caller.azure.scored if one.mirrored], "copies arrive")
    assert {one.deployment for one in copies} == {"green"}
    assert len(copies) < 60


def test_who_has_no_key_is_401_and_no_traffic_is_404(caller: AzureCaller) -> None:
    held = caller.ready("keys", "blue")
    assert caller.score("keys", key="wrong").status_code == 401
    assert caller.score("keys", key=held.keys.secondary).status_code == 200
    before = held.keys.secondary
    caller.succeed(caller.send("POST", "onlineEndpoints", "keys", "regenerateKeys", body={"keyType": "Secondary"}))
    assert caller.score("keys", key=before).status_code == 401
    assert caller.score("keys", pin="nobody").status_code == 404
    caller.succeed(caller.put_endpoint("keys", {"blue": 0}))
    assert caller.score("keys").status_code == 404
    caller.succeed(caller.put_endpoint("tokens", mode="AMLToken"))
    caller.succeed(caller.put_deployment("tokens", "blue"))
    token = caller.send("POST", "onlineEndpoints", "tokens", "token").json()["accessToken"]
    assert caller.score("tokens", pin="blue", key=token).status_code == 200


def test_a_slow_answer_is_408_and_too_many_at_once_are_429(caller: AzureCaller, tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ndef init(): pass\ndef run(raw): time.sleep(30)\n")
    command = (sys.executable, "-P", "-m", "tests.azure.inference", "--port", "{port}", str(slow))
    caller.azure.instances.programs["registry.example/slow:1"] = ContainerProgram(command)
    body = {"properties": {"image": "registry.example/slow:1", "isAnonymous": False}}
    env = caller.send("PUT", "environments", "slow", "versions", "1", body=body, version="2023-04-01-preview").json()[
        "id"
    ]
    caller.ready("slow", "blue", environmentId=env, requestSettings={"requestTimeout": "PT3S"})
    with ThreadPoolExecutor(4) as pool:
        found = sorted(pool.map(lambda _: caller.score("slow").status_code, range(4)))
    assert found == [408, 408, 429, 429]


def test_a_change_keeps_the_old_instances_until_the_new_ones_serve(caller: AzureCaller, tmp_path: Path) -> None:
    first, second = (caller.model("change", str(one), linear(tmp_path / str(one))) for one in (1, 2))
    held = caller.ready("change", "blue", model=first)
    old = held.deployments["blue"].containers[0]
    answer = caller.put_deployment("change", "blue", model=second, count=2)
    while caller.deployment("change", "blue").json()["properties"]["provisioningState"] == "Updating":
        assert caller.score("change", ROWS).status_code == 200
    caller.succeed(answer)
    assert old not in held.deployments["blue"].containers
    assert len(held.deployments["blue"].containers) == 2
    until(lambda: not old.ready, "the old one has gone")


def test_a_crash_at_the_start_fails_the_operation_and_the_log_says_why(
    azure: AzureStandIn, caller: AzureCaller
) -> None:
    caller.ready("failing", "blue")
    azure.fail("failing/green", CRASHED)
    found = caller.finish(caller.put_deployment("failing", "green"))
    assert found["status"] == "Failed"
    assert found["error"]["code"] is None
    assert found["error"]["message"].startswith("ResourceNotReady: User container has crashed")
    assert caller.deployment("failing", "green").json()["properties"]["provisioningState"] == "Failed"
    path = ("onlineEndpoints", "failing", "deployments", "green", "getLogs")
    log = caller.send("POST", *path, body={"tail": 4}).json()["content"]
    assert log.splitlines()[-2] == "ModuleNotFoundError: No module named 'flights'"
    assert caller.score("failing").json() == {"deployment": "blue"}


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.STATUS, 503), (FaultKind.DROP, None)])
def test_a_fault_meets_requests_too(
    azure: AzureStandIn, caller: AzureCaller, kind: FaultKind, status: int | None
) -> None:
    if "faulty" not in azure.endpoints.held:
        caller.ready("faulty", "blue")
    azure.fault(kind, "POST", "faulty/score", times=1, status=status or 0)
    if status is None:
        with pytest.raises(httpx.TransportError):
            caller.score("faulty")
    else:
        assert caller.score("faulty").status_code == status
    assert caller.score("faulty").status_code == 200


def test_an_image_that_can_not_be_built_leaves_its_log_in_the_store(azure: AzureStandIn, caller: AzureCaller) -> None:
    caller.succeed(caller.put_endpoint("unbuilt"))
    azure.fail("unbuilt/blue", NO_IMAGE)
    found = caller.finish(caller.put_deployment("unbuilt", "blue"))
    assert found["error"]["message"].startswith("ImageBuildFailure: ")
    assert f"'/{BUILD_LOG}'" in found["error"]["message"]
    log = caller.client.get(f"{azure.blobs.url}/{BUILD_LOG}")
    assert "No matching distribution found" in log.text

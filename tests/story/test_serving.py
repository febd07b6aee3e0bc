"""What an endpoint answers is what the model in the registry says, in every form that people send, row for row."""

import json
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.story.shop import FORMS, KEY_VARIABLE, Shop, in_form, own_answers

ROWS = 200
ENVIRONMENT = {"iris": "prod", "own": "dev"}
ALIAS = {"iris": "models:/iris@production", "own": "models:/grades@dev"}


@pytest.fixture(scope="module", params=["iris", "own"])
def served(request: pytest.FixtureRequest, shops: dict[str, Shop]) -> tuple[Shop, str, dict[str, Any]]:
    """A project, its environment, and what its model says by itself of 200 held-out rows."""
    name = request.param
    shop = shops[name]
    table = next((shop.folder / ".quarterdeck" / "work").glob("*/test.parquet"))
    return shop, ENVIRONMENT[name], own_answers(shop, ALIAS[name], table, ROWS)


def test_mlflow_and_xgboost_say_the_same(served: tuple[Shop, str, dict[str, Any]]) -> None:
    _, _, own = served
    assert len(own["mlflow"]) == ROWS
    assert own["mlflow"] == own["xgboost"]
    assert len(set(own["mlflow"])) >= 3


def test_every_form_gets_the_models_own_answer_for_every_row(served: tuple[Shop, str, dict[str, Any]]) -> None:
    shop, env, own = served
    with shop.client(env) as client:
        version = client.get("/").json()["version"]
        for form in FORMS:
            for path in ("/predict", "/score"):
                answer = client.post(path, json=in_form(form, own["rows"], own["names"]))
                assert answer.status_code == 200, answer.text
                said = answer.json()
                assert (form, said["predictions"]) == (form, own["mlflow"])
                assert (said["model"], said["version"], said["num_samples"]) == ("XGBoost", version, ROWS)
                assert answer.headers["x-model-version"] == version


def test_rows_one_by_one_and_their_probabilities(served: tuple[Shop, str, dict[str, Any]]) -> None:
    shop, env, own = served
    with shop.client(env) as client:
        answers = [client.post("/predict?probabilities=1", json=row).json() for row in own["rows"]]
    assert [answer["predictions"][0] for answer in answers] == own["mlflow"]
    for answer, expected in zip(answers, own["probabilities"], strict=True):
        assert list(answer["probabilities"][0].values()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl_needs_nothing_but_the_row(iris: Shop) -> None:
    with iris.client() as client:
        url = str(client.base_url)
    row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    sent = subprocess.run(
        [
            "curl",
            "-sS",
            "--noproxy",
            "*",
            "-H",
            f"Authorization: Bearer {iris.key}",
            "-d",
            json.dumps(row),
            f"{url}/predict",
        ],
        check=True,
        capture_output=True,
        timeout=20,
    )
    assert json.loads(sent.stdout)["predictions"] == ["setosa"]


def test_labels_keep_their_type_and_gaps_are_answered(own: Shop, iris: Shop) -> None:
    with own.client("dev") as client:
        said = client.post("/predict", json={"data": [[None, None, None], [14.0, 13.1, "never seen"]]}).json()
        assert {type(label) for label in said["predictions"]} == {int}
        fields = {field["name"]: field for field in client.get("/metadata").json()["fields"]}
        assert fields["colour"]["categories"] == ["red", "rosé", "white"]


def test_the_service_says_what_it_is(iris: Shop) -> None:
    with iris.client() as client:
        assert client.get("/").json()["model"] == "iris"
        health = client.get("/health").json()
        assert health["status"] == "healthy"
        assert health["model"]["version"] == "1"
        about = client.get("/metadata").json()
        assert (about["model_name"], about["model_version"], about["model_loaded"]) == ("iris", "1", True)
        assert about["run_id"] == health["model"]["run_id"]
        assert 'scoring_requests_total{status="200"}' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b'{"data": [[1,2,3,4}', 400, "not JSON"),
        (b"", 400, "the body is empty"),
        (b'{"data": [[NaN,3,1,0.2]]}', 400, "NaN is not JSON: send null for a missing value"),
        (
            b'{"data": [[5.1,3.5,1.4]]}',
            422,
            "row 0 has 3 values, the model has 4 fields: the first one missing is petal_w",
        ),
        (b'{"sepal_lenght": 5.1}', 422, "sepal_lenght is near sepal_length"),
        (b'{"sepal_length": 5.1}', 422, "the field sepal_width is missing"),
        (b'{"data": [["tall",3,1,0.2]]}', 422, "sepal_length must be a number"),
        (b'{"data": [' + b",".join([b"[5.1,3.5,1.4,0.2]"] * 560_000) + b"]}", 413, "the body is larger than"),
    ],
    ids=["malformed", "empty", "NaN", "short", "misspelt", "missing", "text", "10 MB"],
)
def test_a_bad_request_is_one_line_and_the_next_is_answered(iris: Shop, body: bytes, status: int, says: str) -> None:
    with iris.client() as client:
        answer = client.post("/predict", content=body)
        assert answer.status_code == status
        assert says in answer.json()["error"]
        assert client.post("/predict", json={"data": [[5.1, 3.5, 1.4, 0.2]]}).json()["predictions"] == ["setosa"]


def test_without_the_key_there_is_no_answer(iris: Shop) -> None:
    with iris.client() as client:
        for key in ("", "Bearer wrong", iris.key):
            headers = {"authorization": key}
            assert client.post("/predict", json={"data": [[5.1, 3.5, 1.4, 0.2]]}, headers=headers).status_code == 401
            assert client.get("/metadata", headers=headers).status_code == 401
        assert client.get("/health", headers={"authorization": ""}).status_code == 200


def test_the_key_stands_in_files_of_its_owner_alone_and_in_no_command_line(iris: Shop) -> None:
    """Smoke tests sent it, the journal and every log was written, the endpoint runs."""
    files = [path for path in iris.folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    holding = [path.relative_to(iris.folder) for path in files if iris.key.encode() in path.read_bytes()]
    assert {path.parent for path in holding} == {Path(".quarterdeck/endpoints/iris"), Path(".quarterdeck/variables")}
    assert {path.name for path in holding if path.parent.name == "iris"} == {"key"}
    assert {stat.S_IMODE((iris.folder / path).stat().st_mode) for path in holding} == {0o600}
    for process in psutil.process_iter(["cmdline"]):
        assert iris.key not in " ".join(process.info["cmdline"] or ())


def test_the_way_back_needs_no_key_in_the_environment(iris: Shop) -> None:
    told = iris.run("rollback", env={})
    assert told.code == 3, told.err
    assert "key" not in told.error


def test_the_doctor_finds_a_service_well_and_says_what_stands_in_its_way(iris: Shop) -> None:
    told = iris.run("doctor", "--env", "prod", "--json")
    lines = {one["name"]: one for one in json.loads(told.out)["lines"]}
    assert {name: one["text"] for name, one in lines.items() if one["condition"] != "ok" and name != "disk"} == {}
    assert told.code == 0
    assert "versions of iris: " in lines["mlflow"]["text"]
    assert "a held-out row with the endpoint's key gets 200" in lines["predict"]["text"]
    assert iris.key not in told.out + told.err
    elsewhere = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", KEY_VARIABLE: "another"}
    told = iris.run("doctor", "--env", "prod", env=elsewhere)
    assert told.code == 1, told.out
    assert [line.split()[:2] for line in told.out.splitlines() if line.startswith(("fail", "warn"))] == [
        ["fail", "mlflow"],
        ["warn", "key"],
    ]

"""Other people's callers over HTTP: each form and header that is taken gets the same answer, the rest a clear one."""

import gzip
import json
from base64 import b64encode
from typing import Any

import httpx
import pytest

from scoring.model import Model
from tests.fuzz_callers import fuzz
from tests.scoring.test_service import BODY, KEY, ROW, served

NAMES = ["delay", "month", "vip", "carrier"]
CSV = {"content-type": "text/csv"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_every_form_of_a_row_gets_the_same_answer(model: Model) -> None:
    packed = gzip.compress(json.dumps(BODY).encode())
    types = ["FP64", "INT64", "BOOL", "BYTES"]
    tensors = [
        {"name": name, "shape": [1], "datatype": kind, "data": [value]}
        for name, kind, value in zip(NAMES, types, ROW, strict=True)
    ]

    def visit(http: httpx.Client) -> tuple[list[Any], list[Any]]:
        split = {"dataframe_split": {"columns": NAMES, "data": [ROW]}}
        record = dict(zip(NAMES, ROW, strict=True))
        documents = [
            BODY,
            {"instances": [ROW]},
            {"instances": [record]},
            {"inputs": [ROW]},
            {"inputs": {name: [value] for name, value in record.items()}},
            {"instances": {name: [value] for name, value in record.items()}},
            split,
            {"dataframe_records": [record]},
        ]
        ours = [http.post("/invocations", json=document) for document in documents]
        ours.append(http.post("/invocations", content="delay,month,vip,carrier\n1.5,3,true,AA\n", headers=CSV))
        ours.append(http.post("/predict", content=packed, headers={"content-encoding": "gzip"}))
        ours.append(http.post("/predict", content=json.dumps(BODY), headers={"content-type": "APPLICATION/json"}))
        ours.append(http.post("/predict", content=json.dumps(BODY), headers=FORM))
        paths = ["/v2/models/late/infer", "/v2/models/late/versions/7/infer"]
        return [each.json()["predictions"] for each in ours], [
            http.post(path, json={"inputs": tensors}).json()["outputs"][0]["data"] for path in paths
        ]

    ours, theirs = served(model, visit)
    assert ours == [ours[0]] * len(ours)
    assert theirs == [ours[0]] * 2


def test_the_pages_of_the_inference_protocol(model: Model) -> None:
    paths = ["/v2/health/live", "/v2/health/ready", "/v2/models/late/ready", "/v2/models/late", "/v2", "/ping"]

    def visit(http: httpx.Client) -> list[httpx.Response]:
        return [*(http.get(path) for path in paths), http.post("/v2/models/other/infer", json={})]

    live, ready, model_ready, about, server, ping, other = served(model, visit)
    assert [each.status_code for each in (live, ready, model_ready, server, ping, other)] == [200] * 5 + [404]
    assert (live.json(), model_ready.json()) == ({"live": True}, {"name": "late", "ready": True})
    assert about.json()["inputs"][3] == {"name": "carrier", "datatype": "BYTES", "shape": [-1]}
    assert about.json()["outputs"] == [{"name": "predictions", "datatype": "BYTES", "shape": [-1]}]


@pytest.mark.parametrize(
    ("path", "headers", "content", "status", "words"),
    [
        ("/predict", {"content-type": "text/plain"}, b"{}", 415, "send application/json or text/csv"),
        ("/predict", {"content-encoding": "br"}, b"{}", 415, "send gzip or none"),
        ("/predict", {"content-encoding": "gzip"}, b"{}", 400, "not gzip"),
        ("/predict", {"content-encoding": "gzip"}, gzip.compress(b" " * 3000), 413, "larger than 2000 bytes unpacked"),
        ("/predict?probabilities=maybe", {}, json.dumps(BODY).encode(), 400, "probabilities=maybe is neither"),
        ("/predict?probabilities", {}, json.dumps(BODY).encode(), 400, "probabilities= is neither"),
        ("/v2/models/late/infer", {}, b"{", 400, "not JSON"),
        ("/v2/models/late/infer", {}, b"{}", 422, 'no list "inputs"'),
    ],
)
def test_what_is_not_taken_is_refused_in_one_line(
    model: Model, path: str, headers: dict[str, str], content: bytes, status: int, words: str
) -> None:
    def visit(http: httpx.Client) -> tuple[httpx.Response, str]:
        return http.post(path, headers=headers, content=content), http.get("/metrics").text

    answer, page = served(model, visit, max_body_bytes=2000)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert words in answer.json()["error"]
    assert f'scoring_requests_total{{status="{status}"}} 1' in page
    assert "scoring_in_flight 0" in page


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": f"Bearer {KEY}"}, 200),
        ({"authorization": f"bearer {KEY}"}, 200),
        ({"authorization": f"BEARER   {KEY}"}, 200),
        ({"x-api-key": KEY}, 200),
        ({"authorization": "Basic eA==", "x-api-key": KEY}, 200),
        ({"authorization": f"Basic {b64encode(f'me:{KEY}'.encode()).decode()}"}, 200),
        ({"authorization": f"basic {b64encode(f':{KEY}'.encode()).decode()}"}, 200),
        ({"authorization": f"Basic {b64encode(f'{KEY}:'.encode()).decode()}"}, 401),
        ({"authorization": b"Basic \xe4"}, 401),
        ({"authorization": KEY}, 401),
        ({"authorization": f"Bearer {KEY}x"}, 401),
        ({"authorization": b"Bearer \xff\xfe"}, 401),
        ({"x-api-key": ""}, 401),
        ({}, 401),
    ],
)
def test_a_key_comes_as_a_bearer_token_or_as_x_api_key(model: Model, headers: Any, status: int) -> None:
    answer = served(model, lambda http: http.post("/predict", json=BODY, headers=headers), key=KEY)
    assert answer.status_code == status
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


def test_a_thousand_requests_of_a_stranger_get_an_answer_and_none_is_a_failure(model: Model) -> None:
    def visit(http: httpx.Client) -> dict[int, int]:
        return fuzz((str(http.base_url.host), http.base_url.port or 0), 1000, seed=1)

    statuses = served(model, visit)
    assert sum(statuses.values()) == 1000
    assert {status for status in statuses if status >= 500} == set()
    assert {200, 400, 404, 405, 415, 422} <= set(statuses)


PAGES_WITH_KEY = ("/docs", "/openapi.json", "/metadata", "/metrics", "/v2/models/late")
OPEN_PAGES = ("/", "/health", "/health/live", "/health/ready", "/ping", "/v2", "/v2/health/live", "/v2/health/ready")


def test_a_browser_is_asked_for_the_key_and_probes_need_none(model: Model) -> None:
    def visit(http: httpx.Client) -> tuple[list[httpx.Response], list[int], list[int]]:
        without = [http.get(path) for path in PAGES_WITH_KEY]
        with_key = [http.get(path, auth=("me", KEY)).status_code for path in PAGES_WITH_KEY]
        return without, with_key, [http.get(path).status_code for path in OPEN_PAGES]

    without, with_key, open_pages = served(model, visit, key=KEY)
    assert {answer.status_code for answer in without} == {401}
    assert {answer.headers["www-authenticate"].partition(" ")[0] for answer in without} == {"Basic"}
    assert with_key == [200] * len(PAGES_WITH_KEY)
    assert open_pages == [200] * len(OPEN_PAGES)

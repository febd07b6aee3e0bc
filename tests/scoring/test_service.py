"""The service over HTTP, in this process: the server and its loop are the real ones, a thread is the client."""

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from scoring import fingerprint
from scoring.answers import Writer
from scoring.batching import Together
from scoring.metrics import Metrics
from scoring.model import Batch, Model, ModelError, load
from scoring.service import Identity, ServeError, ServingSettings, free_port, serve

T = TypeVar("T")
IDENTITY = Identity("late", "7", "run-1", "models:/late/7", "http://mlflow.example:5000")
ROW = [1.5, 3, True, "AA"]
BODY = {"data": [ROW]}
KEY = "a-secret-key"
WAIT_S = 20.0


def faults(capfd: pytest.CaptureFixture[str]) -> list[str]:
    """What the log says went wrong, without the time and without what happened in good order."""
    lines = capfd.readouterr().err.splitlines()
    return [line[9:] for line in lines if not line[9:].startswith("· ")]


def served(model: Model, visit: Callable[[httpx.Client], T], *, stop: bool = True, **settings: Any) -> T:
    """Serve in this thread while another one visits; then stop as a supervisor would, by SIGTERM.

    `stop` is off where the visitor sends the signal: after the service's end a second one would end the tests.
    """
    port = free_port("127.0.0.1", 0)
    ready = threading.Event()

    def client() -> T:
        assert ready.wait(WAIT_S)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as http:
                return visit(http)
        finally:
            if stop:
                os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        visiting = pool.submit(client)
        serve(model, IDENTITY, ServingSettings(port=port, **settings), ready.set)
        return visiting.result(WAIT_S)


def counted(page: str, name: str) -> float:
    """The value of one metric."""
    return next(float(line.split()[-1]) for line in page.splitlines() if line.startswith(f"{name} "))


def test_the_pages_say_who_serves_and_what_it_takes(model: Model) -> None:
    root, health, live, ready, about = served(
        model,
        lambda http: [http.get(path) for path in ("/", "/health", "/health/live", "/health/ready", "/metadata")],
    )
    assert root.json() == {"service": "quarterdeck-scoring", "model": "late", "version": "7"}
    told = health.json()
    assert told["status"] == "healthy"
    assert told["model"] == {"name": "late", "version": "7", "run_id": "run-1"}
    assert told["uptime_s"] >= 0
    assert told["took_ms"] >= 0
    assert (live.status_code, ready.status_code) == (200, 200)
    # A router's probe must learn which version answered it.
    assert (health.headers["x-model-version"], ready.headers["x-model-version"]) == ("7", "7")
    metadata = about.json()
    assert [metadata[key] for key in ("model_name", "model_version", "run_id", "mlflow_uri", "model_uri")] == [
        "late",
        "7",
        "run-1",
        "http://mlflow.example:5000",
        "models:/late/7",
    ]
    assert metadata["model_loaded"] is True
    assert metadata["model_digest"] == fingerprint.of_folder(model.about.folder)
    assert metadata["fields"][0] == {"name": "delay", "type": "number"}
    assert metadata["fields"][3]["categories"] == ["9E", "AA", "UA"]
    assert metadata["labels"] == ["no", "yes"]
    assert set(metadata["example"]) == {"delay", "month", "vip", "carrier"}


@pytest.mark.parametrize("path", ["/predict", "/score"])
def test_a_prediction_says_which_version_made_it(model: Model, path: str) -> None:
    answer = served(model, lambda http: http.post(path, json=BODY))
    told = answer.json()
    assert answer.status_code == 200
    assert answer.headers["x-model-version"] == "7"
    assert answer.headers["x-label"] == told["predictions"][0]
    assert told["predictions"][0] in {"no", "yes"}
    assert (told["model"], told["version"], told["num_samples"]) == ("XGBoost", "7", 1)
    assert set(told["took_ms"]) == {"preparation", "inference"}


def test_a_connection_that_is_old_ends_with_an_answer_and_no_request_fails(model: Model) -> None:
    def visit(http: httpx.Client) -> list[httpx.Response]:
        answers = []
        for _ in range(40):
            answers.append(http.post("/predict", json=BODY))
            time.sleep(0.01)
        return answers

    answers = served(model, visit, connection_s=0.05)
    assert {one.status_code for one in answers} == {200}
    last = [one for one in answers if one.headers.get("connection") == "close"]
    assert 2 <= len(last) <= 20
    kept = served(model, visit)
    assert not [one for one in kept if one.headers.get("connection") == "close"]


def test_many_rows_and_probabilities_come_in_one_answer(model: Model) -> None:
    def visit(http: httpx.Client) -> list[httpx.Response]:
        many = {"data": [ROW] * 1000, "probabilities": True}
        chunked = (part for part in (b'{"data": [[1.5, 3,', b' true, "AA"]]}'))
        return [
            http.post("/predict", json=many),
            http.post("/predict?probabilities=1", json=BODY),
            http.post("/predict", content=chunked),
        ]

    many, one, chunked = served(model, visit)
    assert many.json()["num_samples"] == 1000
    assert "x-label" not in many.headers
    likely = one.json()["probabilities"][0]
    assert set(likely) == {"no", "yes"}
    assert sum(likely.values()) == pytest.approx(1)
    assert one.headers["x-label"] == max(likely, key=likely.__getitem__)
    assert many.json()["probabilities"][999] == pytest.approx(likely, abs=1e-6)
    assert chunked.json()["predictions"] == one.json()["predictions"]


def test_a_label_that_no_header_can_hold_is_percent_encoded(models: Path) -> None:
    expected = json.loads((models / "forest" / "expected.json").read_text())
    row = expected["rows"][expected["predictions"].index("hïgh")]
    answer = served(load(models / "forest"), lambda http: http.post("/predict", json={"data": [row]}))
    assert answer.json()["predictions"] == ["hïgh"]
    assert answer.headers["x-label"] == "h%C3%AFgh"


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "words"),
    [
        ("POST", "/predict", b"{", 400, "not JSON"),
        ("POST", "/predict", b"", 400, "the body is empty"),
        ("POST", "/predict", b'{"data": [[NaN]]}', 400, "NaN is not JSON"),
        ("POST", "/score", b'{"data": [[1, 2]]}', 422, "the first one missing is vip"),
        ("GET", "/predict", b"", 405, "takes POST"),
        ("POST", "/health", b"", 405, "takes GET"),
        ("GET", "/nowhere", b"", 404, "there is no /nowhere"),
        ("POST", "/predict", b" " * 2001, 413, "larger than 2000 bytes"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line_of_json(
    model: Model, method: str, path: str, content: bytes, status: int, words: str
) -> None:
    answer = served(model, lambda http: http.request(method, path, content=content), max_body_bytes=2000)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_ten_megabytes_are_too_many_whether_their_length_is_told_or_not(model: Model) -> None:
    def visit(http: httpx.Client) -> list[int]:
        told = http.post("/predict", content=b"0" * 10_000_000).status_code
        untold = http.post("/predict", content=(b"0" * 100_000 for _ in range(100))).status_code
        return [told, untold, http.post("/predict", json=BODY).status_code]

    assert served(model, visit) == [413, 413, 200]


def test_with_a_key_only_health_and_root_are_open(model: Model, capfd: pytest.CaptureFixture[str]) -> None:
    def visit(http: httpx.Client) -> list[int]:
        good = {"authorization": f"Bearer {KEY}"}
        return [
            http.post("/predict", json=BODY).status_code,
            http.post("/predict", json=BODY, headers={"authorization": "Bearer wrong"}).status_code,
            http.post("/predict", content=b" " * 9_000_000).status_code,
            http.get("/metadata").status_code,
            http.get("/metrics").status_code,
            http.get("/health").status_code,
            http.get("/").status_code,
            http.post("/predict", json=BODY, headers=good).status_code,
            http.get("/metrics", headers=good).status_code,
        ]

    assert served(model, visit, key=KEY) == [401, 401, 401, 401, 401, 200, 200, 200, 200]
    assert KEY not in repr(ServingSettings(key=KEY))
    assert faults(capfd) == []


def test_everything_is_counted(model: Model) -> None:
    def visit(http: httpx.Client) -> str:
        http.post("/predict", json={"data": [ROW, [1, 2, None, "unheard of"]]})
        http.post("/predict", json=BODY)
        http.post("/predict", content=b"x")
        http.get("/health")
        return http.get("/metrics").text

    page = served(model, visit)
    assert counted(page, 'scoring_requests_total{status="200"}') == 2
    assert counted(page, 'scoring_requests_total{status="400"}') == 1
    assert counted(page, "scoring_rows_total") == 3
    assert counted(page, 'scoring_unknown_category_total{field="carrier"}') == 1
    assert counted(page, "scoring_request_seconds_count") == 3
    assert counted(page, 'scoring_request_seconds_bucket{le="+Inf"}') == 3
    assert counted(page, "scoring_batch_rows_sum") == 3
    labels = [counted(page, f'scoring_predictions_total{{label="{label}"}}') for label in ("no", "yes")]
    assert sum(labels) == 3
    assert counted(page, "scoring_in_flight") == 0
    assert 'scoring_model_info{model="late",version="7",run_id="run-1"} 1' in page


def test_a_failure_inside_is_500_in_one_line_and_the_log_says_why(
    model: Model, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(requests: object) -> None:
        raise RuntimeError("the trees\nfell over")

    monkeypatch.setattr(model, "predict", fails)
    answer = served(model, lambda http: http.post("/predict", json=BODY))
    assert answer.status_code == 500
    assert answer.json() == {"error": "the service failed on this request: its log says why"}
    assert faults(capfd) == ["a request failed: RuntimeError: the trees fell over"]


async def test_one_that_breaks_the_model_breaks_no_other_that_arrived_with_it(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = model.predict
    sizes: list[int] = []
    statuses: list[int] = []

    def fails(requests: Sequence[tuple[bytes, str]]) -> Batch:
        sizes.append(len(requests))
        if any(body == b"poison" for body, _ in requests):
            raise RuntimeError("the trees fell over")
        return real(requests)

    class Sender:
        def response_bytes(self, status: int, headers: object, body: bytes) -> None:
            statuses.append(status)

    monkeypatch.setattr(model, "predict", fails)
    done = asyncio.Event()
    metrics, loop = Metrics(model, IDENTITY), asyncio.get_running_loop()
    together = Together(model, Writer(model, "7"), metrics, loop, lambda _: done.set())
    for body in (json.dumps(BODY).encode(), b"poison", json.dumps(BODY).encode()):
        together.add(Sender(), body, "", 0.0)
    await done.wait()
    assert (sizes, statuses) == ([3, 1, 1, 1], [200, 500, 200])
    assert metrics.answers == {200: 2, 500: 1}


def test_a_sender_that_goes_away_in_the_middle_of_its_body_harms_nobody(
    model: Model, capfd: pytest.CaptureFixture[str]
) -> None:
    def visit(http: httpx.Client) -> list[int]:
        for length in (b"content-length: 50", b"transfer-encoding: chunked"):
            with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=WAIT_S) as gone:
                gone.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\n" + length + b"\r\n\r\n5\r\n{")
        return [http.post("/predict", json=BODY).status_code for _ in range(3)]

    assert served(model, visit) == [200, 200, 200]
    assert faults(capfd) == []


def test_a_page_that_fails_is_500_and_hangs_nobody(
    model: Model, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.metrics.Metrics.render", lambda *_, **__: 1 / 0)
    assert served(model, lambda http: http.get("/metrics").status_code) == 500
    assert faults(capfd) == ["a request failed: ZeroDivisionError: division by zero"]


def test_a_name_is_looked_up_and_an_unknown_one_is_named(model: Model) -> None:
    assert free_port("localhost", 0) > 0
    with pytest.raises(ServeError, match=r"nowhere.invalid: .*take an address of this machine"):
        serve(model, IDENTITY, ServingSettings(host="nowhere.invalid"))


def test_draining_answers_what_is_in_flight_and_refuses_the_rest(model: Model) -> None:
    """A body that has begun before SIGTERM and ends after it; its sender hears 503, as do new ones."""

    def visit(http: httpx.Client) -> list[Any]:
        address = (http.base_url.host, http.base_url.port or 0)
        body = json.dumps(BODY).encode()
        head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(address, timeout=WAIT_S) as slow:
            slow.sendall(head + body[:3])
            while counted(http.get("/metrics").text, "scoring_in_flight") < 1:
                pass
            os.kill(os.getpid(), signal.SIGTERM)
            while http.get("/health/ready").status_code == 200:
                pass
            ready, live, health = http.get("/health/ready"), http.get("/health/live"), http.get("/health")
            refused = http.post("/predict", json=BODY)
            slow.sendall(body[3:])
            late = slow.recv(10_000).decode()
        return [ready, live, health, refused, late]

    ready, live, health, refused, late = served(model, visit, stop=False)
    assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
    assert live.status_code == 200
    assert (health.status_code, health.json()["status"]) == (503, "draining")
    assert (refused.status_code, refused.headers["connection"]) == (503, "close")
    assert "draining" in refused.json()["error"]
    assert late.startswith("HTTP/1.1 503")


def test_draining_ends_in_time_even_if_a_sender_never_ends(model: Model, capfd: pytest.CaptureFixture[str]) -> None:
    def visit(http: httpx.Client) -> socket.socket:
        slow = socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=WAIT_S)
        slow.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        while counted(http.get("/metrics").text, "scoring_in_flight") < 1:
            pass
        return slow

    served(model, visit, drain_s=0.2).close()
    assert faults(capfd) == ["drain: 1 requests had no answer after 0.2 s"]


def test_a_taken_port_is_named(model: Model) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"127.0.0.1:{port}: Address already in use; stop what listens there"):
            serve(model, IDENTITY, ServingSettings(port=port))


def test_a_port_that_another_replica_would_share_is_taken_too(model: Model) -> None:
    def visit(http: httpx.Client) -> int:
        port = http.base_url.port or 0
        with pytest.raises(ServeError, match="Address already in use"):
            free_port("127.0.0.1", port)
        return port

    assert served(model, visit) > 0


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ServeError, match=r"192.0.2.1:0: .*take another address"):
        free_port("192.0.2.1", 0)


def test_a_model_that_cannot_predict_never_becomes_ready(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_lost: object = None) -> None:
        raise ModelError("XGBoost can't predict")

    monkeypatch.setattr(model, "warm_up", fails)
    with pytest.raises(ModelError, match="can't predict"):
        serve(model, IDENTITY, ServingSettings(), lambda: pytest.fail("it said that it is ready"))


def test_requests_that_arrive_together_are_scored_together(model: Model) -> None:
    """Sixteen senders at once, until a call scored more than one row."""

    def visit(http: httpx.Client) -> tuple[int, float, float]:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: http.post("/predict", json=BODY), range(300)))
        page = http.get("/metrics").text
        good = sum(answer.status_code == 200 for answer in answers)
        return good, counted(page, "scoring_batch_rows_count"), counted(page, "scoring_batch_rows_sum")

    good, calls, rows = served(model, visit)
    assert good == rows == 300
    assert calls < 300


def test_a_model_that_is_lost_meanwhile_ends_the_service_with_why(
    model: Model, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An end that nobody asked for is no good one: whoever looks after it says why it starts another."""
    why = "the model's process ended (code 3); its log says why"
    monkeypatch.setattr(type(model), "warm_up", lambda _, lost: lost(why))
    with pytest.raises(ModelError, match=r"^the model's process ended \(code 3\)"):
        serve(model, IDENTITY, ServingSettings("127.0.0.1", free_port("127.0.0.1", 0), drain_s=0.1))
    assert "draining" in capfd.readouterr().err

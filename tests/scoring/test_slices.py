"""Large requests: scored in slices with the same answer, one after the other, small ones between, within a bound."""

import asyncio
import gzip
import json
import socket
from typing import Any

import httpx
import pytest

from scoring import app, bodies, slices
from scoring.model import SLICE_ROWS, Batch, Model
from scoring.pace import Pace
from scoring.payload import MOST_ROWS, WRAPS, PayloadError, Reader
from scoring.settings import no_limit
from scoring.slices import GIVES_WAY, LargeJob, OneByOne
from tests.scoring.test_service import BODY, ROW, WAIT_S, served

ROWS = [[day + 0.5, day % 12 + 1, day % 2 == 0, "AA" if day % 3 else None] for day in range(2 * SLICE_ROWS + 3)]


def in_slices(model: Model, body: object, query: str = "") -> Batch:
    """A request's batch after all of its steps."""
    steps = model.in_slices((json.dumps(body).encode(), query))
    while True:
        try:
            next(steps)
        except StopIteration as done:
            batch: Batch = done.value
            return batch


def test_slices_give_the_answer_that_one_call_gives(model: Model) -> None:
    request = {"data": ROWS}
    whole = model.predict([(json.dumps(request).encode(), "probabilities=1")])
    sliced = in_slices(model, request, "probabilities=1")
    assert model.answer(sliced, 0) == model.answer(whole, 0)
    assert (sliced.counts, sliced.unknown) == (whole.counts, whole.unknown)


@pytest.mark.parametrize("wrong", [[1, 2, True, {}], [1e300, 2, True, "AA"], ["x", 2, True, "AA"], [1]])
def test_a_row_that_does_not_fit_is_named_by_its_place_in_the_request(model: Model, wrong: list[Any]) -> None:
    request = {"data": [*ROWS, wrong]}
    whole = model.predict([(json.dumps(request).encode(), "")])
    sliced = in_slices(model, request)
    assert str(sliced.refused[0]) == str(whole.refused[0])
    assert f"row {len(ROWS)}" in str(sliced.refused[0])
    assert (sliced.counts, sliced.classes) == ([0], [])


async def test_small_ones_go_between_slices_and_large_ones_go_on_all_the_same() -> None:
    done = asyncio.Event()
    said: list[str] = []
    busy = True

    def others() -> bool:
        said.append("asked")
        return busy

    def job(name: str) -> LargeJob:
        for step in range(2):
            said.append(f"{name}{step}")
            yield None
        if name == "b":
            done.set()

    line = OneByOne(asyncio.get_running_loop(), others, Pace(no_limit))
    line.add(job("a"))
    line.add(job("b"))
    async with asyncio.timeout(5):
        await done.wait()
    assert [word for word in said if word != "asked"] == ["a0", "a1", "b0", "b1"]
    assert said.index("a0") == GIVES_WAY + 1


async def test_what_waits_has_a_bound_and_the_first_is_always_taken() -> None:
    room = OneByOne(asyncio.get_running_loop(), lambda: False, Pace(no_limit))
    assert room.hold(slices.WAITING_BYTES + 1)
    assert not room.hold(1)
    room.free(slices.WAITING_BYTES + 1)
    assert [room.hold(slices.WAITING_BYTES // 2) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("more", [{}, {"content-encoding": "gzip"}])
def test_beyond_the_bound_it_is_429_with_when_to_come_again(
    model: Model, more: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose body has begun to come holds all the room that there is."""
    monkeypatch.setattr(slices, "WAITING_BYTES", 50_000)
    content = json.dumps({"data": ROWS}).encode()
    content = gzip.compress(content) if more else content

    def visit(http: httpx.Client) -> tuple[httpx.Response, int, httpx.Response]:
        with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=WAIT_S) as slow:
            slow.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 50000\r\n\r\n{")
            while "scoring_in_flight 1" not in http.get("/metrics").text:
                pass
            full = http.post("/predict", content=content, headers=more)
            small = http.post("/predict", json=BODY).status_code
        while "scoring_in_flight 0" not in http.get("/metrics").text:
            pass
        return full, small, http.post("/predict", content=content, headers=more)

    full, small, later = served(model, visit)
    assert (full.status_code, full.headers["retry-after"], list(full.json())) == (429, "1", ["error"])
    assert (small, later.status_code, later.json()["num_samples"]) == (200, 200, len(ROWS))


def test_a_body_that_comes_too_slowly_is_408(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.05)

    def visit(http: httpx.Client) -> tuple[bytes, str]:
        with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=WAIT_S) as slow:
            slow.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 50000\r\n\r\n{")
            return slow.recv(10_000), http.get("/metrics").text

    answer, page = served(model, visit)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not come whole within" in answer
    assert "scoring_in_flight 0" in page


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * (MOST_ROWS + WRAPS) + b"[]]",
        b'{"inputs": {"a": [' + b"1," * MOST_ROWS + b"1]}}",
    ],
    ids=["rows", "columns"],
)
def test_too_many_rows_are_refused_before_they_take_memory(body: bytes) -> None:
    with pytest.raises(PayloadError, match="more than 100,000 rows") as refused:
        Reader(["a"]).read(body)
    assert refused.value.status == 413


@pytest.mark.parametrize(
    ("before", "row", "after"),
    [
        ("[", "[1]", "]"),
        ('{"data": [', "[1]", "]}"),
        ('{"dataframe_records": [', '{"a": 1}', "]}"),
        ('{"dataframe_split": {"columns": ["a"], "data": [', "[1]", "]}}"),
    ],
    ids=["list", "data", "records", "split"],
)
def test_as_many_rows_as_are_promised_are_taken_in_each_form_and_not_one_more(
    before: str, row: str, after: str
) -> None:
    reader = Reader(["a"])
    rows, _ = reader.read((before + ",".join([row] * MOST_ROWS) + after).encode())
    assert len(rows) == MOST_ROWS
    with pytest.raises(PayloadError, match="more than 100,000 rows"):
        reader.read((before + ",".join([row] * (MOST_ROWS + 1)) + after).encode())


def test_too_many_rows_are_refused_in_the_other_forms_too(model: Model) -> None:
    tensor = {"name": "x", "shape": [MOST_ROWS + 1, 1], "datatype": "FP64", "data": [1] * (MOST_ROWS + 1)}

    def visit(http: httpx.Client) -> list[int]:
        lines = "delay\n" + "1\n" * (MOST_ROWS + 1)
        return [
            http.post("/v2/models/late/infer", json={"inputs": [tensor]}).status_code,
            http.post("/predict", content=lines, headers={"content-type": "text/csv"}).status_code,
        ]

    assert served(model, visit) == [413, 413]


def test_a_large_request_that_fails_inside_is_500_and_the_next_is_answered(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def visit(http: httpx.Client) -> list[int]:
        with monkeypatch.context() as broken:
            broken.setattr(app, "unpacked", lambda *_: 1 / 0)
            failed = http.post("/predict", json={"data": ROWS}).status_code
        good = http.post("/predict", json={"data": ROWS}).status_code
        return [failed, good, http.post("/predict", json={"data": [ROW]}).status_code]

    assert served(model, visit) == [500, 200, 200]

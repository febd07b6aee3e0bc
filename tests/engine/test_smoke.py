"""A new slot is tried by real requests: answers, their form and their times."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from core.config.serving import SmokeLimits
from core.domain.errors import Failed
from core.domain.histogram import Histogram
from core.engine import smoke as module
from core.engine.smoke import keep, rows_of, smoke
from core.targets.protocol import Address
from tests.environments import V2

LIMITS = SmokeLimits()
HEALTHY = (200, "2", "{}")
GOOD = (200, "2", '{"predictions": ["yes"]}')


@asynccontextmanager
async def served(answer: Callable[[int], tuple[int, str, str]]) -> AsyncIterator[tuple[str, list[str]]]:
    """A service whose answer to request n is `answer(n)`: status, version, body; and the requests it got."""
    got: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                text = head.decode()
                length = text.lower().partition("content-length: ")[2].split("\r\n")[0]
                body = (await reader.readexactly(int(length or 0))).decode()
                if text.startswith("GET /health"):
                    status, version, said = HEALTHY
                else:
                    got.append(text + body)
                    status, version, said = answer(len(got))
                head_back = f"HTTP/1.1 {status} X\r\nx-model-version: {version}\r\ncontent-length: {len(said)}\r\n\r\n"
                writer.write((head_back + said).encode())
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", got
    finally:
        server.close()


async def test_each_row_is_sent_to_the_slot_alone_with_the_key() -> None:
    async with served(lambda _: GOOD) as (url, got):
        address = Address(url, {"x-quarterdeck-slot": "green"}, "s3cret")
        result = await smoke(address, [{"a": 1}, {"a": 2}], V2, 5)
    assert (result.ok, result.asked, result.available, result.problems(LIMITS)) == (5, 5, True, [])
    assert len(got) == 5
    assert all("x-quarterdeck-slot: green" in text and "authorization: Bearer s3cret" in text for text in got)
    assert sorted(json.loads(text.split("\r\n\r\n")[1])["a"] for text in got) == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((500, "2", "boom"), "(1 500; the first: 500 boom)"),
        ((200, "1", GOOD[2]), "(1 version; the first: version 1 answered instead of 2)"),
        ((200, "2", '{"predictions": []}'), "(1 format; the first: no prediction in the answer)"),
        ((200, "2", "[]"), "(1 format; the first: no prediction in the answer)"),
        ((200, "2", "<html>"), "(1 format; the first: no JSON but '<html>')"),
    ],
)
async def test_what_is_wrong_is_sorted_by_kind(answer: tuple[int, str, str], why: str) -> None:
    async with served(lambda number: answer if number == 2 else GOOD) as (url, _):
        result = await smoke(Address(url), [{"a": 1}], V2, 3)
    assert result.problems(LIMITS) == [f"2 of 3 answers right, at least 95 % asked {why}"]
    assert result.problems(SmokeLimits(success_percent=60)) == []


async def test_slow_answers_and_a_health_that_is_not_well_are_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "HEALTHY", (503, "2", "no"))
    async with served(lambda _: GOOD) as (url, _):
        result = await smoke(Address(url), [{"a": 1}], V2, 3)
    slow = replace(result, latency=Histogram.of([40.0] * 97 + [900.0] * 3))
    assert slow.problems(SmokeLimits(p50_ms=39, p99_ms=800)) == [
        "/health did not answer 200", "p50 40 ms is above 39 ms", "p99 900 ms is above 800 ms",
    ]  # fmt: skip


async def test_what_it_came_to_is_kept(tmp_path: Path) -> None:
    async with served(lambda number: (500, "2", "boom") if number == 2 else GOOD) as (url, _):
        result = await smoke(Address(url), [{"a": 1}], V2, 4)
    kept = json.loads(keep(result.figures(LIMITS), tmp_path / "there").read_text())
    assert (kept["passed"], kept["requests"], kept["right"], kept["failed"]) == (False, 4, 3, {"500": 1})
    assert kept["limits"]["success_percent"] == 95
    assert kept["p50_ms"] > 0
    (tmp_path / "file").write_text("")
    with pytest.raises(Failed, match="the results of the smoke test can't be written"):
        keep({}, tmp_path / "file")


async def test_a_service_that_is_not_ready_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    async with served(lambda number: (503, "2", "not ready") if number < 3 else GOOD) as (url, got):
        assert (await smoke(Address(url), [{"a": 1}], V2, 1)).ok == 1
    assert len(got) == 3


async def test_nobody_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    async with served(lambda _: GOOD) as (url, _):
        pass
    result = await smoke(Address(url), [{"a": 1}], V2, 2)
    assert (result.ok, result.available, result.failed) == (0, False, {"connect": 2})
    said = result.problems(LIMITS)
    assert "0 of 2 answers right, at least 95 % asked (2 connect; the first: ConnectError" in said[1]
    assert said[2:] == [f"p{p} is not known, limit {limit} ms" for p, limit in ((50, 500), (95, 2000), (99, 3000))]


def test_rows_come_from_a_file_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n{"a": 3}\n')
    assert rows_of(path, 3) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(("text", "why"), [(None, "no rows to send"), ("{\n", "no rows to send"), ("\n", "is empty")])
def test_without_rows_it_says_where_they_should_be(tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / "rows.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Failed, match=why):
        rows_of(path, 5)

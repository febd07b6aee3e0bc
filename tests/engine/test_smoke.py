"""A new slot is tried by real requests; every answer must be right."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.domain.errors import Failed
from core.engine import smoke as module
from core.engine.smoke import rows_of, smoke
from core.targets.protocol import Address
from tests.environments import V2

GOOD = (200, "2", '{"predictions": ["yes"]}')


@asynccontextmanager
async def served(answer: Callable[[int], tuple[int, str, str]]) -> AsyncIterator[tuple[str, list[str]]]:
    """A service whose answer to request n is `answer(n)`: status, version, body; and the requests it got."""
    got: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                text = head.decode()
                length = int(text.lower().split("content-length: ")[1].split("\r\n")[0])
                body = (await reader.readexactly(length)).decode()
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
        assert await smoke(address, [{"a": 1}, {"a": 2}], V2, 5) == "5 of 5"
    assert len(got) == 5
    assert all("x-quarterdeck-slot: green" in text and "authorization: Bearer s3cret" in text for text in got)
    assert sorted(json.loads(text.split("\r\n\r\n")[1])["a"] for text in got) == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((500, "2", "boom"), "1 of 3 answers were wrong; the first: 500 boom"),
        ((200, "1", GOOD[2]), "version 1 answered instead of 2"),
        ((200, "2", '{"predictions": []}'), "no prediction in the answer"),
        ((200, "2", "[]"), "no prediction in the answer"),
        ((200, "2", "<html>"), "no JSON but '<html>'"),
    ],
)
async def test_one_wrong_answer_fails_it(answer: tuple[int, str, str], why: str) -> None:
    async with served(lambda number: answer if number == 2 else GOOD) as (url, _):
        with pytest.raises(Failed) as caught:
            await smoke(Address(url), [{"a": 1}], V2, 3)
    assert why in str(caught.value)


async def test_a_service_that_is_not_ready_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    async with served(lambda number: (503, "2", "not ready") if number < 3 else GOOD) as (url, got):
        assert await smoke(Address(url), [{"a": 1}], V2, 1) == "1 of 1"
    assert len(got) == 3


async def test_nobody_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    async with served(lambda _: GOOD) as (url, _):
        pass
    with pytest.raises(Failed, match="2 of 2 answers were wrong; the first: ConnectError"):
        await smoke(Address(url), [{"a": 1}], V2, 2)


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

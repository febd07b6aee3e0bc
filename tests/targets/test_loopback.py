"""What a target listens to on loopback: whole requests are passed on, and who sends too much comes to read why."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from core.domain.errors import Unreachable
from core.system.ports import named_port
from core.targets.loopback import LARGEST, SLOT_HEADER, LoopbackServer, PassedAnswer, PassedRequest


async def _echo(request: PassedRequest) -> PassedAnswer:
    if request.path == "/away":
        raise Unreachable('the "place" is away')
    headers = {"content-type": "text/plain", "x-model-version": "3", "x-secret-of-the-place": "s3cret"}
    return 200, headers, f"{request.method} {request.path} {request.slot} ".encode() + request.body


@pytest.fixture
async def server() -> AsyncIterator[LoopbackServer]:
    one = LoopbackServer(_echo)
    await one.open(str(uuid4()))
    yield one
    await one.close()


@pytest.fixture
async def client(server: LoopbackServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as one:
        yield one


async def test_requests_are_passed_on_one_after_the_other(server: LoopbackServer, client: httpx.AsyncClient) -> None:
    for number in range(3):
        answer = await client.post(f"/predict?n={number}", content=b"row", headers=server.pin("green"))
        assert answer.text == f"POST /predict?n={number} green row"
    assert (answer.headers["x-model-version"], "x-secret-of-the-place" in answer.headers) == ("3", False)
    assert (await client.get("/health")).text == "GET /health  "


@pytest.mark.parametrize("pin", [b"green", b"green.", b".wrong", b"green.\xe9", b"green.wrong"])
async def test_nobody_names_a_slot_who_was_not_told_how(client: httpx.AsyncClient, pin: bytes) -> None:
    answer = await client.get("/health", headers={SLOT_HEADER.encode(): pin})
    assert (answer.status_code, answer.json()) == (404, {"error": "no such slot"})


async def test_a_place_that_does_not_answer_is_one_line(client: httpx.AsyncClient) -> None:
    answer = await client.get("/away")
    assert (answer.status_code, answer.json()) == (502, {"error": 'the "place" is away'})


async def _without_length() -> AsyncIterator[bytes]:
    for _ in range(20):
        yield b"x" * 2**20


@pytest.mark.parametrize("sized", [True, False])
async def test_who_sends_too_much_reads_why(client: httpx.AsyncClient, sized: bool) -> None:
    answer = await client.post("/predict", content=b"x" * (LARGEST + 1) if sized else _without_length())
    assert answer.status_code == 413
    assert "16 MB" in answer.json()["error"]


async def test_who_speaks_no_http_is_hung_up_on(server: LoopbackServer) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    for words in (b"hello\r\n\r\n", b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", b"x" * 2**17):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(words)
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            pass
        finally:
            writer.close()


async def test_it_comes_back_to_where_it_was_and_goes_elsewhere_while_another_listens_there() -> None:
    name = str(uuid4())
    first, beside, next_one = (LoopbackServer(_echo) for _ in range(3))
    await first.open(name)
    await beside.open(name)
    assert first.url == f"http://127.0.0.1:{named_port(name)}"
    assert beside.url != first.url
    await first.close()
    await next_one.open(name)
    assert next_one.url == first.url
    for one in (beside, next_one):
        await one.close()

"""One page of counters for all replicas of an endpoint, and it never falls."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, strategies as some

from core.domain.model import Noted
from core.targets.local import metrics_page
from core.targets.local.counters import Counters, Family, parse
from core.targets.local.http import Connection, Response
from core.targets.local.metrics_page import MetricsPage
from core.targets.local.scraped import Scraped
from core.targets.protocol import Address
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, TWO, listening, loading, watching, where

PAGE = """\
# HELP asked_total Answers, by status.
# TYPE asked_total counter
asked_total{status="200"} 7
asked_total{status="4\\"0}4"} 2
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 6
took_seconds_bucket{le="+Inf"} 9
took_seconds_sum 1.25
took_seconds_count 9
# TYPE in_flight gauge
in_flight 3
# TYPE my_start_time_seconds gauge
my_start_time_seconds 1700000000.5
# TYPE model_info gauge
model_info{version="1"} 1

odd{of="nothing"} NaN
"""


def asked(number: float) -> str:
    """A page of one counter and one gauge."""
    return f"# TYPE asked_total counter\nasked_total {number}\n# TYPE in_flight gauge\nin_flight {number}\n"


def lines(page: str, name: str) -> list[str]:
    """The lines of a page that begin so."""
    return [line for line in page.splitlines() if line.startswith(name)]


def test_one_page_is_written_as_it_was_read() -> None:
    counters = Counters()
    counters.take("a", parse(PAGE))
    assert counters.render() == PAGE.replace('\nodd{of="nothing"} NaN\n', "")
    assert parse(PAGE).families["asked_total"] == Family("counter", "Answers, by status.")


def test_counters_and_buckets_add_up_and_what_has_gone_stays_counted() -> None:
    counters = Counters()
    for who in ("a", "b"):
        counters.take(who, parse(PAGE))
    both = counters.render()
    assert lines(both, "asked_total") == ['asked_total{status="200"} 14', 'asked_total{status="4\\"0}4"} 4']
    assert lines(both, "took_seconds_") == [
        'took_seconds_bucket{le="0.1"} 12', 'took_seconds_bucket{le="+Inf"} 18', "took_seconds_sum 2.5",
        "took_seconds_count 18",
    ]  # fmt: skip
    assert lines(both, "in_flight") == ["in_flight 6"]
    assert lines(both, "my_start") == ["my_start_time_seconds 1700000000.5"]
    assert lines(both, "model_info") == ['model_info{version="1"} 1']
    assert counters.living({"b"})
    assert not counters.living({"b"})
    left = counters.render()
    assert lines(left, "asked_total") == lines(both, "asked_total")
    assert lines(left, "in_flight") == ["in_flight 3"]


def test_a_process_that_counts_from_zero_again_began_anew() -> None:
    counters = Counters()
    for number in (5, 2, 3):
        counters.take("a", parse(asked(number)))
    assert lines(counters.render(), "asked_total") == ["asked_total 8"]


def test_another_host_goes_on_where_the_last_one_was() -> None:
    counters = Counters()
    counters.take("gone", parse(asked(5)))
    counters.take("a", parse(asked(2)))
    counters.living({"a"})
    again = Counters.from_json(json.loads(json.dumps(counters.to_json())))
    again.take("a", parse(asked(4)))
    assert lines(again.render(), "asked_total") == ["asked_total 9"]
    assert lines(again.render(), "in_flight") == ["in_flight 4"]


STEPS = some.tuples(some.sampled_from("abc"), some.integers(0, 9), some.booleans(), some.booleans())


@given(some.lists(STEPS, max_size=30))
def test_whatever_replicas_do_no_sum_falls_and_each_answer_counts_once(
    steps: list[tuple[str, int, bool, bool]],
) -> None:
    counters, counts, users, mirrored = Counters(), dict.fromkeys("abc", 0), 0, 0
    for who, more, dies, copies in steps:
        counts[who] += more
        users, mirrored = users + more * (not copies), mirrored + more * copies
        counters.take(who, parse(asked(counts[who])), copies=copies)
        if dies:
            counters.living(set("abc") - {who})
            counts[who] = 0
        assert counters.sums().get("asked_total", 0.0) == users
        assert counters.mirrored().get("asked_total", 0.0) == mirrored


@pytest.mark.parametrize("text", ["asked_total", "asked_total x", '{"error": "no such page"}', "a{b=c} 1", "<html>"])
def test_what_is_no_page_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"no line|could not convert"):
        parse(text)


# The page, over sockets


@dataclass
class Replica:
    """A replica's page."""

    text: str = asked(1)
    status: int = 200
    heard: list[str] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            self.heard.append(head)
            body = self.text.encode()
            writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)


@asynccontextmanager
async def page_of(
    folder: Path, *replicas: Scraped, key: str = "", notes: list[Noted] | None = None
) -> AsyncIterator[MetricsPage]:
    """The page of these replicas, which answers."""
    page = MetricsPage(folder, lambda: replicas, lambda: key, (notes if notes is not None else []).append)
    await page.start()
    try:
        yield page
    finally:
        await page.stop()


async def get(page: MetricsPage, key: str = "", method: str = "GET") -> Response:
    """What the page answers."""
    line = await Connection.open(page.socket)
    try:
        return await line.ask("/metrics", {"authorization": f"Bearer {key}"} if key else {}, method)
    finally:
        line.close()


async def test_the_page_is_the_sum_of_those_that_answer(tmp_path: Path) -> None:
    one, two, broken = Replica(asked(2)), Replica(asked(3)), Replica("<html>")
    async with listening(one) as first, listening(two) as second, listening(broken) as third:
        ports = [first[1], second[1], third[1]]
        async with page_of(tmp_path, *(Scraped(f"{port}", port, "s3cret") for port in ports)) as page:
            assert page.socket.stat().st_mode & 0o777 == 0o600
            answer = await get(page)
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert lines(answer.body.decode(), "asked_total") == ["asked_total 5"]
            assert "authorization: Bearer s3cret" in one.heard[0]
        # What was counted last is written down, and the next host begins with it.
        async with page_of(tmp_path) as page:
            assert lines((await get(page)).body.decode(), "asked_total") == ["asked_total 5"]
            assert lines((await get(page)).body.decode(), "in_flight") == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_whatever_comes_along_with_a_question_costs_nobody_the_answer(tmp_path: Path, method: str) -> None:
    """A body may come late or look like another request; the connection is told to end, and ends with the asker."""
    async with page_of(tmp_path) as page:
        reader, writer = await asyncio.open_unix_connection(str(page.socket))
        writer.write(f"{method} /metrics HTTP/1.1\r\ncontent-length: 400000\r\n\r\n".encode())
        async with asyncio.timeout(20):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            for _ in range(4):
                writer.write(b"GET /metrics HTTP/1.1\r\n\r\n" * 4000)
                await writer.drain()
            writer.write_eof()
            rest = await reader.read()
        writer.close()
    assert head.startswith("HTTP/1.1 200" if method == "GET" else "HTTP/1.1 405")
    assert "connection: close" in head
    assert b"HTTP/1.1" not in rest


async def test_the_page_wants_the_endpoints_key_and_a_get(tmp_path: Path) -> None:
    async with page_of(tmp_path, key="s3cret") as page:
        assert [(await get(page, key)).status for key in ("", "wrong", "s3cret")] == [401, 401, 200]
        assert "Authorization: Bearer KEY" in json.loads((await get(page)).body)["error"]
        assert (await get(page)).headers["www-authenticate"] == "Bearer"
        answer = await get(page, "s3cret", "POST")
        assert (answer.status, answer.headers["allow"]) == (405, "GET")


async def test_a_replica_that_hangs_keeps_what_it_said_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_page, "ANSWER_S", 0.05)
    hang = asyncio.Event()
    replica = Replica(asked(4))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not hang.is_set():
            await replica(reader, writer)
        await reader.read()

    async with listening(talk) as address, page_of(tmp_path, Scraped("a", address[1])) as page:
        assert lines((await get(page)).body.decode(), "asked_total") == ["asked_total 4"]
        hang.set()
        assert lines((await get(page)).body.decode(), "asked_total") == ["asked_total 4"]


@pytest.mark.parametrize("text", ["", "[]", '{"ended": 3}', "\x00"])
async def test_counts_that_cannot_be_read_are_said_and_begin_at_zero(tmp_path: Path, text: str) -> None:
    (tmp_path / "counters.json").write_text(text)
    notes: list[Noted] = []
    async with page_of(tmp_path, notes=notes) as page:
        assert (await get(page)).status == 200
    assert "/metrics counts from zero" in notes[0].text


# Behind the router


async def counted(address: Address) -> int:
    """How many predictions the endpoint says it answered."""
    line = await Connection.open(where(address))
    try:
        answer = await line.ask("/metrics", {"authorization": f"Bearer {address.key}"} if address.key else {})
    finally:
        line.close()
    assert answer.status == 200
    return int(lines(answer.body.decode(), "answers_total")[0].split()[1])


async def test_metrics_of_an_endpoint_are_the_sum_of_all_replicas_and_never_fall(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 2)
        await target.apply("green", TWO, 1)
        await watcher.ready("blue", 2)
        await watcher.ready("green", 1)
        await target.route({"blue": 50, "green": 50})
        await watcher.weight("green", 50)
        address = await target.address()
        async with loading(address) as load:
            await load.more(100)
        sent = load.count
        # A request that was cut off at the end of the load may have been counted.
        first = await counted(address)
        assert sent <= first <= sent + load.users
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        assert await counted(address) == first
        line = await Connection.open(where(address))
        pid = json.loads((await line.ask("/predict", (await target.address("green")).headers)).body)["pid"]
        line.close()
        assert await counted(address) == first + 1
        os.kill(pid, signal.SIGKILL)
        await watcher.until(lambda: watcher.slots["green"].replicas[0].restarts == 1)
        await watcher.ready("green", 1)
        assert await counted(address) == first + 1


async def test_metrics_need_the_endpoints_key(endpoints: Endpoints) -> None:
    target = endpoints.target(key="s3cret")
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        address = await target.address()
        line = await Connection.open(where(address))
        assert (await line.ask("/metrics")).status == 401
        line.close()
        assert await counted(address) == 0

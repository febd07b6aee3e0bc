"""A Locust that somebody else has started, followed and steered."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.domain.errors import BadInput, Refused, Unreachable
from core.domain.sample import Sample
from core.load.attached import Attached, Page, between, page_of
from tests.load.conftest import Serve
from tests.load.test_run import until

THEIRS = """
from locust import FastHttpUser, constant, task

class Theirs(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def ask(self):
        self.client.get("/ask")
"""
SHAPE = """
from locust import LoadTestShape

class Flat(LoadTestShape):
    def tick(self):
        return (3, 3)
"""


class Locusts:
    """Starts Locusts with their pages open, as their owner would."""

    def __init__(self, folder: Path, host: str):
        self.folder = folder
        self.host = host
        self.running: list[subprocess.Popen[bytes]] = []

    async def start(self, text: str, *options: str) -> str:
        """Where its page is, once it is open."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        file = self.folder / f"theirs{port}.py"
        await asyncio.to_thread(file.write_text, text)
        call = [sys.executable, "-m", "locust", "-f", str(file), "--host", self.host]
        call += ["--web-host", "127.0.0.1", "--web-port", str(port), *options]
        with (self.folder / "log").open("ab") as log:
            self.running.append(await asyncio.to_thread(subprocess.Popen, call, stderr=log, stdin=subprocess.DEVNULL))
        url = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(30), httpx.AsyncClient(trust_env=False) as client:
            while True:
                try:
                    await client.get(url)
                except httpx.ConnectError:
                    await asyncio.sleep(0.1)
                else:
                    return url


@pytest.fixture
def locusts(serve: Serve, tmp_path: Path) -> Iterator[Locusts]:
    """They end with the test."""
    ours = Locusts(tmp_path, serve(break_every=10))
    yield ours
    for one in ours.running:
        one.kill()
        one.wait(timeout=10)


async def test_its_figures_come_and_it_can_be_steered(locusts: Locusts) -> None:
    url = await locusts.start(THEIRS, "--users", "5", "--spawn-rate", "5", "--autostart")
    async with Attached(url + "/") as load:
        assert load.web_url == url
        samples = load.samples()
        busy = await until(load, samples, lambda sample: sample.users == 5 and sample.requests > 40)
        assert 0 < busy.rps < 101
        assert sum(busy.failed.values()) == pytest.approx(busy.requests / 10, abs=2)
        # What failed just now is not yet told by its kind.
        assert "LocustBadStatusCode(code=500)" in busy.failed
        assert busy.failed.keys() <= {"LocustBadStatusCode(code=500)", "failed"}
        assert busy.latency.percentile_ms(95) is not None
        await load.users(7, 100)
        await load.pause()
        await load.users(2)
        await until(load, samples, lambda sample: sample.users == 0)
        await load.resume()
        await load.reset()
        await until(load, samples, lambda sample: sample.users == 2)
        await load.stop()
        result = await load.wait()
        async with httpx.AsyncClient(trust_env=False) as client:
            stats = (await client.get(f"{url}/stats/requests/csv")).text
            failures = (await client.get(f"{url}/stats/failures/csv")).text
    page = page_of({"current_response_time_percentiles": {}, "user_count": 0, "state": "stopped"}, stats, failures)
    assert result.total.requests == page.requests
    assert (result.how, result.why) == ("finished", "it was stopped")
    assert locusts.running[0].poll() is None, "its Locust stays"


async def test_a_shape_decides_there_too_and_one_that_goes_is_noticed(
    locusts: Locusts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.load.attached.SILENCES", 2)
    url = await locusts.start(THEIRS + SHAPE, "--autostart")
    async with Attached(url) as load:
        samples = load.samples()
        await anext(samples)
    assert [sample async for sample in samples] == [], "letting go ends them"
    assert (await load.wait()).how == "let go"
    async with Attached(url) as load:
        await until(load, load.samples(), lambda sample: sample.users == 3)
        with pytest.raises(Refused, match="using shape class 'Flat'"):
            await load.users(9)
        locusts.running[0].kill()
        result = await asyncio.wait_for(load.wait(), 20)
    assert result.how == "gone"
    assert result.why.startswith(f"{url}: Locust's page does not answer (")


async def test_what_is_no_page_of_locusts_is_said(serve: Serve) -> None:
    with pytest.raises(BadInput, match="there is a server, but no page of Locust's"):
        await Attached(serve()).__aenter__()
    with pytest.raises(BadInput, match=r"/stats/\w+ answers 401: is that the page of a Locust, open to all\?"):
        await Attached(serve(key="theirs")).__aenter__()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port}: Locust's page does not answer"):
        await Attached(f"http://127.0.0.1:{port}").__aenter__()


def page(requests: int, failures: int = 0, p50_ms: float | None = 10, p95_ms: float | None = 40, **kinds: int) -> Page:
    """A look at a page."""
    return Page(requests, failures, kinds, 5, "running", p50_ms, p95_ms)


@pytest.mark.parametrize(
    ("before", "after", "ok", "failed"),
    [
        (page(10), page(30), 20, {}),
        (page(10, 1, HTTP=1), page(30, 4, HTTP=2, Timeout=2), 17, {"HTTP": 1, "Timeout": 2}),
        (page(100, 9, HTTP=9), page(30, 4, HTTP=4), 26, {"HTTP": 4}),
        (page(10, 1, HTTP=1), page(30, 4, HTTP=9), 17, {"HTTP": 3}),
        (page(10, 1, HTTP=1), page(30, 4, HTTP=2), 17, {"HTTP": 1, "failed": 2}),
        (page(10, 1, HTTP=1), page(30, 1, HTTP=2), 20, {}),
        (page(10), page(10), 0, {}),
    ],
)
def test_two_looks_make_a_sample(before: Page, after: Page, ok: int, failed: dict[str, int]) -> None:
    sample = between(before, after, 2.0)
    assert (sample.ok, sample.failed, sample.users, sample.seconds) == (ok, failed, 5, 2.0)
    assert sample.latency.count == sample.requests


def test_the_histogram_has_the_median_and_the_95th_percentile_of_the_page() -> None:
    latency = between(page(0), page(101), 1.0).latency
    assert latency.percentile_ms(50) == pytest.approx(10, rel=0.02)
    assert latency.percentile_ms(95) == pytest.approx(40, rel=0.02)
    assert latency.percentile_ms(99) is None, "the page has none, and the 95th is another figure"
    assert (latency + latency).percentile_ms(99) is None
    assert latency.mean_ms is None
    assert between(page(0), page(5, p95_ms=None), 1.0).latency.percentile_ms(95) is None
    assert between(page(0), page(5, p50_ms=None), 1.0).latency.count == 0
    assert isinstance(between(page(0), page(5), 1.0), Sample)

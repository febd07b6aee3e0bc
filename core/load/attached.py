"""A load that somebody else runs: a Locust with its web page open, followed and steered over HTTP."""

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from core.errors import BadInput, Refused, Unreachable
from core.histogram import Histogram
from core.load.load import LoadResult
from core.load.tally import short
from core.model import Sample

TICK_S = 1.0
ANSWER_S = 5.0
SILENCES = 5
"""So many ticks in a row without an answer, and that Locust is gone."""


@dataclass(frozen=True, slots=True)
class Page:
    """What Locust's page said at one moment, counted since its own start or reset."""

    requests: int = 0
    failures: int = 0
    by_kind: Mapping[str, int] = field(default_factory=dict)
    users: int = 0
    state: str = ""
    p50_ms: float | None = None
    p95_ms: float | None = None


class Attached:
    """The same face as a run of our own. Letting go leaves that Locust running.

    Its page has counts to the second, but percentiles only over its last ten: the histograms here hold the
    right median and 95th percentile of those, and nothing above them. Versions and labels it does not know.
    """

    def __init__(self, url: str):
        self._url = url.rstrip("/")
        self._client = httpx.AsyncClient(base_url=self._url, timeout=ANSWER_S, trust_env=False)
        self._page = Page()
        self._total = Sample(None, at=0.0, seconds=0.0)
        self._resume_at: int | None = None
        self._over = asyncio.Event()
        self._why = ""

    async def __aenter__(self) -> Self:
        """`Unreachable` where nobody answers, `BadInput` where it is no page of Locust's."""
        try:
            self._page = await self._look()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def web_url(self) -> str | None:
        """The page itself."""
        return self._url

    async def samples(self) -> AsyncIterator[Sample]:
        """One a second, for one caller; ends when that Locust has stopped or gone."""
        silent = 0
        ran = self._page.state in {"running", "spawning"}
        last = due = time.monotonic()
        while not self._over.is_set():
            due = max(due + TICK_S, time.monotonic())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), due - time.monotonic())
            try:
                page = await self._look()
            except Unreachable as error:
                silent += 1
                if silent == SILENCES:
                    self._end(str(error))
                continue
            now = time.monotonic()
            sample = between(self._page, page, now - last)
            self._page, last, silent = page, now, 0
            self._total = self._total + sample
            ran = ran or page.state in {"running", "spawning"}
            if ran and page.state == "stopped":
                self._end("it was stopped")
            yield sample
        self._end(self._why or "it was let go")

    def _end(self, why: str) -> None:
        self._why = self._why or why
        self._over.set()

    async def _look(self) -> Page:
        """Locust remembers its JSON for two seconds and its CSV not at all, hence three questions."""
        state, stats, failures = await asyncio.gather(
            self._ask("GET", "/stats/requests"),
            self._ask("GET", "/stats/requests/csv"),
            self._ask("GET", "/stats/failures/csv"),
        )
        try:
            return page_of(state.json(), stats.text, failures.text)
        except (ValueError, KeyError, StopIteration) as error:
            raise BadInput(f"{self._url}: there is a server, but no page of Locust's") from error

    async def _ask(self, method: str, path: str, **form: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, data=form or None)
        except httpx.TimeoutException as error:
            raise Unreachable(f"{self._url}: Locust's page did not answer within {ANSWER_S:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{self._url}: Locust's page does not answer ({short(str(error))})") from error
        if answer.status_code != httpx.codes.OK:
            raise BadInput(
                f"{self._url}{path} answers {answer.status_code}: is that the page of a Locust, open to all?"
            )
        return answer

    async def users(self, count: int, spawn_rate: float | None = None) -> None:
        """Ask for so many users, at so many more (or fewer) a second; `Refused` where a shape decides."""
        answer = await self._ask("POST", "/swarm", user_count=count, spawn_rate=spawn_rate or max(count, 1))
        said = answer.json()
        if not said["success"] or "shape class" in said["message"]:
            raise Refused(f"{self._url}: {said['message']}")

    async def pause(self) -> None:
        """No users until `resume`."""
        if self._resume_at is None:
            self._resume_at = (await self._look()).users
            await self.users(0, max(self._resume_at, 1))

    async def resume(self) -> None:
        """As many users as before the pause."""
        if self._resume_at is not None:
            count, self._resume_at = self._resume_at, None
            await self.users(count)

    async def reset(self) -> None:
        """Count anew, there too."""
        await self._ask("POST", "/stats/reset")
        self._total = Sample(None, at=0.0, seconds=0.0)

    async def stop(self) -> None:
        """End that test; its Locust stays."""
        await self._ask("POST", "/stop")

    async def wait(self) -> LoadResult:
        """What it came to while it was followed, once that has ended. Its files are its owner's."""
        await self._over.wait()
        return LoadResult(self._total, self._total.seconds, (), self._why)

    async def close(self) -> None:
        """Let go. That Locust goes on."""
        self._end("it was let go")
        await self._client.aclose()


def page_of(state: Mapping[str, Any], stats: str, failures: str) -> Page:
    """The three answers as one; raises KeyError, ValueError or StopIteration where they are not Locust's."""
    total = next(row for row in csv.DictReader(io.StringIO(stats)) if row["Name"] == "Aggregated")
    by_kind: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(failures)):
        kind = short(row["Error"])
        by_kind[kind] = by_kind.get(kind, 0) + int(row["Occurrences"])
    percentiles = state["current_response_time_percentiles"]
    return Page(
        requests=int(total["Request Count"]),
        failures=int(total["Failure Count"]),
        by_kind=by_kind,
        users=state["user_count"],
        state=state["state"],
        p50_ms=percentiles.get("response_time_percentile_0.5"),
        p95_ms=percentiles.get("response_time_percentile_0.95"),
    )


def between(before: Page, after: Page, seconds: float) -> Sample:
    """What happened between two looks. Fewer requests than before mean that it was reset."""
    if after.requests < before.requests:
        before = Page()
    requests = after.requests - before.requests
    failures = min(max(0, after.failures - before.failures), requests)
    failed = {kind: more for kind, count in after.by_kind.items() if (more := count - before.by_kind.get(kind, 0)) > 0}
    if sum(failed.values()) != failures:  # the looks at counts and kinds are moments apart
        failed = {"failed": failures} if failures else {}
    latency = Histogram()
    if requests and after.p50_ms is not None:
        p95_ms = after.p50_ms if after.p95_ms is None else after.p95_ms
        half = (requests + 1) // 2
        latency = Histogram.of_counts({after.p50_ms: half}) + Histogram.of_counts({p95_ms: requests - half})
    return Sample(None, time.time(), requests - failures, failed, after.users, latency, {}, seconds)

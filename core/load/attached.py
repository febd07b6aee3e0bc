"""A load that somebody else runs: a Locust with its web page open, followed and steered over HTTP."""

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import httpx

from core.domain.errors import BadInput, Refused, Unreachable
from core.domain.histogram import Histogram
from core.domain.load_profile import LoadOutcome
from core.domain.sample import Sample
from core.load.feed import Feed
from core.load.load import LoadResult
from core.load.tally import LONGEST_KIND
from core.system.tasks import TaskGuard
from core.system.text import clean_line

TICK_S = 1.0
ANSWER_S = 5.0
STOP_S = 15.0
RUNS = ("running", "spawning")
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
    median and the 95th percentile of those, and no other. Versions, labels and whole exceptions it does not know.
    """

    def __init__(self, url: str):
        self._url = url.rstrip("/")
        self._client = httpx.AsyncClient(base_url=self._url, timeout=ANSWER_S, trust_env=False)
        self._page = Page()
        self._feed = Feed()
        self._guard = TaskGuard("attached load")
        self._ran = False
        self._wanted: int | None = None
        self._resume_at: int | None = None
        self._why = ""
        self._how = LoadOutcome.LET_GO

    async def __aenter__(self) -> Self:
        """`Unreachable` where nobody answers, `BadInput` where it is no page of Locust's."""
        try:
            self._page = await self._look()
            self._ran = self._page.state in RUNS
            self._guard.start(self._follow(), "follow its page")
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

    async def _follow(self) -> None:
        """Look once a second until that Locust has stopped or gone."""
        silent = 0
        last = due = time.monotonic()
        try:
            while not self._why:
                due = max(due + TICK_S, time.monotonic())
                await asyncio.sleep(due - time.monotonic())
                try:
                    page = await self._look()
                except (Unreachable, BadInput) as error:
                    silent += 1
                    if silent == SILENCES:
                        self._how, self._why = LoadOutcome.GONE, str(error)
                    continue
                now = time.monotonic()
                self._feed.add(between(self._page, page, now - last))
                self._page, last, silent = page, now, 0
                self._ran = self._ran or page.state in RUNS
                if self._ran and page.state == "stopped":
                    self._how, self._why = LoadOutcome.FINISHED, "it was stopped"
        finally:
            self._feed.end()

    def samples(self) -> AsyncIterator[Sample]:
        """One a second; ends when that Locust has stopped or gone."""
        return self._feed.samples()

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
            raise Unreachable(f"{self._url}: Locust's page does not answer ({_line(str(error))})") from error
        if answer.status_code != httpx.codes.OK:
            raise BadInput(
                f"{self._url}{path} answers {answer.status_code}: is that the page of a Locust, open to all?"
            )
        return answer

    async def users(self, count: int, spawn_rate: float | None = None) -> None:
        """Ask for so many users, at so many more (or fewer) a second; `Refused` where a shape decides."""
        if self._resume_at is not None:
            self._resume_at = count
        else:
            await self._swarm(count, spawn_rate or max(count, 1))
            self._wanted = count

    async def _swarm(self, count: int, spawn_rate: float) -> None:
        answer = await self._ask("POST", "/swarm", user_count=count, spawn_rate=spawn_rate)
        said = answer.json()
        if not said["success"] or "shape class" in said["message"]:
            raise Refused(f"{self._url}: {clean_line(said['message'])}")

    async def pause(self) -> None:
        """No users until `resume`."""
        if self._resume_at is None:
            # What the page says may be two seconds old, so what was asked for here comes first.
            users = self._page.users if self._wanted is None else self._wanted
            await self._swarm(0, max(users, 1))
            self._resume_at = users

    async def resume(self) -> None:
        """As many users as before the pause, or as were asked for since."""
        if self._resume_at is not None:
            count, self._resume_at = self._resume_at, None
            await self.users(count)

    async def reset(self) -> None:
        """Count anew, there too."""
        await self._ask("POST", "/stats/reset")
        self._feed.reset()

    async def stop(self) -> None:
        """End that test; its Locust stays."""
        await self._ask("POST", "/stop")
        self._ran = True
        try:
            async with asyncio.timeout(STOP_S):
                await self._feed.wait()
        except TimeoutError as error:
            raise Unreachable(f"{self._url}: that Locust was told to stop, and had not {STOP_S:g} s later") from error

    async def wait(self) -> LoadResult:
        """What it came to while it was followed, once that has ended. Its files are its owner's."""
        await self._feed.wait()
        total = self._feed.total
        return LoadResult(total, total.seconds, (), self._why or "it was let go", self._how)

    async def close(self) -> None:
        """Let go. That Locust goes on."""
        await self._guard.close()
        await self._client.aclose()


def page_of(state: Mapping[str, Any], stats: str, failures: str) -> Page:
    """The three answers as one; raises KeyError, ValueError or StopIteration where they are not Locust's."""
    total = next(row for row in csv.DictReader(io.StringIO(stats)) if row["Name"] == "Aggregated")
    by_kind: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(failures)):
        kind = _line(row["Error"])
        by_kind[kind] = by_kind.get(kind, 0) + int(row["Occurrences"])
    current = state["current_response_time_percentiles"]
    return Page(
        requests=int(total["Request Count"]),
        failures=int(total["Failure Count"]),
        by_kind=by_kind,
        users=state["user_count"],
        state=clean_line(str(state["state"])),
        p50_ms=ms_of(current.get("response_time_percentile_0.5"), total["50%"]),
        p95_ms=ms_of(current.get("response_time_percentile_0.95"), total["95%"]),
    )


def _line(text: str) -> str:
    return clean_line(text, LONGEST_KIND)


def ms_of(current: float | None, overall: str) -> float | None:
    """A percentile of the last ten seconds; where there are none yet, of the whole run."""
    if current is not None:
        return current
    return None if overall == "N/A" else float(overall)


def between(before: Page, after: Page, seconds: float) -> Sample:
    """What happened between two looks. Fewer requests than before mean that it was reset."""
    if after.requests < before.requests:
        before = Page()
    requests = after.requests - before.requests
    failures = min(max(0, after.failures - before.failures), requests)
    failed, rest = dict[str, int](), failures
    for kind, count in after.by_kind.items():
        # The looks at counts and kinds are moments apart: the counts say how many, the kinds as far as they are known.
        if (more := min(rest, count - before.by_kind.get(kind, 0))) > 0:
            failed[kind], rest = more, rest - more
    if rest:
        failed["failed"] = rest
    latency = Histogram()
    if requests and after.p50_ms is not None:
        p95_ms = after.p50_ms if after.p95_ms is None else after.p95_ms
        half = (requests + 1) // 2
        both = Histogram.of_counts({after.p50_ms: half}) + Histogram.of_counts({p95_ms: requests - half})
        latency = replace(both, only=(50.0, 95.0) if after.p95_ms is not None else (50.0,))
    return Sample(None, time.time(), requests - failures, failed, after.users, latency, {}, seconds)

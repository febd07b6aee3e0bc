"""A job that goes on, followed on our own clock: its state in words, its log as it comes, and how it ends."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial

from core.domain.errors import Failed, QuarterdeckError, Unreachable
from core.system.aside import aside
from core.system.clock import boottime_s
from core.system.moment import KeptMoment
from core.system.text import elapsed
from core.targets.azureml.api_errors import AzureMissing, AzureThrottled
from core.targets.azureml.settings import AzureMLSettings
from core.training.azure_jobs import AzureJobs, JobLook
from core.training.kept_jobs import KeptJob, KeptJobs
from core.work.job import Broken, Done, OutputLine, Progress, heard

NEW_S = 60.0
"""One that was just asked for may not be known everywhere yet."""
LAST = 3
WAITING = {
    "NotStarted": "queued",
    "Starting": "queued",
    "Provisioning": "queued",
    "Queued": "queued",
    "Preparing": "preparing, Azure builds or fetches the image",
    "Paused": "paused by Azure",
    "NotResponding": "Azure's node does not answer",
    "Unknown": "Azure does not know its state",
    "CancelRequested": "cancelled in Azure ML",
    "Finalizing": "done, Azure takes the results away",
}
GOES_ON = frozenset({"Running", *WAITING})
RUNS = frozenset({"Running", "NotResponding"})
NO_NODE = frozenset({"NotStarted", "Starting", "Provisioning", "Queued"})


@dataclass(slots=True)
class FollowedJob:
    """One job. `lines` gives what is said until it has ended; raises Failed where it ended without a result, and where
    it runs for longer than `deadline_s`."""

    place: AzureMLSettings
    jobs: AzureJobs
    book: KeptJobs
    job: KeptJob
    deadline_s: float = math.inf
    _rest: bytes = b""
    _last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST))
    _broken: Broken | None = None
    _nodes: str = ""
    _looked_s: float = 0.0

    async def lines(self) -> AsyncIterator[Progress | OutputLine]:
        """What the job says and how it goes, until it has completed."""
        while True:
            try:
                look = await aside(partial(self.jobs.look, self.job.name), "azureml job")
                for said in await self._news(look):
                    yield said
            except AzureMissing as error:
                if self.job.begun.age_s > NEW_S:
                    raise Failed(f"train: the job {self.job.name} is gone from the workspace ({error})") from None
                look = JobLook("NotStarted")
            except Unreachable as error:
                yield Progress(None, f"{error}; the job goes on there")
                await asyncio.sleep(error.retry_after_s if isinstance(error, AzureThrottled) else self.place.poll_s)
                continue
            if look.state not in GOES_ON:
                break
            if look.state in WAITING:
                yield Progress(None, await self._waits(look.state))
            if look.state in RUNS:
                self._in_time()
            await asyncio.sleep(self.place.poll_s)
        if look.state != "Completed":
            raise self._ended_badly(look)

    async def _news(self, look: JobLook) -> list[Progress | OutputLine]:
        """What came in the log since; how much of it was passed on is kept for whoever comes after this process."""
        if not look.log:
            return []
        got = await aside(partial(self.jobs.log, look.log, self.job.read + len(self._rest)), "azureml log")
        *whole, rest = (self._rest + got).split(b"\n")
        if look.state not in GOES_ON and rest:
            whole, rest = [*whole, rest], b""
        self._rest = rest
        if whole:
            read = self.job.read + sum(len(line) + 1 for line in whole)
            self.job = replace(self.job, read=read)
            self.book.keep(self.job)
        return [said for line in whole if (said := self._said(line)) is not None]

    def _said(self, line: bytes) -> Progress | OutputLine | None:
        said = heard(line.decode(errors="replace").rstrip("\r"))
        if isinstance(said, Broken):
            self._broken = said
        if isinstance(said, Broken | Done):
            return None
        if isinstance(said, OutputLine):
            if not said.text:
                return None
            self._last.append(said.text)
        return said

    async def _waits(self, state: str) -> str:
        """For how long it waits for what; raises Failed where it waited for a node too long."""
        words = f"{WAITING[state]} for {elapsed(self.job.begun.age_s)}"
        if state not in NO_NODE:
            return words
        now_s = boottime_s()
        if not self._nodes or now_s - self._looked_s >= self.place.look_s:
            self._looked_s = now_s
            try:
                self._nodes = str(await aside(self.jobs.cluster, "azureml nodes"))
            except Unreachable:
                self._nodes = "how many nodes there are is not known"
        words = f"{words}: {self._nodes} ({self.place.cluster.words})"
        if self.job.begun.age_s > self.place.cluster.wait_s:
            raise Failed(f"train: the job {self.job.name} got no node, {words}; it was cancelled; try again later")
        return words

    def _in_time(self) -> None:
        """Raises Failed where it runs for too long: Azure was told as well, and goes by a clock of its own."""
        if self.job.ran is None:
            self.job = replace(self.job, ran=KeptMoment.now())
            self.book.keep(self.job)
        if self._late:
            raise self._too_long()

    @property
    def _late(self) -> bool:
        return self.job.ran is not None and self.job.ran.age_s > self.deadline_s

    def _too_long(self) -> Failed:
        limit = f"train.deadline_s is {self.deadline_s:g}"
        return Failed(f"train: the job {self.job.name} ran for longer than it may and was cancelled; {limit}")

    def _ended_badly(self, look: JobLook) -> QuarterdeckError:
        name = self.job.name
        if self._broken is not None:
            return Broken(self._broken.kind, f"{self._broken.text} (job {name})").error()
        if look.state == "Canceled" and self._late:
            return self._too_long()
        if look.state == "Canceled":
            return Failed(f"train: the job {name} was cancelled in Azure ML, or Azure took its node; try again")
        told = f": {look.error}" if look.error else ""
        last = f"; it wrote last: {' | '.join(self._last)}" if self._last else ""
        return Failed(f"train: the job {name} ended as {look.state}{told}{last}")

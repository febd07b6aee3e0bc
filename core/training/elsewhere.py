"""Training as a job on a compute cluster of Azure ML, in place of the work child; its model comes back here.

A job outlives whoever began it. Its name is on disk before it is asked for: it is followed again, or cancelled.
"""

import asyncio
import json
import logging
import re
import shutil
import tarfile
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.config.config import state_folder
from core.config.settings import Settings
from core.domain.errors import Failed, QuarterdeckError, Unreachable
from core.system.aside import aside
from core.system.moment import KeptMoment
from core.system.tasks import TaskGuard
from core.system.text import elapsed
from core.targets.azureml.api_errors import AzureMissing
from core.targets.azureml.blobs import default_store
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.credentials import AzureLogin, login_ca, login_of
from core.targets.azureml.https_client import HttpsClient
from core.targets.azureml.workspace import AzureEndpoint, azure_endpoint
from core.training.azure_jobs import AzureJobs
from core.training.begun import begin
from core.training.following import NEW_S, FollowedJob
from core.training.job_body import output_path
from core.training.kept_jobs import KeptJob, KeptJobs
from core.work.child import WorkChild
from core.work.job import Done, Job, OutputLine, Progress
from core.work.remote import PACKED, RUN

AGAIN_S, SELDOM_S = 2.0, 60.0
HEARD_S = 20.0
"""A login that a command gives takes seconds, and then the call."""
CLOSE_S = 5.0
BROUGHT = "elsewhere"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
log = logging.getLogger("quarterdeck")


class TrainingElsewhere:
    """The jobs of one endpoint; one at a time is wanted."""

    def __init__(self, settings: Settings, endpoint: str, environ: Mapping[str, str], child: WorkChild) -> None:
        self._settings = settings
        self._environ = environ
        self._child = child
        self._book = KeptJobs(state_folder(settings), endpoint)
        self._guard = TaskGuard(f"jobs of {endpoint}")
        self._giving_up: set[str] = set()
        self._cancels: set[asyncio.Task[None]] = set()

    async def run(self, job: Job) -> AsyncIterator[Progress | OutputLine | Done]:
        """The step train; the last that comes is Done. Whoever stops listening leaves the job to itself."""
        self.let_go(but=job.release)
        with self._opened(job.settings) as (at, calls, jobs):
            kept = self._book.of(job.release)
            if kept is None or kept.unwanted:
                yield Progress(None, f"looking at the cluster {at.place.cluster.name}")
                await aside(jobs.cluster, "azureml cluster")
                kept = KeptJob(job.release, _name(job.release), KeptMoment.now())
                self._book.keep(kept)
                yield OutputLine(f"train: job {kept.name} on {at.place.cluster.name} of {at.place.where}")
            else:
                yield OutputLine(f"train: goes on with the job {kept.name}, begun {elapsed(kept.begun.age_s)} ago")
            try:
                if not await aside(partial(jobs.there, kept.name), "azureml job"):
                    yield Progress(None, "bringing code, packages and rows to the workspace")
                    await aside(partial(begin, at, calls, jobs, job, kept.name), "azureml begin")
                async for said in FollowedJob(at.place, jobs, self._book, kept, job.settings.train.deadline_s).lines():
                    yield said
            except QuarterdeckError:
                # Where it goes on it is cancelled: its release has given it up.
                self._give_up(kept)
                raise
            yield Progress(None, "bringing the model here")
            folder = job.folder / BROUGHT
            if why := await aside(partial(bring, at, calls, jobs, kept.name, folder), "azureml results"):
                yield OutputLine(why)
            async for each in self._home(job, kept, folder):
                yield each

    async def _home(self, job: Job, kept: KeptJob, folder: Path) -> AsyncIterator[Progress | OutputLine | Done]:
        """What was brought becomes runs of the project's registry; the job is known until that is done."""
        async for each in self._child.run(replace(job, options={**job.options, "brought": str(folder)})):
            if isinstance(each, Done):
                self._book.forget(kept)
            yield each

    def let_go(self, release: str = "", but: str = "") -> None:
        """Cancel what a release began, or all but what one release began; nobody waits for it."""
        for kept in self._book.every():
            if kept.release != but and release in {"", kept.release}:
                self._give_up(kept)

    def _give_up(self, kept: KeptJob) -> None:
        unwanted = replace(self._book.again(kept), unwanted=True)
        self._book.keep(unwanted)
        if kept.name not in self._giving_up:
            self._giving_up.add(kept.name)
            self._cancels.add(self._guard.start(self._cancelled(unwanted), f"cancel {kept.name}"))

    async def _cancelled(self, kept: KeptJob) -> None:
        """Ask until it is heard. What is refused stays on disk, and whoever comes next asks again."""
        try:
            with self._opened(self._settings) as (_, _, jobs):
                await self._heard(jobs, kept)
            self._book.forget(kept)
        except QuarterdeckError as error:
            log.warning("the job %s goes on and costs: it can't be cancelled: %s", kept.name, error)
            self._book.keep(replace(kept, why=str(error)))
        finally:
            self._giving_up.discard(kept.name)

    async def _heard(self, jobs: AzureJobs, kept: KeptJob) -> None:
        """What nobody answered may still come to be, for a moment; raises QuarterdeckError where Azure refuses."""
        rest_s = AGAIN_S
        while True:
            try:
                heard = await aside(partial(jobs.cancel, kept.name), "azureml cancel")
                log.info("the job %s %s", kept.name, "is cancelled" if heard else "had ended")
                return
            except AzureMissing:
                if kept.begun.age_s > NEW_S:
                    return
            except Unreachable as error:
                if str(error) != kept.why:
                    log.warning("the job %s is not cancelled yet: %s", kept.name, error)
                    kept = replace(kept, why=str(error))
                    self._book.keep(kept)
                rest_s = min(2 * rest_s, SELDOM_S)
            await asyncio.sleep(rest_s)

    async def let_gone(self) -> None:
        """Once every cancel was heard or refused."""
        if self._cancels:
            await asyncio.wait(self._cancels)

    async def close(self, heard_s: float = HEARD_S) -> None:
        """Let a cancel that is under way be heard; what is not stays on disk for whoever comes next."""
        if self._cancels and heard_s:
            await asyncio.wait(self._cancels, timeout=heard_s)
        await self._guard.close(CLOSE_S)

    @contextmanager
    def _opened(self, settings: Settings) -> Iterator[tuple[AzureEndpoint, AzureCalls, AzureJobs]]:
        at = azure_endpoint(settings, self._environ)
        login = AzureLogin(at.place, login_of(at.place, self._environ), login_ca(self._environ))
        calls, client = AzureCalls(at.place, login, at.ca), HttpsClient(at.ca)
        try:
            yield at, calls, AzureJobs(at, calls, client)
        finally:
            calls.close()
            client.close()


def bring(at: AzureEndpoint, calls: AzureCalls, jobs: AzureJobs, name: str, folder: Path) -> str:
    """What the job left, into a folder, with its run as the workspace keeps it; gives why that could not be read."""
    right = default_store(calls, at.workspace, at.place)
    packed = jobs.blob(right, f"{output_path(name)}/{PACKED}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / PACKED).write_bytes(packed)
    try:
        with tarfile.open(folder / PACKED) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Failed(f"train: what the job {name} left can't be read: {error}") from None
    (folder / PACKED).unlink()
    try:
        run, said = jobs.run(name), ""
    except QuarterdeckError as error:
        run, said = {"job": name}, f"train: the job's run can't be read: {error}"
    (folder / RUN).write_text(json.dumps(run), encoding="utf-8")
    return said


def _name(release: str) -> str:
    """Names are for ever there: one that nobody had before."""
    return _NOT_IN_NAMES.sub("-", f"{release or 'train'}-{uuid.uuid4().hex[:6]}")

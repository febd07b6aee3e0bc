"""A job is followed: what it waits for, what it says, how it ended, and that nothing is told twice."""

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.errors import BadData, Failed
from core.system.moment import KeptMoment
from core.system.text import elapsed
from core.targets.azureml.workspace import AzureEndpoint
from core.training.azure_jobs import AzureJobs
from core.training.following import FollowedJob
from core.training.job_body import command_job
from core.training.kept_jobs import KeptJob, KeptJobs
from core.work.job import MARK, Broken, OutputLine, Progress, encode
from tests.azure.standin import AzureStandIn


def _begun(jobs: AzureJobs, name: str, words: str) -> None:
    ids = {"code": "", "environment": "", "compute": jobs.compute}
    more = {"label": name, "experiment": "late", "ids": ids, "rows": "none", "deadline_s": 60.0, "tags": {}}
    jobs.begin(name, command_job(name, words=words, **more))  # type: ignore[arg-type]


async def _followed(one: FollowedJob) -> list[Progress | OutputLine]:
    async with asyncio.timeout(30):
        return [said async for said in one.lines()]


def _texts(said: list[Progress | OutputLine]) -> list[str]:
    return [one.text for one in said if isinstance(one, OutputLine)]


def _kept(folder: Path, name: str) -> tuple[KeptJobs, KeptJob]:
    book, job = KeptJobs(folder, "late"), KeptJob(f"r-{name}", name, KeptMoment.now())
    book.keep(job)
    return book, job


async def test_what_it_waits_for_and_what_it_says_come_as_they_are(
    tmp_path: Path, at: AzureEndpoint, jobs: AzureJobs
) -> None:
    half = f"{MARK}{encode(Progress(0.5, '1 of 2', {'best': 0.9}))}"
    _begun(jobs, "says", f"echo one; echo '{half}'; sleep 0.3; echo two")
    book, job = _kept(tmp_path, "says")
    said = await _followed(FollowedJob(at.place, jobs, book, job))
    assert _texts(said) == ["one", "two"]
    assert Progress(0.5, "1 of 2", {"best": 0.9}) in said
    kept = book.of("r-says")
    assert kept is not None
    again = await _followed(FollowedJob(at.place, jobs, book, kept))
    assert _texts(again) == [], "whoever follows it after that is told nothing twice"


async def test_a_job_that_fails_is_told_with_its_last_lines(tmp_path: Path, at: AzureEndpoint, jobs: AzureJobs) -> None:
    _begun(jobs, "fails", "echo no such luck; exit 3")
    with pytest.raises(Failed, match=r"train: the job fails ended as Failed: .*code 3.*wrote last: no such luck"):
        await _followed(FollowedJob(at.place, jobs, *_kept(tmp_path, "fails")))


async def test_what_the_job_itself_knows_to_be_wrong_is_raised_as_it_would_be_here(
    tmp_path: Path, at: AzureEndpoint, jobs: AzureJobs
) -> None:
    said = f"{MARK}{encode(Broken('BadData', 'train: too few rows'))}"
    _begun(jobs, "broken", f"echo '{said}'; exit 1")
    with pytest.raises(BadData, match=r"^train: too few rows \(job broken\)$"):
        await _followed(FollowedJob(at.place, jobs, *_kept(tmp_path, "broken")))


async def test_a_job_that_somebody_else_cancels_says_so(tmp_path: Path, at: AzureEndpoint, jobs: AzureJobs) -> None:
    _begun(jobs, "taken", "sleep 60")
    assert jobs.cancel("taken")
    with pytest.raises(Failed, match="the job taken was cancelled in Azure ML"):
        await _followed(FollowedJob(at.place, jobs, *_kept(tmp_path, "taken")))
    assert not jobs.cancel("taken"), "a second cancel comes too late, which is no error"


async def test_a_job_that_runs_for_too_long_is_given_up_also_by_whoever_comes_after(
    tmp_path: Path, at: AzureEndpoint, jobs: AzureJobs
) -> None:
    _begun(jobs, "long", "sleep 60")
    book, job = _kept(tmp_path, "long")
    too_long = r"^train: the job long ran for longer than it may and was cancelled; train.deadline_s is 0.5$"
    with pytest.raises(Failed, match=too_long):
        await _followed(FollowedJob(at.place, jobs, book, job, deadline_s=0.5))
    kept = book.of("r-long")
    assert kept is not None
    assert kept.ran is not None
    with pytest.raises(Failed, match=too_long):
        await _followed(FollowedJob(at.place, jobs, book, kept, deadline_s=0.5))
    assert book.again(kept).ran == kept.ran
    jobs.cancel("long")


async def test_what_waits_for_a_node_does_not_run_yet(
    tmp_path: Path, at: AzureEndpoint, jobs: AzureJobs, azure: AzureStandIn
) -> None:
    azure.delays.job_s = 1.0
    try:
        _begun(jobs, "late", "echo done")
        said = await _followed(FollowedJob(at.place, jobs, *_kept(tmp_path, "late"), deadline_s=3.0))
        assert _texts(said) == ["done"]
    finally:
        azure.delays.job_s = 0.2


async def test_a_job_that_gets_no_node_is_given_up(
    tmp_path: Path, at: AzureEndpoint, jobs: AzureJobs, azure: AzureStandIn
) -> None:
    azure.delays.job_s = 5.0
    try:
        _begun(jobs, "queued", "echo never")
        place = at.place.model_copy(update={"cluster": at.place.cluster.model_copy(update={"wait_s": 0.3})})
        with pytest.raises(
            Failed, match=r"the job queued got no node, queued for .*: 0 of 4 nodes .Standard_D4s_v3, low priority."
        ):
            await _followed(FollowedJob(place, jobs, *_kept(tmp_path, "queued")))
    finally:
        azure.delays.job_s = 0.2
        jobs.cancel("queued")


@pytest.mark.parametrize("jump_s", [-7200.0, 7200.0])
async def test_a_clock_that_is_set_ends_no_wait_and_lengthens_none(
    tmp_path: Path,
    at: AzureEndpoint,
    jobs: AzureJobs,
    azure: AzureStandIn,
    monkeypatch: pytest.MonkeyPatch,
    jump_s: float,
) -> None:
    name, wall = f"set{jump_s:+.0f}".replace("+", "-on").replace("--", "-back"), time.time
    azure.delays.job_s = 3.0
    try:
        _begun(jobs, name, "echo late")
        one = FollowedJob(at.place, jobs, *_kept(tmp_path, name))
        monkeypatch.setattr("time.time", lambda: wall() + jump_s)
        said = one.lines()
        first = await anext(said)
        assert first.text.startswith(f"queued for {elapsed(one.job.begun.age_s)}: 0 of 4 nodes"), first
        cluster = at.place.cluster.model_copy(update={"wait_s": 0.2})
        one.place = at.place.model_copy(update={"cluster": cluster})
        with pytest.raises(Failed, match="got no node"):
            async with asyncio.timeout(2.5):
                [each async for each in said]
    finally:
        azure.delays.job_s = 0.2
        jobs.cancel(name)


def test_a_cluster_that_is_not_there_is_said_with_the_command_that_makes_it(at: AzureEndpoint, jobs: AzureJobs) -> None:
    cluster = at.place.cluster.model_copy(update={"name": "none-such"})
    there = replace(at, place=at.place.model_copy(update={"cluster": cluster}))
    lost = AzureJobs(there, jobs._calls, jobs._client)
    with pytest.raises(Failed, match="there is no compute cluster none-such; make it: 'quarterdeck azure setup'"):
        lost.cluster()


def test_a_job_that_was_asked_for_twice_is_one(jobs: AzureJobs, azure: AzureStandIn) -> None:
    for _ in range(2):
        _begun(jobs, "twice", "echo once")
    assert jobs.there("twice")
    assert not jobs.there("never-asked-for")


def test_what_is_kept_is_kept_whole_and_forgotten_by_its_name(tmp_path: Path) -> None:
    book, job = _kept(tmp_path, "one")
    other = replace(job, name="another")
    book.forget(other)
    assert book.every() == (job,)
    (tmp_path / "azureml" / "jobs" / "late" / "half.json").write_text('{"release": "r')
    assert book.every() == (job,)
    book.forget(job)
    assert book.every() == ()


def test_a_job_that_an_older_version_kept_has_its_age(tmp_path: Path) -> None:
    book, job = _kept(tmp_path, "old")
    path = tmp_path / "azureml" / "jobs" / "late" / "old.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "begun": time.time() - 600}))
    found = book.of("r-old")
    assert found is not None
    assert 600 <= found.begun.age_s < 660
    assert replace(found, begun=job.begun) == job
    book.keep(found)
    assert book.every() == (found,)

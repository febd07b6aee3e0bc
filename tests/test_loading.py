"""The load on an endpoint: one at a time, steered, ended in good order."""

import asyncio
from pathlib import Path

import pytest

from core import events as ev, loading as module
from core.errors import Failed, Refused
from core.gates import Gate
from core.loading import Loading
from core.model import LoadProfile, LoadSource
from core.plan import Load
from core.snapshot import LoadState
from core.targets.place import Place
from core.targets.protocol import Address
from tests.sites import STEADY, TEST, FakeSite, sample


class Desk:
    """Takes down what a load says."""

    def __init__(self, folder: Path) -> None:
        self.site = FakeSite(Place(), folder)
        self.said: list[ev.Body] = []
        self.news = asyncio.Event()
        self.loading = Loading(self.site, self.emit, self.address)

    async def emit(self, *bodies: ev.Body) -> None:
        self.said += bodies
        self.news.set()

    async def address(self) -> Address:
        return Address("http://127.0.0.1:1")

    async def hears(self, kind: type[ev.Body]) -> ev.Body:
        async with asyncio.timeout(5):
            while True:
                self.news.clear()
                for body in self.said:
                    if isinstance(body, kind):
                        return body
                await self.news.wait()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def wanted(seq: int = 1, profile: LoadProfile = STEADY, **more: object) -> LoadState:
    state = LoadState("manual", profile, "", 1.0, profile.users, profile.spawn_rate, wanted_seq=seq)
    from dataclasses import replace

    return replace(state, **more)  # type: ignore[arg-type]


async def test_a_load_is_announced_sampled_and_ended(desk: Desk) -> None:
    desk.loading.start(STEADY, "background", None)
    assert desk.loading.kind == "background"
    await desk.hears(ev.LoadStarted)
    load = desk.site.loads[0]
    load.push(sample(None))
    await desk.hears(ev.Sampled)
    load.end()
    ended = await desk.hears(ev.LoadEnded)
    assert ended == ev.LoadEnded("late", "background", "its time was up")
    await desk.loading.stop()
    assert (desk.loading.kind, load.closed, desk.loading.rests) == ("", True, True)


async def test_a_load_that_does_not_start_ends_in_words(desk: Desk) -> None:
    desk.site.faults["load"] = [Failed("no locust here")]
    desk.loading.start(STEADY, "background", None)
    assert await desk.hears(ev.LoadEnded) == ev.LoadEnded("late", "background", "no locust here")
    assert desk.loading.rests


async def test_what_is_wanted_is_asked_once(desk: Desk) -> None:
    desk.loading.start(STEADY, "background", None)
    await desk.loading.steer(wanted())
    await desk.hears(ev.LoadStarted)
    load = desk.site.loads[0]
    await desk.loading.steer(None)
    await desk.loading.steer(wanted(0))
    await desk.loading.steer(wanted(1, users=9))
    await desk.loading.steer(wanted(1, users=11))
    await desk.loading.steer(wanted(2, users=9, paused=True))
    await desk.loading.steer(wanted(3, users=9, paused=False, reset_seq=3))
    assert load.asked == [("users", 9, 5.0), ("pause",), ("reset",), ("resume",)]
    await desk.loading.steer(wanted(4, stop=True))
    await desk.hears(ev.LoadEnded)
    await desk.loading.close()


async def test_a_locust_of_somebody_elses_is_let_go_and_not_stopped(desk: Desk) -> None:
    theirs = LoadSource(attach="http://127.0.0.1:8089")
    desk.loading.start(STEADY, "manual", None, theirs)
    async with asyncio.timeout(5):
        await desk.site.load_started.wait()
    load = desk.site.loads[0]
    load.push(sample(None))
    await desk.hears(ev.Sampled)
    await desk.loading.steer(wanted(1, stop=True, source=theirs))
    assert (load.asked, load.closed) == ([], True)
    load.end()
    assert await desk.hears(ev.LoadEnded) == ev.LoadEnded("late", "manual", "its time was up")
    await desk.loading.close()


async def test_what_locust_refuses_is_a_line_of_the_log(desk: Desk) -> None:
    desk.loading.start(STEADY, "background", None)
    await desk.hears(ev.LoadStarted)
    desk.site.loads[0].fault = Refused("the shape decides how many users there are")
    await desk.loading.steer(wanted(1, users=9))
    assert ev.Logged("late", "load", "the shape decides how many users there are") in desk.said
    await desk.loading.close()


async def test_stopped_while_it_only_starts_it_never_begins(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> Address:
        await asyncio.Event().wait()
        raise AssertionError

    desk.loading._address = never
    desk.loading.start(STEADY, "background", None)
    await asyncio.sleep(0)
    await desk.loading.stop()
    assert desk.said == [ev.LoadEnded("late", "background", "stopped")]
    assert not desk.loading.rests


async def test_a_load_that_will_not_stop_is_cut_off(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    desk.loading.start(STEADY, "background", None)
    await desk.hears(ev.LoadStarted)
    desk.site.loads[0].end = lambda: None  # type: ignore[method-assign]
    await desk.loading.stop()
    assert desk.said[-1] == ev.LoadEnded("late", "background", "stopped")
    assert desk.site.loads[0].closed


async def test_a_test_ends_what_ran_before_and_is_judged(desk: Desk) -> None:
    desk.loading.start(STEADY, "background", None)
    await desk.hears(ev.LoadStarted)
    desk.site.load_started.clear()
    step = Load(TEST, (Gate("failed_percent", "<", 1.0), Gate("rps", ">", 1.0, at_least=1)))
    testing = asyncio.create_task(desk.loading.test(step, None))
    async with asyncio.timeout(5):
        await desk.site.load_started.wait()
    assert desk.loading.kind == "test"
    desk.site.loads[1].push(sample(None, 90, 10))
    desk.site.loads[1].end()
    total, verdicts, artifacts, why = await testing
    assert (total.requests, [v.outcome.value for v in verdicts], artifacts) == (100, ["FAIL", "PASS"], ())
    assert why == "its time was up"
    ended = [body for body in desk.said if isinstance(body, ev.LoadEnded)]
    assert [(body.kind, body.why) for body in ended] == [("background", "its time was up"), ("test", why)]
    assert desk.loading.kind == ""


async def test_a_test_that_breaks_says_so_and_raises(desk: Desk) -> None:
    desk.site.faults["load"] = [Failed("locust died")]
    with pytest.raises(Failed, match="locust died"):
        await desk.loading.test(Load(TEST, ()), None)
    assert desk.said == [ev.LoadEnded("late", "test", "locust died")]


async def test_closing_cuts_off_at_once(desk: Desk) -> None:
    await desk.loading.close()
    desk.loading.start(STEADY, "background", None)
    await desk.hears(ev.LoadStarted)
    await desk.loading.close()
    assert (desk.site.loads[0].closed, desk.loading.kind) == (True, "")

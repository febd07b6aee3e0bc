"""The load on an endpoint: one at a time, steered, ended in good order."""

import asyncio
from pathlib import Path

import pytest

from core.domain.errors import Failed, Refused
from core.domain.gates import Gate
from core.domain.model import LoadProfile, LoadSource
from core.domain.plan import Load
from core.engine import load_control as module
from core.engine.load_control import LoadControl
from core.state import events as ev
from core.state.snapshot import LoadState
from core.targets.fake_place import FakePlace
from core.targets.protocol import Address
from tests.environments import STEADY, TEST, FakeEnvironment, sample


class Desk:
    """Takes down what a load says."""

    def __init__(self, folder: Path) -> None:
        self.environment = FakeEnvironment(FakePlace(), folder)
        self.said: list[ev.Body] = []
        self.news = asyncio.Event()
        self.loading = LoadControl(self.environment, self.emit, self.address)

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
def store(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def wanted(seq: int = 1, profile: LoadProfile = STEADY, **more: object) -> LoadState:
    state = LoadState("manual", profile, "", 1.0, profile.users, profile.spawn_rate, wanted_seq=seq)
    from dataclasses import replace

    return replace(state, **more)  # type: ignore[arg-type]


async def test_a_load_is_announced_sampled_and_ended(store: Desk) -> None:
    store.loading.start(STEADY, "background", None)
    assert store.loading.kind == "background"
    await store.hears(ev.LoadStarted)
    load = store.environment.loads[0]
    load.push(sample(None))
    await store.hears(ev.Sampled)
    load.end()
    ended = await store.hears(ev.LoadEnded)
    assert ended == ev.LoadEnded("late", "background", "its time was up")
    await store.loading.stop()
    assert (store.loading.kind, load.closed, store.loading.rests) == ("", True, True)


async def test_a_load_that_does_not_start_ends_in_words(store: Desk) -> None:
    store.environment.faults["load"] = [Failed("no locust here")]
    store.loading.start(STEADY, "background", None)
    assert await store.hears(ev.LoadEnded) == ev.LoadEnded("late", "background", "no locust here")
    assert store.loading.rests


async def test_what_is_wanted_is_asked_once(store: Desk) -> None:
    store.loading.start(STEADY, "background", None)
    await store.loading.steer(wanted())
    await store.hears(ev.LoadStarted)
    load = store.environment.loads[0]
    await store.loading.steer(None)
    await store.loading.steer(wanted(0))
    await store.loading.steer(wanted(1, users=9))
    await store.loading.steer(wanted(1, users=11))
    await store.loading.steer(wanted(2, users=9, paused=True))
    await store.loading.steer(wanted(3, users=9, paused=False, reset_seq=3))
    assert load.asked == [("users", 9, 5.0), ("pause",), ("reset",), ("resume",)]
    await store.loading.steer(wanted(4, stop=True))
    await store.hears(ev.LoadEnded)
    await store.loading.close()


async def test_a_locust_of_somebody_elses_is_let_go_and_not_stopped(store: Desk) -> None:
    theirs = LoadSource(attach="http://127.0.0.1:8089")
    store.loading.start(STEADY, "manual", None, theirs)
    async with asyncio.timeout(5):
        await store.environment.load_started.wait()
    load = store.environment.loads[0]
    load.push(sample(None))
    await store.hears(ev.Sampled)
    await store.loading.steer(wanted(1, stop=True, source=theirs))
    assert (load.asked, load.closed) == ([], True)
    load.end()
    assert await store.hears(ev.LoadEnded) == ev.LoadEnded("late", "manual", "its time was up")
    await store.loading.close()


async def test_what_locust_refuses_is_a_line_of_the_log(store: Desk) -> None:
    store.loading.start(STEADY, "background", None)
    await store.hears(ev.LoadStarted)
    store.environment.loads[0].fault = Refused("the shape decides how many users there are")
    await store.loading.steer(wanted(1, users=9))
    assert ev.Logged("late", "load", "the shape decides how many users there are") in store.said
    await store.loading.close()


async def test_stopped_while_it_only_starts_it_never_begins(store: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> Address:
        await asyncio.Event().wait()
        raise AssertionError

    store.loading._address = never
    store.loading.start(STEADY, "background", None)
    await asyncio.sleep(0)
    await store.loading.stop()
    assert store.said == [ev.LoadEnded("late", "background", "stopped")]
    assert not store.loading.rests


async def test_a_load_that_will_not_stop_is_cut_off(store: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    store.loading.start(STEADY, "background", None)
    await store.hears(ev.LoadStarted)
    store.environment.loads[0].end = lambda: None  # type: ignore[method-assign]
    await store.loading.stop()
    assert store.said[-1] == ev.LoadEnded("late", "background", "stopped")
    assert store.environment.loads[0].closed


async def test_a_test_ends_what_ran_before_and_is_judged(store: Desk) -> None:
    store.loading.start(STEADY, "background", None)
    await store.hears(ev.LoadStarted)
    store.environment.load_started.clear()
    step = Load(TEST, (Gate("failed_percent", "<", 1.0), Gate("rps", ">", 1.0, at_least=1)))
    testing = asyncio.create_task(store.loading.test(step, None))
    async with asyncio.timeout(5):
        await store.environment.load_started.wait()
    assert store.loading.kind == "test"
    store.environment.loads[1].push(sample(None, 90, 10))
    store.environment.loads[1].end()
    total, verdicts, artifacts, why = await testing
    assert (total.requests, [v.outcome.value for v in verdicts], artifacts) == (100, ["FAIL", "PASS"], ())
    assert why == "its time was up"
    ended = [body for body in store.said if isinstance(body, ev.LoadEnded)]
    assert [(body.kind, body.why) for body in ended] == [("background", "its time was up"), ("test", why)]
    assert store.loading.kind == ""


async def test_a_test_that_breaks_says_so_and_raises(store: Desk) -> None:
    store.environment.faults["load"] = [Failed("locust died")]
    with pytest.raises(Failed, match="locust died"):
        await store.loading.test(Load(TEST, ()), None)
    assert store.said == [ev.LoadEnded("late", "test", "locust died")]


async def test_closing_cuts_off_at_once(store: Desk) -> None:
    await store.loading.close()
    store.loading.start(STEADY, "background", None)
    await store.hears(ev.LoadStarted)
    await store.loading.close()
    assert (store.environment.loads[0].closed, store.loading.kind) == (True, "")

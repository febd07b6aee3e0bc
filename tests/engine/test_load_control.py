"""The load on an endpoint: one at a time, steered, ended in good order."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.errors import BadInput, Failed, Killed, Lost, Refused, Unreachable
from core.domain.gates import Gate
from core.domain.load_profile import LoadOutcome, LoadProfile, LoadSource
from core.domain.plan import Load
from core.engine import load_control as module
from core.engine.load_control import LoadControl
from core.state import events as ev
from core.state.endpoint import LoadState
from core.system.processes import whoami
from core.targets.fake.place import FakePlace
from core.targets.protocol import Address
from tests.environments import STEADY, TEST, FakeEnvironment, FakeLoad, sample


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

    async def sends(self) -> FakeLoad:
        """The newest load, once it is under way."""
        async with asyncio.timeout(5):
            await self.environment.load_started.wait()
            await self.hears(ev.LoadStarted)
            while self.loading._sent is None or self.loading._sent.load is None:  # noqa: ASYNC110
                await asyncio.sleep(0)
        self.environment.load_started.clear()
        return self.environment.loads[-1]

    def ends(self) -> list[tuple[str, str, str]]:
        """Each end that was written: of what, how, why."""
        return [(body.kind, body.how, body.why) for body in self.said if isinstance(body, ev.LoadEnded)]

    def begins(self) -> int:
        """How many begins were written."""
        return sum(isinstance(body, ev.LoadStarted) for body in self.said)

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
    return replace(state, **more)  # type: ignore[arg-type]


async def test_a_load_is_announced_sampled_and_ended(store: Desk) -> None:
    store.loading.start(STEADY, "background", None)
    assert store.loading.kind == "background"
    load = await store.sends()
    load.push(sample(None))
    await store.hears(ev.Sampled)
    load.end()
    ended = await store.hears(ev.LoadEnded)
    assert isinstance(ended, ev.LoadEnded)
    assert (ended.kind, ended.how, ended.why, ended.ran_s) == ("background", "finished", "its time was up", 1.0)
    assert ended.total is not None
    assert ended.total.requests == 100
    await store.loading.stop("over")
    assert (store.loading.kind, load.closed, store.loading.rests) == ("", True, True)
    assert (store.begins(), len(store.ends())) == (1, 1)


@pytest.mark.parametrize(
    ("error", "given"), [(Failed("no locust here"), False), (BadInput("theirs.py: there is no such locustfile"), True)]
)
async def test_a_load_that_does_not_start_ends_in_words(store: Desk, error: Failed, given: bool) -> None:
    store.environment.faults["load"] = [error]
    store.loading.start(STEADY, "background", None)
    ended = await store.hears(ev.LoadEnded)
    assert ended == ev.LoadEnded("late", "background", str(error), how=LoadOutcome.NOT_BEGUN, given=given)
    assert (store.loading.rests, store.begins()) == (True, 1)


async def test_a_page_to_follow_that_does_not_answer_is_wrong_usage(store: Desk) -> None:
    store.environment.faults["load"] = [Unreachable("http://127.0.0.1:1: nobody")]
    store.loading.take_up(wanted(source=LoadSource(attach="http://127.0.0.1:1")), None)
    ended = await store.hears(ev.LoadEnded)
    assert isinstance(ended, ev.LoadEnded)
    assert (ended.given, ended.how) == (True, LoadOutcome.NOT_BEGUN)


async def test_what_does_not_answer_yet_is_said_once_and_tried_again(store: Desk) -> None:
    store.environment.faults["load"] = [Unreachable("http://127.0.0.1:1: nobody"), Unreachable("nobody still")]
    store.loading.start(STEADY, "background", None)
    await store.sends()
    said = [body.text for body in store.said if isinstance(body, ev.Logged)]
    assert said == ["http://127.0.0.1:1: nobody; it is tried again for 10 s"]
    await store.loading.close()


async def test_what_is_wanted_is_asked_once(store: Desk) -> None:
    store.loading.start(STEADY, "background", None)
    await store.loading.steer(wanted())
    load = await store.sends()
    await store.loading.steer(None)
    await store.loading.steer(wanted(0))
    await store.loading.steer(wanted(1, users=9))
    await store.loading.steer(wanted(1, users=11))
    await store.loading.steer(wanted(2, users=9, paused=True))
    await store.loading.steer(wanted(3, users=9, paused=False, reset_seq=3))
    assert load.asked == [("users", 9, 5.0), ("pause",), ("reset",), ("resume",)]
    await store.loading.steer(wanted(4, stop=True, stopped_by="ada"))
    await store.hears(ev.LoadEnded)
    assert store.ends() == [("background", "stopped", "stopped by ada")]
    await store.loading.close()


async def test_a_locust_of_somebody_elses_is_let_go_and_not_stopped(store: Desk) -> None:
    theirs = LoadSource(attach="http://127.0.0.1:8089")
    store.loading.take_up(wanted(source=theirs), None)
    async with asyncio.timeout(5):
        await store.environment.load_started.wait()
    load = store.environment.loads[0]
    load.push(sample(None))
    await store.hears(ev.Sampled)
    await store.loading.steer(wanted(1, stop=True, source=theirs))
    assert (load.asked, load.closed) == ([], True)
    load.end()
    await store.hears(ev.LoadEnded)
    assert (store.begins(), store.ends()) == (0, [("manual", "finished", "its time was up")])
    await store.loading.close()


async def test_what_locust_refuses_is_a_line_of_the_log(store: Desk) -> None:
    store.loading.start(STEADY, "background", None)
    (await store.sends()).fault = Refused("the shape decides how many users there are")
    await store.loading.steer(wanted(1, users=9))
    assert ev.Logged("late", "load", "the shape decides how many users there are") in store.said
    await store.loading.close()


async def test_stopped_while_it_only_starts_it_has_one_begin_and_one_end(store: Desk) -> None:
    async def never() -> Address:
        await asyncio.Event().wait()
        raise AssertionError

    store.loading._address = never
    store.loading.start(STEADY, "background", None)
    await store.hears(ev.LoadStarted)
    await store.loading.stop("traffic moves no more")
    assert (store.begins(), store.ends()) == (1, [("background", "stopped", "traffic moves no more")])
    assert not store.loading.rests


async def test_stopped_before_its_first_turn_nothing_is_written(store: Desk) -> None:
    store.loading.start(STEADY, "background", None)
    await store.loading.stop("over")
    assert (store.said, store.loading.kind) == ([], "")


async def test_a_load_that_will_not_stop_is_cut_off(store: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    store.loading.start(STEADY, "background", None)
    load = await store.sends()
    load.end = lambda: None  # type: ignore[method-assign]
    await store.loading.stop("over")
    assert store.ends() == [("background", "stopped", "over")]
    assert load.closed


async def test_its_end_is_written_once_when_stop_close_and_its_own_end_meet(store: Desk) -> None:
    store.loading.start(STEADY, "background", None)
    load = await store.sends()
    load.end()
    await asyncio.gather(store.loading.stop("one"), store.loading.leave(), store.loading.close())
    await store.loading.stop("another")
    assert (store.begins(), len(store.ends())) == (1, 1)


async def test_an_end_that_is_just_being_written_is_written_whole(store: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    writing, go, written = asyncio.Event(), asyncio.Event(), store.loading._emit

    async def slow(*bodies: ev.Body) -> None:
        if isinstance(bodies[0], ev.LoadEnded):
            writing.set()
            await go.wait()
        await written(*bodies)

    store.loading._emit = slow
    store.loading.start(STEADY, "background", None)
    (await store.sends()).end()
    await writing.wait()
    await store.loading.stop("over")
    go.set()
    await store.hears(ev.LoadEnded)
    assert store.ends() == [("background", "finished", "its time was up")]


async def test_a_test_ends_what_ran_before_and_is_judged(store: Desk) -> None:
    store.loading.start(STEADY, "background", None)
    await store.sends()
    step = Load(TEST, (Gate("failed_percent", "<", 1.0), Gate("rps", ">", 1.0, at_least=1)))
    testing = asyncio.create_task(store.loading.test(step, None))
    load = await store.sends()
    assert store.loading.kind == "test"
    load.push(sample(None, 90, 10))
    load.end()
    result, verdicts = await testing
    assert result.total.requests == 100
    assert [(v.gate.name, v.outcome.value) for v in verdicts] == [
        ("complete", "PASS"),
        ("errors", "FAIL"),
        ("rps", "PASS"),
        ("exceptions", "PASS"),
    ]
    assert store.ends() == [("background", "stopped", "a load test begins"), ("test", "finished", "its time was up")]
    assert store.loading.kind == ""


async def test_a_test_that_an_operator_stops_is_no_pass(store: Desk) -> None:
    testing = asyncio.create_task(store.loading.test(Load(TEST, (Gate("failed_percent", "<", 1.0),)), None))
    load = await store.sends()
    load.wanted_s = 60.0
    load.push(sample(None))
    await store.loading.steer(wanted(1, stop=True, stopped_by="bob"))
    result, verdicts = await testing
    assert result.why == "stopped by bob"
    assert (verdicts[0].outcome.value, verdicts[0].why) == ("INCONCLUSIVE", "1 of 60 s: stopped by bob")
    assert store.ends() == [("test", "stopped", "stopped by bob")]


async def test_a_test_whose_locust_is_killed_raises_for_another_try(store: Desk) -> None:
    testing = asyncio.create_task(store.loading.test(Load(TEST, (Gate("failed_percent", "<", 1.0),)), None))
    load = await store.sends()
    load.how, load.why, load.wanted_s = LoadOutcome.KILLED, "Locust was killed by SIGKILL", 60.0
    load.push(sample(None))
    load.end()
    with pytest.raises(Killed, match="1 s into the test: Locust was killed by SIGKILL"):
        await testing
    assert store.ends() == [("test", "killed", "Locust was killed by SIGKILL")]


@pytest.mark.parametrize("how", ["hung", "exited", "gone"])
async def test_a_test_without_any_limit_is_judged_by_its_end(store: Desk, how: str) -> None:
    testing = asyncio.create_task(store.loading.test(Load(TEST, ()), None))
    load = await store.sends()
    load.how = LoadOutcome(how)
    load.push(sample(None))
    load.end()
    _, judged = await testing
    assert [(verdict.gate.name, verdict.outcome.value) for verdict in judged] == [("complete", "FAIL")]


async def test_a_test_that_breaks_says_so_and_raises(store: Desk) -> None:
    store.environment.faults["load"] = [Failed("locust died")]
    with pytest.raises(Failed, match="locust died"):
        await store.loading.test(Load(TEST, ()), None)
    assert (store.begins(), store.ends()) == (1, [("test", "not begun", "locust died")])


async def test_a_test_that_is_given_up_has_its_end(store: Desk) -> None:
    testing = asyncio.create_task(store.loading.test(Load(TEST, ()), None))
    load = await store.sends()
    testing.cancel()
    await asyncio.wait({testing})
    assert (load.closed, store.loading.kind) == (True, "")
    assert (store.begins(), store.ends()) == (1, [("test", "stopped", "the release turned")])


async def test_closing_cuts_off_at_once(store: Desk) -> None:
    await store.loading.close()
    store.loading.start(STEADY, "background", None)
    load = await store.sends()
    await store.loading.close()
    assert (load.closed, store.loading.kind) == (True, "")


@pytest.mark.parametrize(
    "asked", [{"stay": True}, {"by": "another-machine/boot/1/1"}], ids=["it is to stay", "its asker is elsewhere"]
)
async def test_a_load_that_outlives_its_driver_is_left_to_the_next_one(store: Desk, asked: dict[str, object]) -> None:
    store.loading.take_up(wanted(**asked), None)  # type: ignore[arg-type]
    async with asyncio.timeout(5):
        await store.environment.load_started.wait()
    await store.loading.leave()
    assert (store.ends(), store.loading.kind) == ([], "")
    store.environment.load_started.clear()
    store.loading.take_up(wanted(by=whoami()), None)
    async with asyncio.timeout(5):
        await store.environment.load_started.wait()
    await store.loading.leave()
    assert store.ends() == [("manual", "stopped", "its driver was closed")]


async def test_a_driver_that_was_replaced_leaves_the_end_to_its_successor(store: Desk) -> None:
    async def lost(*bodies: ev.Body) -> None:
        raise Lost("bob drives")

    store.loading.start(STEADY, "background", None)
    load = await store.sends()
    store.loading._emit = lost
    load.push(sample(None))
    async with asyncio.timeout(5):
        while store.loading.kind:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert (load.closed, store.ends()) == (True, [])

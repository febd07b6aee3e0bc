"""Two terminals on one journal: taking over, giving way, and going on where a dead driver was."""

import asyncio
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.domain.errors import JournalError, Refused, Unreachable
from core.domain.gates import Gate
from core.domain.model import Level, Noted, Scaled
from core.domain.plan import Hold, Shift, Work
from core.domain.strategies import all_at_once, blue_green
from core.engine import housekeeping
from core.engine.engine import Engine
from core.journal.journal import Journal
from core.state import commands as c, events as ev
from core.state.release import Status
from tests.disks import small_disk
from tests.environments import (
    STEADY,
    V1,
    V2,
    V3,
    Bridge,
    FakeEnvironment,
    at,
    begin,
    bodies,
    canary_plan,
    ended,
    rollout,
    sample,
    serve,
    until,
    weights,
)
from tui.headless import after_us

LONG = 600.0
ROOT = Path(__file__).parent.parent


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that is alive until the test ends it: the second terminal's number."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


class Terminals:
    """Engines on one journal, each with the number of a process of its own."""

    def __init__(self, store: Bridge, stack: AsyncExitStack, other: int) -> None:
        self.store = store
        self._stack = stack
        self._numbers = iter((os.getpid(), other))

    async def open(self, who: str) -> Engine:
        """One more."""
        journal = self.store.journal(next(self._numbers))
        self._stack.callback(journal.close)
        return await self._stack.enter_async_context(self.store.engine(journal, who))

    async def close(self) -> None:
        """All of them."""
        await self._stack.aclose()


@pytest.fixture
async def terminals(tmp_path: Path, stranger: subprocess.Popen[bytes]) -> AsyncIterator[Terminals]:
    async with AsyncExitStack() as stack:
        yield Terminals(Bridge(tmp_path), stack, stranger.pid)


async def test_a_rollback_from_another_terminal_takes_over_a_live_release(terminals: Terminals) -> None:
    place = terminals.store.place
    ada = await terminals.open("ada")
    await serve(ada)
    await ada.do(begin(V2, canary_plan(LONG)))
    await at(ada, "r2", 10)
    hers = terminals.store.sites[-1].targets[-1]
    bob = await terminals.open("bob")
    assert bob.snapshot.releases["r2"].reached == 10
    await bob.do(c.Rollback("late", asked_at=time.time()))
    over = await ended(bob, "r2")
    assert (over.outcome, weights(place)) == (ev.Outcome.ROLLED_BACK, {"blue": 100.0, "green": 0.0})
    seen = await ended(ada, "r2")
    assert seen.outcome is ev.Outcome.ROLLED_BACK
    await until(ada, lambda _: not ada.drives("late"))
    assert bob.drives("late")
    late = type(hers)(place, token=hers.token)
    with pytest.raises(Refused, match="was followed by driver"):
        await late.route({"green": 100.0})
    await late.close()
    assert weights(place)["blue"] == 100.0


async def test_another_terminal_steers_a_release_that_it_does_not_drive(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    await ada.do(begin(V2, canary_plan(LONG)))
    await at(ada, "r2", 10)
    bob = await terminals.open("bob")
    with pytest.raises(Refused, match="r2 is under way, begun by ada"):
        await bob.do(begin(V3, canary_plan()))
    with pytest.raises(Refused, match="late: driven by ada"):
        bob.drive("late")
    for percent in (10, 50, 100):
        await at(bob, "r2", percent)
        await bob.do(c.Next("late"))
    assert (await ended(ada, "r2")).outcome is ev.Outcome.DONE
    assert ada.drives("late")
    await bob.do(c.StartLoad("late", STEADY))
    await until(bob, lambda s: s.endpoints["late"].load)
    async with asyncio.timeout(5):
        await terminals.store.sites[-1].load_started.wait()
    assert not bob.drives("late")


async def test_who_leaves_says_whether_somebody_drives_on(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    await ada.do(begin(V2, canary_plan(LONG)))
    await at(ada, "r2", 10)
    bob = await terminals.open("bob")
    assert after_us(ada, "late").startswith(
        "nobody drives it once this ends, traffic flows on; 'quarterdeck --env dev'"
    )
    assert after_us(bob, "late") == (
        "still going; 'quarterdeck --env dev' follows it, 'quarterdeck abort --env dev' ends it"
    )
    await ada.do(c.Rollback("late"))
    bob.catch_up()
    if bob.snapshot.live_release("late") is not None:
        assert after_us(bob, "late") == "still going back; 'quarterdeck --env dev' follows it"


async def test_who_only_watches_gives_way_to_a_release_and_follows_it(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    ada.attend("late")
    await until(ada, lambda _: ada.leadership.drivers["late"].weak)
    bob = await terminals.open("bob")
    await bob.do(begin(V2, blue_green((), rollout())))
    assert (await ended(bob, "r2")).outcome is ev.Outcome.DONE
    await ended(ada, "r2")
    assert not ada.drives("late")
    assert bob.drives("late")


async def test_an_attended_endpoint_is_watched_and_its_orphaned_release_driven(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    await ada.do(begin(V2, canary_plan(LONG)))
    await at(ada, "r2", 10)
    bob = await terminals.open("bob")
    bob.attend("late")
    ada._journal.let_go(ada.leadership.drivers["late"].driver.lease)
    await until(bob, lambda _: bob.drives("late"))
    await until(bob, lambda s: s.releases["r2"].current and s.releases["r2"].current.status is Status.RUNNING)
    assert bob.snapshot.endpoints["late"].driver == "bob"
    assert not bob.leadership.drivers["late"].weak
    await bob.do(c.Abort("late"))
    await ended(bob, "r2")
    await until(bob, lambda _: bob.leadership.drivers["late"].weak)


DYING = """
    import asyncio, sys
    from pathlib import Path
    from core.state import commands as c
    from tests.environments import Bridge, V1, V2, at, begin, canary_plan, serve
    async def main(folder):
        store = Bridge(folder)
        journal = store.journal()
        async with store.engine(journal, "ada") as engine:
            await serve(engine)
            await engine.do(begin(V2, canary_plan(600.0)))
            await at(engine, "r2", 10)
            print("holding", flush=True)
            await asyncio.sleep(60)
    asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_release_whose_driver_was_killed_goes_on_at_the_step_it_was_in(tmp_path: Path) -> None:
    from core.domain.model import Observation

    child = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", textwrap.dedent(DYING), str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "holding\n"
    store = Bridge(tmp_path)
    for slot, version, weight in (("blue", V1, 90.0), ("green", V2, 10.0)):
        store.place.push(Observation(slot, version, 2, 2, weight))
    journal = store.journal()
    async with store.engine(journal, "bob") as engine:
        with pytest.raises(Refused, match=f"driven by ada, process {child.pid}"):
            engine.drive("late")
        child.kill()
        psutil.Process(child.pid).wait(5)
        engine.drive("late")
        release = await at(engine, "r2", 10)
        assert release.index == 3
        started = [fact.index for fact in bodies(journal, ev.StepStarted) if fact.release == "r2"]
        assert started == [0, 1, 2, 3, 3]
        for percent in (10, 50, 100):
            await at(engine, "r2", percent)
            await engine.do(c.Next("late"))
        assert (await ended(engine, "r2")).outcome is ev.Outcome.DONE
        assert weights(store.place) == {"blue": 0.0, "green": 100.0}
    child.communicate()
    journal.close()


ROLLING = """
    import asyncio, sys, time
    from pathlib import Path
    from core.state import commands as c
    from core.domain.model import Observation
    from tests.environments import Bridge, V1, V2, ended, weights
    async def main(folder):
        store = Bridge(folder)
        for slot, version, weight in (("blue", V1, 90.0), ("green", V2, 10.0)):
            store.place.push(Observation(slot, version, 2, 2, weight))
        journal = store.journal()
        async with store.engine(journal, "bob") as engine:
            await engine.do(c.Rollback("late", asked_at=time.time()))
            print((await ended(engine, "r2")).outcome.value, weights(store.place), flush=True)
        journal.close()
    asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_rollback_by_another_process_ends_the_driver_here(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    await ada.do(begin(V2, canary_plan(LONG)))
    await at(ada, "r2", 10)
    site = terminals.store.sites[-1]
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(ROLLING), str(terminals.store.folder),
        stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(other.communicate(), 20)
    assert out.decode() == "rolled back {'blue': 100.0, 'green': 0.0}\n"
    assert (await ended(ada, "r2")).outcome is ev.Outcome.ROLLED_BACK
    await until(ada, lambda _: not ada.drives("late"))
    assert site.closed == 1


async def test_a_driver_that_gives_way_lets_go_of_all_however_often_it_is_told(terminals: Terminals) -> None:
    ada, bob = await terminals.open("ada"), await terminals.open("bob")
    await serve(ada)
    await ada.do(begin(V2, canary_plan(LONG)))
    await at(ada, "r2", 10)
    site, begun, go = terminals.store.sites[-1], asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        begun.set()
        await go.wait()
        site.closed += 1

    site.close = slow  # type: ignore[method-assign]
    await bob.do(c.Rollback("late"))
    await begun.wait()
    for _ in range(3):
        ada.leadership.give_way()
        await asyncio.sleep(0)
    go.set()
    await until(ada, lambda _: not ada.drives("late"))
    assert site.closed == 1


async def test_ten_rollbacks_are_each_timed_from_their_key(terminals: Terminals) -> None:
    began_s = time.monotonic()
    ada = await terminals.open("ada")
    await serve(ada)
    await ada.do(begin(V2, canary_plan(LONG)))
    await at(ada, "r2", 10)
    for _ in range(10):
        await ada.do(c.Rollback("late", asked_at=time.time()))
        await ended(ada, "r2")
        await ada.do(c.Undo("late", asked_at=time.time()))
        await at(ada, "r2", 10)
    took = [v.took_ms for v in bodies(ada._journal, ev.Verified) if v.since == "key" and len(v.weights) == 1]
    assert len(took) == 10
    assert 0 < sum(took) < 1000 * (time.monotonic() - began_s)


async def test_a_key_that_nobody_took_up_for_a_minute_says_a_minute(terminals: Terminals) -> None:
    """Whoever pressed it has waited so long, whoever drove, or nobody."""
    ada = await terminals.open("ada")
    await serve(ada)
    await ada.do(begin(V2, canary_plan(LONG)))
    await at(ada, "r2", 10)
    bob = await terminals.open("bob")
    await bob.do(c.Rollback("late", asked_at=time.time() - 60))
    await ended(bob, "r2")
    (proof,) = [v for v in bodies(ada._journal, ev.Verified) if v.since == "key"]
    assert (proof.weights, proof.took_ms > 60_000) == ({"blue": 100.0}, True)


# A journal that fails, a target that fails


async def test_a_full_disk_ends_the_driver_in_one_line_and_loses_nothing(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    await ada.do(begin(V2, canary_plan(LONG)))
    await at(ada, "r2", 10)
    db, path = ada._journal._db, ada._journal.path
    db.execute(f"pragma max_page_count={int(db.execute('pragma page_count').fetchone()[0])}")
    events = ada.events(ada.snapshot.seq)

    async def flood() -> None:
        async for _ in events:
            terminals.store.place.push(Noted("x" * 5000, Level.WARNING))

    terminals.store.place.push(Noted("x" * 5000, Level.WARNING))
    with pytest.raises(JournalError, match=r"full; free some space and call again: nothing was changed"):
        await asyncio.wait_for(flood(), 10)
    reader = Journal(path, read_only=True)
    assert [event.seq for event in reader.read(0, 100_000)] == list(range(1, reader.last() + 1))
    reader.close()
    db.execute("pragma max_page_count=100000")
    await ada.do(c.Rollback("late"))
    assert (await ended(ada, "r2")).outcome is ev.Outcome.ROLLED_BACK


async def test_a_target_whose_watch_breaks_is_watched_again(terminals: Terminals) -> None:
    def write(site: FakeEnvironment) -> None:
        make, faults = site.target, [Unreachable("nobody answers"), Unreachable("still nobody"), Refused("not now")]

        def target(token: int) -> object:
            made = make(token)
            watch = made.watch

            async def broken() -> AsyncIterator[object]:
                if faults:
                    raise faults.pop(0)
                async for report in watch():
                    yield report

            made.watch = broken  # type: ignore[method-assign,assignment]
            return made

        site.target = target  # type: ignore[method-assign,assignment]

    terminals.store.write_site = write
    ada = await terminals.open("ada")
    await serve(ada)
    said = [line.text for line in ada.snapshot.log if "nobody" in line.text or "not now" in line.text]
    assert [text.partition(";")[0] for text in said] == ["nobody answers", "still nobody", "not now"]


async def test_what_a_target_reports_is_written_down(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    place = terminals.store.place
    place.push(Scaled("blue", time.time(), 2, 4, "cpu 120 %"))
    place.push(Noted("the router came back", source="router"))
    place.push(sample("blue"))
    place.kill("blue")
    state = await until(ada, lambda s: ("late", "blue") in s.series and s.endpoints["late"].slots["blue"].ready == 2)
    assert state.endpoints["late"].scaled["blue"].after == 4
    assert state.endpoints["late"].url == place.url
    assert any("the router came back" in line.text for line in state.log)


async def test_a_background_load_that_breaks_at_once_is_not_begun_without_end(tmp_path: Path) -> None:
    from core.domain.errors import Failed

    store = Bridge(tmp_path, background=STEADY)
    store.write_site = lambda site: site.faults.update(load=[Failed("locust is not there")] * 100)
    journal = store.journal()
    async with store.engine(journal) as engine:
        await serve(engine)
        await engine.do(begin(V2, canary_plan(LONG, (Gate("rps", ">", 0.0),))))
        await at(engine, "r2", 10)
        await until(engine, lambda s: any("locust is not there" in line.text for line in s.log))
        for _ in range(20):
            await engine.emit(ev.Logged("late", "test", "tick"))
        assert len(store.sites[-1].faults["load"]) == 99
    journal.close()


async def test_background_load_goes_on_until_the_last_shift_is_proved(tmp_path: Path) -> None:
    """A place may take its time for it, and that no request failed meanwhile has to be seen."""
    store = Bridge(tmp_path, background=STEADY)
    journal = store.journal()
    async with store.engine(journal) as engine:
        await serve(engine)
        store.place.delays = replace(store.place.delays, route_s=0.2)
        plan = canary_plan(LONG)
        *_, last_hold = (n for n, one in enumerate(plan.steps) if isinstance(one, Hold))
        await engine.do(begin(V2, replace(plan, steps=(*plan.steps[:last_hold], *plan.steps[last_hold + 1 :]))))
        for share in (10, 50):
            await at(engine, "r2", share)
            await engine.do(c.Next("late"))
        release = await ended(engine, "r2")
        assert release.outcome is ev.Outcome.DONE
        await until(engine, lambda s: not s.endpoints["late"].load.running)  # type: ignore[union-attr]
        last = max(n for n, one in enumerate(release.plan.steps) if isinstance(one, Shift))
        told = [event.body for event in journal.read()]
        proved = told.index(next(one for one in told if isinstance(one, ev.StepDone) and one.index == last))
        stopped = next(n for n, one in enumerate(told) if isinstance(one, ev.LoadEnded))
    journal.close()
    assert stopped > proved


async def test_background_load_that_an_operator_ended_stays_ended(tmp_path: Path) -> None:
    store = Bridge(tmp_path, background=STEADY)
    journal = store.journal()
    async with store.engine(journal) as engine:
        await serve(engine)
        await engine.do(begin(V2, canary_plan(LONG)))
        await until(engine, lambda s: s.endpoints["late"].load)
        await engine.do(c.SetLoad("late", stop=True))
        await until(engine, lambda s: not s.endpoints["late"].load.running)  # type: ignore[union-attr]
        await at(engine, "r2", 10)
        await engine.do(c.Next("late"))
        await at(engine, "r2", 50)
        assert len(store.sites[-1].loads) == 1
    journal.close()


async def test_a_new_release_gets_the_surroundings_that_it_asked_for(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    first = terminals.store.sites[-1]
    await ada.do(begin(V2, all_at_once((), rollout()), options={"settings": "others"}))
    assert (await ended(ada, "r2")).outcome is ev.Outcome.DONE
    assert len(terminals.store.sites) == 2
    assert first.closed == 1


async def test_a_key_in_the_very_moment_of_an_answer_still_brings_traffic_back(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    target = terminals.store.sites[-1].targets[-1]
    route = target.route

    async def and_then_the_key(weights: dict[str, float], *more: Any) -> None:
        await route(weights, *more)
        if weights == {"green": 10.0, "blue": 90.0}:
            await ada.do(c.Rollback("late", asked_at=time.time()))

    target.route = and_then_the_key  # type: ignore[method-assign,assignment]
    await ada.do(begin(V2, canary_plan(LONG)))
    assert (await ended(ada, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert weights(terminals.store.place) == {"blue": 100.0, "green": 0.0}


async def test_a_rollback_does_not_stand_behind_a_call_that_hangs(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    target = terminals.store.sites[-1].targets[-1]
    hanging = asyncio.Event()

    async def hang(*_: object) -> None:
        hanging.set()
        await asyncio.Event().wait()

    target.apply = hang  # type: ignore[method-assign,assignment]
    await ada.do(begin(V2, canary_plan(LONG)))
    async with asyncio.timeout(5):
        await hanging.wait()
    await ada.do(c.Rollback("late"))
    assert (await ended(ada, "r2")).outcome is ev.Outcome.ROLLED_BACK


async def test_work_that_was_given_up_has_ended_before_aliases_move(terminals: Terminals) -> None:
    terminals.store.write_site = lambda site: site.held.update(promote=asyncio.Event())
    ada = await terminals.open("ada")
    await ada.do(begin(V1, all_at_once((), rollout())))
    await until(ada, lambda s: s.releases["r1"].current and s.releases["r1"].current.step == Work("alias"))
    site = terminals.store.sites[0]
    await until(ada, lambda _: "alias" in [name for name, _ in site.worked])
    await ada.do(c.Abort("late"))
    release = await ended(ada, "r1")
    assert (release.outcome, release.aliases_moved, site.cancelled) == (ev.Outcome.ABORTED, False, 1)
    assert [name for name, _ in site.worked][-2:] == ["alias", "restore"]


async def test_a_report_that_can_not_be_written_is_a_line_and_written_later(terminals: Terminals) -> None:
    from core.domain.errors import Failed

    terminals.store.write_site = lambda site: site.faults.update(report=[Failed("the folder is gone")])
    ada = await terminals.open("ada")
    await ada.do(begin(V1, all_at_once((), rollout())))
    seen = await until(ada, lambda s: any(one.why for one in s.endpoint("late").pending))
    assert [(one.what, one.why) for one in seen.endpoint("late").pending] == [("report of r1", "the folder is gone")]
    assert seen.releases["r1"].outcome is ev.Outcome.DONE
    assert (await ended(ada, "r1")).folder
    assert ada.snapshot.endpoint("late").pending == ()


async def test_work_that_ends_without_a_result_fails(terminals: Terminals) -> None:
    def write(site: FakeEnvironment) -> None:
        async def silent(*_: object) -> AsyncIterator[object]:
            for _ in ():
                yield _

        site.work = silent  # type: ignore[method-assign,assignment]

    terminals.store.write_site = write
    ada = await terminals.open("ada")
    await ada.do(begin(V1, all_at_once(("train",), rollout())))
    assert (await ended(ada, "r1")).why == "train ended without a result"


async def test_a_log_that_breaks_is_a_line_and_one_that_is_open_ends_with_the_engine(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    target = terminals.store.sites[-1].targets[-1]
    logs = target.logs

    async def broken(slot: str, replica: str = "", lines: int = 50) -> AsyncIterator[str]:
        if slot == "green":
            raise Refused("green has no log")
        async for line in logs(slot, replica, lines):
            yield line

    target.logs = broken  # type: ignore[method-assign]
    await ada.do(c.Tail("late", "green"))
    await until(ada, lambda s: any(line.text == "green has no log" for line in s.log))
    await ada.do(c.Tail("late", "blue"))
    await until(ada, lambda _: terminals.store.place._readers)
    assert [line.source for line in ada.snapshot.log if line.text == "green has no log"] == ["green"]
    await terminals.close()
    assert terminals.store.place._readers == []


async def test_the_work_child_is_let_go_a_while_after_a_release(
    terminals: Terminals, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    site = terminals.store.sites[-1]
    assert site.cancelled == 0
    monkeypatch.setattr(housekeeping, "KEEP_S", 0.0)
    await ada.emit(ev.Logged("late", "test", "a tick"))
    await until(ada, lambda _: site.cancelled == 1)


async def test_a_slot_that_is_due_waits_while_it_serves(terminals: Terminals) -> None:
    ada = await terminals.open("ada")
    await serve(ada)
    await ada.emit(ev.RetireDue("late", "blue", 1.0))
    for _ in range(5):
        await ada.emit(ev.Logged("late", "test", "a tick"))
    assert weights(terminals.store.place) == {"blue": 100.0}


FULL = """
    import asyncio, sys, time
    from pathlib import Path
    from core.state import commands as c
    from core.state import events as ev
    from tests.environments import Bridge, V2, at, begin, canary_plan, ended, serve, weights
    async def main(folder):
        store = Bridge(folder)
        journal = store.journal()
        async with store.engine(journal, "ada") as engine:
            await serve(engine)
            await engine.do(begin(V2, canary_plan(600.0)))
            await at(engine, "r2", 10)
            try:
                with (folder / "blob").open("wb") as file:
                    while file.write(b"x" * 4096):
                        file.flush()
            except OSError:
                pass
            for number in range(100):
                await engine.emit(ev.Logged("late", "train", "x" * 4000))
            await engine.do(c.Rollback("late", asked_at=time.time()))
            print((await ended(engine, "r2")).outcome.value, weights(store.place), flush=True)
        journal.close()
    asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_rollback_on_a_disk_that_is_really_full_brings_traffic_back(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    call = small_disk(disk)
    if call is None:
        pytest.skip("this machine lets nobody mount a small disk")
    ran = subprocess.run(
        [*call, sys.executable, "-c", textwrap.dedent(FULL), str(disk)],
        check=False, capture_output=True, text=True, timeout=30, cwd=ROOT,
    )  # fmt: skip
    assert ran.stdout == "rolled back {'blue': 100.0, 'green': 0.0}\n", ran.stderr[-500:]

"""What long and old projects cost: `python -m tests.bench.journal` prints a table. Times are of the processor.

A hold of two hours, a thousand releases with their verdicts, thirty days of telemetry, and a slot of 256 replicas.
"""

import asyncio
import contextlib
import gc
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from core.domain.gates import Gate
from core.domain.histogram import Histogram
from core.domain.model import Observation, Replica, ReplicaState, Version
from core.domain.plan import Deploy, Hold, Plan, Retire, Shift, Summarise, Work
from core.domain.sample import Sample
from core.engine.engine import Engine
from core.engine.slot_facts import SlotFacts
from core.journal.journal import RECENT_S, Journal
from core.journal.patience import patiently
from core.journal.retention import maintain
from core.rollout import actions as d
from core.state import commands as c, events as ev
from core.state.codec import dumps, loads
from core.state.fold import fold, fold_all
from core.state.snapshot import Snapshot
from tests.environments import V1, V2, Bridge, begin
from tests.world import World, serving

DAY_S = 86_400.0
RELEASES, DAYS, REPLICAS = 1000, 30, 256
HOLD_S = 7200
VERSION = Version("late", "7", "run", "models:/late/7", "digest")
GATES = (
    Gate("failed_percent", "<", 5.0),
    Gate("success_percent", ">=", 95.0),
    Gate("p50_ms", "<", 500.0, window_s=60.0),
    Gate("p95_ms", "<", 2000.0, window_s=900.0),
    Gate("p95_ms", "<", 25.0, against="live", at_least=100, dry_run=True),
)
HISTOGRAMS = [Histogram.of(random.lognormvariate(2, 0.6) for _ in range(400)) for _ in range(20)]
T = TypeVar("T")


def timed(do: Callable[[], T]) -> tuple[float, T]:
    """What something costs, in milliseconds, and what it says."""
    began = time.process_time()
    said = do()
    return (time.process_time() - began) * 1000, said


def row(what: str, *figures: str) -> None:
    """A line of the table."""
    print(f"{what:<58}" + "".join(f"{figure:>16}" for figure in figures), flush=True)


def sampled(second: int, slot: str | None, at: float) -> ev.Body:
    """One second of 400 answers."""
    return ev.Sampled("late", Sample(slot, at, 400, {}, 50, HISTOGRAMS[second % 20], {"version:7": 400}))


def held(hold_s: float) -> World:
    """A release of v2 that holds at 10 %."""
    world = serving()
    hold = Hold(hold_s, GATES)
    steps = (Deploy(2), Shift(10), hold, Shift(100), hold, Work("alias"), Retire(60), Summarise())
    world.do(begin(V2, Plan("canary", steps)))
    world.run(lambda r: r.index == 2 and r.steps[2].started_at is not None)
    return world


def second(world: World, number: int) -> float:
    """One second of a hold: both slots measured, and all that is decided; the longest of its steps in ms."""
    world.now += 1
    longest = 0.0
    for slot in ("blue", "green"):
        took, _ = timed(lambda slot=slot: world.say(sampled(number, slot, world.now)))  # type: ignore[misc]
        longest = max(longest, took)
        while True:
            took, action = timed(world.next)
            longest = max(longest, took)
            if isinstance(action, d.Wait):
                break
            world.act(action)
    return longest


def a_hold() -> None:
    """What a second costs in the beginning and at the end."""
    world, at = held(2.0 * HOLD_S), {10: [0.0], 900: [0.0], HOLD_S: [0.0]}
    costs: dict[int, list[float]] = {}
    for number in range(1, HOLD_S + 1):
        near = next((mark for mark in at if mark - 10 < number <= mark), None)
        if near is None:
            world.now += 1
            for slot in ("blue", "green"):
                world.say(sampled(number, slot, world.now))
            continue
        took, longest = timed(lambda number=number: second(world, number))  # type: ignore[misc]
        costs.setdefault(near, []).append(took)
        at[near].append(longest)
    for mark, each in costs.items():
        figures = (f"{sum(each) / len(each):.1f} ms", f"{max(at[mark]):.1f} ms")
        row(f"a hold, one second at {mark:,} s: all, longest stand-still", *figures)


def a_release() -> list[ev.Event]:
    """The facts of a release with two holds of 30 s."""
    world = held(30.0)
    first = len(world.events)
    world.do(c.Next("late"))
    del world.events[first:]
    number = 0
    while world.release.live and number < 200:
        number += 1
        second(world, number)
        world.see()
    return [event for event in world.events if not isinstance(event.body, ev.Sampled)]


def releases(path: Path, count: int, ends: float) -> int:
    """A journal with so many releases, one an hour; its bytes."""
    events = a_release()
    with contextlib.closing(Journal(path)):
        pass
    with contextlib.closing(sqlite3.connect(path)) as db:
        for number in range(count):
            shift = ends - 3600.0 * (count - number) - events[0].at
            rows = list(_renamed(events, number, shift))
            db.executemany("insert into events (at, who, telemetry, body) values (?,?,?,?)", rows)
        db.commit()
        db.execute("pragma wal_checkpoint(truncate)")
    return path.stat().st_size


def _renamed(events: list[ev.Event], number: int, shift: float) -> Iterator[tuple[float, str, bool, str]]:
    for event in events:
        body = event.body
        if (name := getattr(body, "release", None)) is not None:
            body = replace(body, release=f"{name}-{number}")  # type: ignore[arg-type]
        if isinstance(body, ev.Began):
            body = replace(body, options={"settings": "x" * 4000})
        yield event.at + shift, event.who, type(body).__name__ in ev.TELEMETRY, dumps(body)


def telemetry(path: Path, days: int, ends: float) -> None:
    """One slot's samples each 20 s for days; three each second in the last half hour."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        far = [ends - days * DAY_S + 20.0 * n for n in range(int(days * DAY_S / 20))]
        near = [ends - 1800.0 + n for n in range(1800)]
        for at in (*far, *near):
            slots = ("blue", "green", None) if at >= ends - 1800 else ("blue",)
            rows = [(at, "ada", True, dumps(sampled(int(at), slot, at))) for slot in slots]
            db.executemany("insert into events (at, who, telemetry, body) values (?,?,?,?)", rows)
        db.commit()
        db.execute("pragma wal_checkpoint(truncate)")


def opened(path: Path, now: float) -> tuple[float, Snapshot]:
    """What it costs to know what is true."""

    def known() -> Snapshot:
        with contextlib.closing(Journal(path)) as journal:
            return fold_all(journal.recent(now))

    return timed(known)


def long_and_old(folder: Path) -> None:
    """A journal of many releases, then with a month of telemetry."""
    path, now = folder / "journal.db", time.time()
    size = releases(path, RELEASES, now - 2 * 3600)
    took, snapshot = opened(path, now)
    row(f"open, {RELEASES:,} releases, never kept: time, size", f"{took:.0f} ms", f"{size / 1e6:.0f} MB")
    with contextlib.closing(Journal(path)) as journal:
        took, _ = timed(lambda: journal.fold_until(now - RECENT_S))
    row("folding them once, off the loop", f"{took:.0f} ms")
    took, again = opened(path, now)
    assert again.endpoint("late").weights == snapshot.endpoint("late").weights
    row(f"open, {RELEASES:,} releases", f"{took:.0f} ms")
    telemetry(path, DAYS, now)
    before = path.stat().st_size
    took, _ = opened(path, now)
    row(f"open, and {DAYS} days of telemetry, never kept: time, size", f"{took:.0f} ms", f"{before / 1e6:.0f} MB")
    with contextlib.closing(Journal(path)) as journal:
        took, longest = timed(lambda: _kept(journal, now))
    row("upkeep of all of it: time, longest transaction", f"{took / 1000:.1f} s", f"{longest:.0f} ms")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    took, _ = opened(path, now)
    row("open after it: time, size", f"{took:.0f} ms", f"{path.stat().st_size / 1e6:.0f} MB")
    took, _ = timed(lambda: asyncio.run(_started(path)))
    row("start an engine on it", f"{took:.0f} ms")


def _kept(journal: Journal, now: float) -> float:
    """All upkeep that is due; its longest transaction in milliseconds."""
    inner, each = journal.maintain, [0.0]

    def watched(change: Callable[[sqlite3.Connection], T]) -> T:
        took, said = timed(lambda: inner(change))
        each.append(took)
        return said

    journal.maintain = watched  # type: ignore[method-assign]
    while not maintain(journal, now, 14, budget_s=5.0):
        pass
    for _ in range(200):
        journal.vacuum(500)
    return max(each)


async def _started(path: Path) -> None:
    with contextlib.closing(Journal(path)) as journal:
        async with Engine(journal, Bridge(path.parent).environment_of, "ada") as engine:
            assert engine.snapshot.releases


def seen(states: list[ReplicaState], cpu_m: float) -> Observation:
    """A slot of many replicas."""
    replicas = tuple(Replica(f"blue-{n}", state, cpu_m + n % 7, 60.0) for n, state in enumerate(states))
    return Observation("blue", V1, len(states), states.count(ReplicaState.READY), 100.0, replicas)


def many_replicas() -> None:
    """What deploying and watching 256 replicas writes."""
    facts, snapshot, written = SlotFacts("late"), Snapshot(), 0
    states = [ReplicaState.STARTING] * REPLICAS

    def say(at: float, cpu_m: float) -> int:
        nonlocal snapshot
        size = 0
        for body in facts.of(snapshot.endpoint("late").slots.get("blue"), seen(states, cpu_m), at):
            size += len(dumps(body))
            snapshot = fold(snapshot, ev.Event(1, at, "ada", body))
        return size

    for n in range(REPLICAS):
        states[n] = ReplicaState.READY
        written += say(n / 10, 100.0)
    row(f"deploying {REPLICAS} replicas writes", f"{written / 1e6:.2f} MB")
    minute = sum(say(100.0 + s, 100.0 + s) for s in range(60))
    row(f"watching {REPLICAS} replicas writes a day", f"{minute * 1440 / 1e6:.0f} MB")


def facts_of_a_recording() -> None:
    """What one fact costs to write and to read."""
    lines = Path(__file__).parents[1].joinpath("recordings", "release.jsonl").read_text().splitlines()
    bodies = [loads(line).body for line in lines]
    texts = [dumps(body) for body in bodies]
    gc.collect()
    gc.freeze()
    encode, _ = timed(lambda: [dumps(body) for body in bodies])
    decode, _ = timed(lambda: [loads(text) for text in texts])
    row("a fact: encode, decode", f"{encode / len(bodies) * 1000:.1f} us", f"{decode / len(bodies) * 1000:.1f} us")


def locked(path: Path) -> None:
    """How long a loop stands still while another process holds the journal for a second; and what syncing costs."""

    async def scene(lock: bool) -> float:
        loop, other = asyncio.get_running_loop(), sqlite3.connect(path, isolation_level=None)
        with contextlib.closing(Journal(path, wait_s=0)) as journal, contextlib.closing(other):
            if lock:
                other.execute("begin immediate")
                loop.call_later(1.0, other.execute, "rollback")
                work = asyncio.ensure_future(patiently(lambda: journal.append([ev.Paused("r")], "ada", 1.0)))
            else:
                work = asyncio.ensure_future(asyncio.sleep(1.0))
            worst = 0.0
            while not work.done():
                began = time.perf_counter()
                await asyncio.sleep(0.001)
                worst = max(worst, time.perf_counter() - began)
        return worst * 1000

    # What other work on this machine costs a loop stands beside what the lock does.
    figures = [f"{asyncio.run(scene(lock)):.0f} ms" for lock in (True, False)]
    row("locked for 1 s, and not: longest stand-still (wall)", *figures)
    with contextlib.closing(Journal(path)) as journal:
        for name, body in (("plain", ev.Paused("r")), ("synced", ev.TurnedBack("r", ev.Outcome.ABORTED, ""))):
            took = []
            for _ in range(50):
                began = time.perf_counter()
                journal.append([body], "ada", 1.0)
                took.append((time.perf_counter() - began) * 1000)
            row(f"append, {name}: median, worst (wall)", f"{sorted(took)[25]:.2f} ms", f"{max(took):.1f} ms")


def main() -> None:
    """The table."""
    facts_of_a_recording()
    a_hold()
    many_replicas()
    with tempfile.TemporaryDirectory() as folder:
        long_and_old(Path(folder))
        locked(Path(folder) / "journal.db")


if __name__ == "__main__":
    main()

"""How long a journal takes: `python -m tests.bench.journal` prints a table; a day of telemetry must not be felt."""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from core.domain.histogram import Histogram
from core.domain.model import Observation, Replica, ReplicaState, Sample, Version
from core.domain.plan import Deploy, Hold, Plan, Shift, Summarise
from core.engine.engine import Engine
from core.journal.journal import Journal
from core.state import events as ev
from core.state.fold import fold_all
from tests.environments import Bridge

DAY_S = 86_400
EVENTS = 100_000
VERSION = Version("late", "7", "run", "models:/late/7", "digest")
PLAN = Plan("canary", (Deploy(2), Shift(10), Hold(20, ()), Summarise()))
HISTOGRAMS = [Histogram.of(random.lognormvariate(2, 0.6) for _ in range(400)) for _ in range(20)]


def sampled(second: int, at: float) -> ev.Body:
    """One second of 400 answers."""
    slot = ("blue", "green", None)[second % 3]
    mix = {"version:7": 400, "label:yes": 120}
    return ev.Sampled("late", Sample(slot, at, 400, {}, 50, HISTOGRAMS[second % 20], mix))


def observed(second: int) -> ev.Body:
    """A slot of four replicas."""
    replicas = tuple(Replica(f"blue-{n}", ReplicaState.READY, 200.0 + second % 7, 60.0) for n in range(4))
    return ev.Observed("late", Observation("blue", VERSION, 4, 4, 90.0, replicas))


def mixed(count: int) -> list[ev.Event]:
    """What a load test with its observations and log lines looks like."""
    bodies: list[ev.Body] = [ev.Began("r", "late", "dev", PLAN)]
    for second in range(count // 4):
        line = ev.Logged("late", "blue-1", f"line {second}")
        bodies += [sampled(second, float(second)), sampled(second + 1, float(second)), observed(second), line]
    return [ev.Event(seq, seq / 4, "ada", body) for seq, body in enumerate(bodies[:count], 1)]


def timed(what: str, do: Callable[[], object], count: int = 0) -> None:
    """Do it once and print a line."""
    began = time.perf_counter()
    do()
    took = time.perf_counter() - began
    each = f"{took / count * 1e6:8.1f} us each" if count else ""
    print(f"{what:<58}{took * 1000:9.0f} ms {each}")


def a_day(path: Path) -> None:
    """A day of samples, a second apart, and a few thousand facts among them."""
    journal = Journal(path)
    now = time.time()
    journal.append([ev.Began("r", "late", "dev", PLAN)], "ada", now - DAY_S)
    for minute in range(0, DAY_S, 60):
        at = now - DAY_S + minute
        facts = [sampled(second, at + second - minute) for second in range(minute, minute + 60)]
        journal.append([*facts, observed(minute), ev.Routed("late", {"blue": 100.0})], "ada", at)
    journal.close()


async def started(path: Path) -> None:
    """An engine opened on it and closed again."""
    journal = Journal(path)
    bridge = Bridge(path.parent)
    async with Engine(journal, bridge.environment_of, "ada") as engine:
        assert engine.snapshot.endpoints["late"].slots
    journal.close()


def main() -> None:
    """The table."""
    events = mixed(EVENTS)
    timed(f"fold {EVENTS:,} events", lambda: fold_all(events), EVENTS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        timed("write a day of telemetry, a transaction a minute", lambda: a_day(path), DAY_S)
        print(f"{'its size':<58}{path.stat().st_size / 1e6:9.0f} MB")
        timed("start an engine on it", lambda: asyncio.run(started(path)))
        journal = Journal(path)
        timed("read what matters now", lambda: journal.recent(time.time()))
        timed("append and read back 1,000 samples", lambda: _round(journal), 1000)
        journal.close()


def _round(journal: Journal) -> None:
    for second in range(1000):
        last = journal.append([sampled(second, time.time())], "ada", time.time())
        assert len(journal.read((last or 0) - 1)) == 1


if __name__ == "__main__":
    main()

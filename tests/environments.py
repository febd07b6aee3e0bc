"""A Site without children: a fake place, work and load that a test scripts. Everything else is the engine's own."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from core.domain.errors import Failed, QuarterdeckError
from core.domain.gates import Gate
from core.domain.load_profile import LoadOutcome, LoadProfile, LoadSource
from core.domain.model import Version
from core.domain.plan import Hold, Plan
from core.domain.sample import Sample
from core.domain.sources import MetricSource, SourceAnswer
from core.domain.strategies import Rollout, all_at_once, canary
from core.engine.engine import Engine
from core.engine.environment import Aliases
from core.journal.journal import Journal
from core.load.load import LoadResult
from core.state import commands as c, events as ev
from core.state.release import Release
from core.state.snapshot import Snapshot
from core.targets.fake.client import FakeTarget
from core.targets.fake.place import FakePlace
from core.targets.protocol import Address, Target
from core.work.job import Done, OutputLine, Progress

V1 = Version("late", "1", "run1", "models:/late/1", "d1")
V2 = Version("late", "2", "run2", "models:/late/2", "d2")
V3 = Version("late", "3", "run3", "models:/late/3", "d3")
STEADY = LoadProfile("steady", 5, 5.0, None)
TEST = LoadProfile("test", 50, 5.0, 60.0)
B = TypeVar("B")
DEADLINE_S = 60.0
"""No test waits longer for anything."""


class FakeLoad:
    """A load that sends nothing; a test pushes its samples and ends it."""

    def __init__(self, profile: LoadProfile) -> None:
        self.profile = profile
        self.web_url = None
        self.asked: list[tuple[object, ...]] = []
        self.fault: QuarterdeckError | None = None
        self.closed = False
        self.why, self.how = "its time was up", LoadOutcome.FINISHED
        self.wanted_s: float | None = None
        self._total = Sample(None, 0.0, seconds=0.0)
        self._samples: asyncio.Queue[Sample | None] = asyncio.Queue()

    def push(self, sample: Sample) -> None:
        """One second of answers."""
        self._total = self._total + sample
        self._samples.put_nowait(sample)

    def end(self) -> None:
        """Its time is up."""
        self._samples.put_nowait(None)

    async def samples(self) -> AsyncIterator[Sample]:
        """What was pushed, until it ends."""
        while (sample := await self._samples.get()) is not None:
            yield sample

    async def users(self, count: int, spawn_rate: float | None = None) -> None:
        """Taken note of."""
        await self._note("users", count, spawn_rate)

    async def pause(self) -> None:
        """Taken note of."""
        await self._note("pause")

    async def resume(self) -> None:
        """Taken note of."""
        await self._note("resume")

    async def reset(self) -> None:
        """Taken note of."""
        await self._note("reset")

    async def _note(self, *asked: object) -> None:
        self.asked.append(asked)
        if self.fault is not None:
            raise self.fault

    async def stop(self) -> None:
        """End it."""
        await self._note("stop")
        self.why, self.how = "it was stopped", LoadOutcome.STOPPED
        self.end()

    async def wait(self) -> LoadResult:
        """What was pushed, added up."""
        return LoadResult(self._total, self._total.seconds, (), self.why, self.how, self.wanted_s)

    async def close(self) -> None:
        """Let go."""
        self.closed = True


class FakeEnvironment:
    """One endpoint over a `Place` that outlives it, as a real place does."""

    kind = "fake"

    def __init__(self, place: FakePlace, folder: Path, endpoint: str = "late", background: LoadProfile | None = None):
        self.place = place
        self.folder = folder
        self.endpoint = endpoint
        self.environment = "dev"
        self.production = False
        self.aliases = Aliases("dev", "dev-previous")
        self.background = background
        self.targets: list[FakeTarget] = []
        self.worked: list[tuple[str, Mapping[str, object]]] = []
        self.results: dict[str, Done] = {}
        self.faults: dict[str, list[Exception]] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.cancelled = 0
        self.loads: list[FakeLoad] = []
        self.load_started = asyncio.Event()
        self.closed = 0
        self.figures: dict[str, list[SourceAnswer | Exception]] = {}
        self.asked: list[MetricSource] = []
        self.lost = ""
        self.changed = False

    def lacks(self) -> str:
        """What the test wrote."""
        return self.lost

    def outdated(self) -> bool:
        """What the test wrote."""
        return self.changed

    async def gauge(self, source: MetricSource) -> SourceAnswer:
        """What the test wrote for this name, one after the other; the last is said for good."""
        self.asked.append(source)
        said = self.figures.get(source.name, [SourceAnswer(None)])
        answer = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def target(self, token: int) -> Target:
        """A driver's own hands on the place."""
        self.targets.append(FakeTarget(self.place, token=token))
        return self.targets[-1]

    def warm(self) -> None:
        """Nothing to warm."""

    async def work(
        self, release: Release, name: str, options: Mapping[str, object]
    ) -> AsyncIterator[Progress | OutputLine | Done]:
        """What the test wrote for this name; held up while `held` says so."""
        self.worked.append((name, options))
        yield Progress(0.5, f"{name} half done", {"seen": 1.0})
        yield OutputLine(f"{name} speaks")
        if name in self.held:
            await self.held[name].wait()
        if faults := self.faults.get(name):
            raise faults.pop(0)
        yield self.results.get(name) or Done({}, name)

    async def cancel_work(self, wanted: bool = False) -> None:
        """Counted."""
        self.cancelled += 1

    async def load(
        self,
        profile: LoadProfile,
        kind: str,
        address: Address,
        version: Version | None,
        source: LoadSource,
        live: Version | None = None,
    ) -> FakeLoad:
        """A load that the test speaks for."""
        if faults := self.faults.get("load"):
            raise faults.pop(0)
        self.loads.append(FakeLoad(profile))
        self.load_started.set()
        return self.loads[-1]

    async def smoke(self, release: Release, address: Address, checks: int) -> str:
        """Every answer right, unless a fault is written."""
        self.worked.append(("smoke", dict(address.headers)))
        if faults := self.faults.get("smoke"):
            raise faults.pop(0)
        return f"{checks} of {checks}"

    async def report(self, snapshot: Snapshot, release: Release) -> Path:
        """A folder by name alone."""
        if "report" in self.held:
            await self.held["report"].wait()
        if faults := self.faults.get("report"):
            raise faults.pop(0)
        return self.folder / release.id

    async def close(self) -> None:
        """Counted."""
        self.closed += 1


class Bridge:
    """One journal, one place, and engines over them: what two terminals on one project are."""

    def __init__(self, folder: Path, place: FakePlace | None = None, background: LoadProfile | None = None) -> None:
        self.folder = folder
        self.place = place or FakePlace()
        self.background = background
        self.sites: list[FakeEnvironment] = []
        self.write_site: Callable[[FakeEnvironment], None] = lambda site: None

    def journal(self, pid: int | None = None) -> Journal:
        """The journal as a process with this number opens it."""
        return Journal(self.folder / "journal.db", pid=pid)

    def environment_of(self, endpoint: str, options: ev.Result) -> FakeEnvironment:
        """What is around the endpoint, for one driver."""
        made = FakeEnvironment(self.place, self.folder, endpoint, self.background)
        self.write_site(made)
        self.sites.append(made)
        return made

    def engine(self, journal: Journal, who: str = "ada", read_only: bool = False) -> Engine:
        """An engine over a journal."""
        return Engine(journal, self.environment_of, who, read_only)


def rollout(hold_s: float = 0.0, gates: tuple[Gate, ...] = (), load: LoadProfile | None = None) -> Rollout:
    """What plans are made of here; without gates a hold of 0 s is over at once."""
    return Rollout(2, 5, hold_s, gates, load, (Gate("failed_percent", "<", 1.0, at_least=1),), 3600.0, 5.0)


def begin(version: Version | None, plan: Plan, release: str = "", **more: Any) -> c.Begin:
    """A release named after its version."""
    name = release or (f"r{version.number}" if version is not None else "r")
    return c.Begin("late", name, "dev", plan, **{"version": version, "target": FakeEnvironment.kind, **more})


def canary_plan(hold_s: float = 0.0, gates: tuple[Gate, ...] = (), load: LoadProfile | None = None) -> Plan:
    """10 → 50 → 100."""
    return canary((), rollout(hold_s, gates, load), (10, 50, 100))


async def until(engine: Engine, true: Callable[[Snapshot], object], deadline_s: float = DEADLINE_S) -> Snapshot:
    """The first state of which something is true."""
    try:
        async with asyncio.timeout(deadline_s):
            while not true(engine.snapshot):
                await engine.change(1.0)
    except TimeoutError:
        said = "\n".join(f"{line.source}: {line.text}" for line in engine.snapshot.log[-15:])
        raise AssertionError(f"it never became true; the log ends:\n{said}") from None
    return engine.snapshot


async def ended(engine: Engine, release: str, deadline_s: float = DEADLINE_S) -> Release:
    """The release, once it is over and its report is written."""
    seen = await until(engine, lambda s: (r := s.releases.get(release)) and not r.live and r.folder, deadline_s)
    return seen.releases[release]


async def at(engine: Engine, release: str, percent: float) -> Release:
    """The release, once it holds at this share of the traffic."""

    def there(snapshot: Snapshot) -> bool:
        found = snapshot.releases.get(release)
        step = found.current if found is not None else None
        return found is not None and found.reached == percent and step is not None and _holds(step)

    return (await until(engine, there)).releases[release]


def _holds(step: object) -> bool:
    return isinstance(getattr(step, "step", None), Hold) and getattr(step, "status", "") == "running"


async def serve(engine: Engine, version: Version = V1) -> None:
    """The version serves, as a first release leaves it."""
    await engine.do(begin(version, all_at_once((), rollout())))
    over = await ended(engine, f"r{version.number}")
    if over.outcome is not ev.Outcome.DONE:
        raise Failed(over.why)


def bodies(journal: Journal, kind: type[B]) -> list[B]:
    """All facts of one kind, in order."""
    return [event.body for event in journal.read(0, 1_000_000) if isinstance(event.body, kind)]


def weights(place: FakePlace) -> dict[str, float]:
    """Who gets how much traffic in the place itself."""
    return {slot: seen.weight for slot, seen in place.slots.items() if seen.version is not None}


def sample(slot: str | None, ok: int = 100, failed: int = 0, ms: float = 5.0, at: float | None = None) -> Sample:
    """One second of answers, all as quick."""
    from core.domain.histogram import Histogram

    kinds = {"500": failed} if failed else {}
    return Sample(slot, time.time() if at is None else at, ok, kinds, None, Histogram.of([ms] * (ok + failed)))

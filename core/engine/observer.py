"""What a target's watch sees, written down; and the proof that traffic moved, with how long it took."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from core.domain.errors import JournalError, Lost, QuarterdeckError, Refused
from core.domain.model import Contact, Noted, Observation, OtherDriver, Scaled, Slot, Synced, Version
from core.domain.sample import Sample
from core.engine.environment import Environment
from core.engine.named_files import beside
from core.engine.slot_facts import SlotFacts
from core.engine.smoke import answers_as
from core.journal.journal import Lease
from core.rollout.rollback import answers, proved
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.fold_endpoint import proved_before
from core.state.release import ReleaseState, Status
from core.state.snapshot import Snapshot
from core.system.clock import boottime_s
from core.system.text import clean_line
from core.targets.protocol import Report, Target

Emit = Callable[..., Awaitable[None]]
AGAIN_S = 0.5


class Store(Protocol):
    """What a driver needs of the engine: the state, the door, and to hear when the state changed."""

    @property
    def snapshot(self) -> Snapshot:
        """What is true now."""
        ...

    async def emit(self, *bodies: ev.Body, lease: Lease | None = None) -> None:
        """Write facts down."""
        ...

    async def change(self, timeout_s: float) -> None:
        """Return when the state has changed, or after a while."""
        ...

    def now(self) -> float:
        """Seconds since the epoch, by a clock that nobody sets."""
        ...

    def beat(self, lease: Lease) -> None:
        """Say that the driver lives."""
        ...


@dataclass(frozen=True, slots=True)
class Expected:
    """Weights that were asked for, and what their proof is timed from.

    `before_s` is what had passed when they were asked for, `asked_s` that moment on a clock which nobody sets.
    """

    weights: dict[Slot, float]
    before_s: float
    asked_s: float
    what: str
    release: str


class Observer:
    """One endpoint's watch, for as long as its driver lives. `synced` is set once it has told all that is true."""

    def __init__(self, store: Store, environment: Environment, target: Target, emit: Emit) -> None:
        self.synced = asyncio.Event()
        self._store = store
        self._environment = environment
        self._target = target
        self._emit = emit
        self._expected: Expected | None = None
        self._opened = False
        self._slots = SlotFacts(environment.endpoint)
        self._heard: set[Slot] = set()
        self._answers: dict[Slot, Version] = {}
        self._trouble = ""

    @property
    def _endpoint(self) -> Endpoint:
        return self._store.snapshot.endpoint(self._environment.endpoint)

    def expect(self, weights: dict[Slot, float], before_s: float, what: str, release: str) -> None:
        """These weights are asked for now; `before_s` ago the `key` went down, or none for a `route`."""
        self._expected = Expected(weights, before_s, boottime_s(), what, release)

    def known(self) -> Snapshot:
        """The state as far as this watch vouches for it: what it has not told of yet is ready for nothing."""
        snapshot, endpoint = self._store.snapshot, self._endpoint
        unheard = endpoint.slots.keys() - self._heard
        if self.synced.is_set() or not unheard:
            return snapshot
        why = self._trouble or "nothing was heard of it yet"
        slots = dict(endpoint.slots)
        for slot in unheard:
            seen, answers_well = slots[slot], self._answers.get(slot) == slots[slot].version
            ready = max(1, seen.ready) if answers_well else 0
            slots[slot] = replace(seen, ready=ready, replicas=(), proved_by=0, why="" if answers_well else why)
        return replace(snapshot, endpoints={**snapshot.endpoints, endpoint.name: replace(endpoint, slots=slots)})

    async def ask(self, slot: Slot, version: Version) -> None:
        """Where the watch is late: let a slot answer for itself."""
        with contextlib.suppress(QuarterdeckError):
            if await answers_as(await self._target.address(slot), version):
                self._answers[slot] = version

    async def run(self) -> None:
        """Until cancelled; raises Lost and JournalError alone."""
        while True:
            try:
                async for report in self._target.watch():
                    self._trouble = ""
                    await self._saw(_cleaned(report))
            except (Lost, JournalError):
                raise
            except QuarterdeckError as error:
                why = beside(str(error), self._environment.lacks())
                if (contact := self._endpoint.contact) is not None and not contact.lost:
                    lost = replace(contact, lost=why)
                    await self._emit(ev.Contacted(self._environment.endpoint, lost))
                # Whatever is wrong with it: without a watch nothing is known, and a deadline says so.
                if why != self._trouble or self._untold():
                    self._trouble = why
                    await self._say(self._trouble)
            await asyncio.sleep(AGAIN_S)

    def _untold(self) -> bool:
        """Whether the step at hand, or the way back, does not know yet why nothing is heard."""
        release = self._store.snapshot.live_release(self._environment.endpoint)
        if release is None:
            return False
        if release.state is not ReleaseState.RUNNING:
            return release.way is not None and not release.way.refusal
        return (step := release.current) is not None and step.status is Status.RUNNING and not step.refusal

    async def _say(self, why: str) -> None:
        """What is wrong with the watch: the reason, if the step at hand or the way back comes to nothing."""
        release = self._store.snapshot.live_release(self._environment.endpoint)
        step = release.current if release is not None else None
        if release is None or (release.state is ReleaseState.RUNNING and step is None):
            await self._emit(ev.Logged(self._environment.endpoint, "target", why))
        elif release.state is ReleaseState.RUNNING and step is not None and step.status is Status.RUNNING:
            await self._emit(ev.AskFailed(release.id, why, 1, release.index))
        else:
            await self._emit(ev.AskFailed(release.id, why))

    async def _open(self) -> None:
        """Write down where the endpoint answers, once there is a place, and again when that may have changed."""
        try:
            address = await self._target.address()
        except Refused:
            return
        self._opened = True
        if address.url != self._endpoint.url:
            environment = self._environment
            opened = ev.Opened(
                environment.endpoint, address.url, environment.environment, environment.kind, environment.production
            )
            await self._emit(opened)

    async def _saw(self, report: Report) -> None:
        name = self._environment.endpoint
        match report:
            case Observation():
                self._heard.add(report.slot)
                if facts := self._slots.of(self._endpoint.slots.get(report.slot), report, boottime_s()):
                    await self._emit(*facts)
                await self.verify()
                if not self._opened:
                    await self._open()
            case Synced(slots=slots):
                # What the journal knows and the place does not is gone, whoever took it away.
                for slot in self._endpoint.slots.keys() - set(slots):
                    await self._emit(ev.Observed(name, Observation(slot, None, 0, 0, 0.0)))
                self.synced.set()
            case OtherDriver():
                await self._other(report)
            case Sample():
                await self._emit(ev.Sampled(name, report))
            case Scaled():
                await self._emit(ev.Looked(name, report))
            case Contact():
                lost = beside(report.lost, self._environment.lacks()) if report.lost else ""
                await self._emit(ev.Contacted(name, replace(report, lost=lost)))
            case Noted():
                self._opened = False
                await self._emit(ev.Remarked(name, report))

    async def _other(self, other: OtherDriver) -> None:
        """Who drives from another machine, once; whose release it took is said with the first word of it."""
        known = self._endpoint.other or OtherDriver()
        if other not in (known, replace(known, took="")):
            await self._emit(ev.OtherDrove(self._environment.endpoint, other))

    async def verify(self) -> None:
        """Once the watch shows what was asked for, say so, and how long it took."""
        if self._expected is None:
            return
        asked, endpoint = self._expected, self.known().endpoint(self._environment.endpoint)
        release = self._store.snapshot.releases.get(asked.release)
        if release is None or endpoint.weights != asked.weights or not proved(release, endpoint, asked.weights):
            return
        self._expected = None
        took_ms = 1000 * (asked.before_s + boottime_s() - asked.asked_s)
        count = answers(endpoint, asked.weights)
        seen = ev.Verified(endpoint.name, asked.weights, took_ms, count, asked.what, release.id)
        # While nobody answers the call, it is made again and again, and traffic may long be where it was asked to be.
        if not proved_before(endpoint, seen, self._store.now()):
            await self._emit(seen)


def _cleaned(report: Report) -> Report:
    """What replicas, routers and servers wrote stands in it, and goes from here to the journal and to screens."""
    match report:
        case Contact(lost=lost):
            return replace(report, lost=clean_line(lost))
        case Noted(text=text):
            return replace(report, text=clean_line(text))
        case Observation(why=why, replicas=replicas) if not "".join(
            (why, *(one.why for one in replicas))
        ).isprintable():
            kept = tuple(replace(one, why=clean_line(one.why)) for one in replicas)
            return replace(report, why=clean_line(why), replicas=kept)
        case Sample(failed=failed, mix=mix):
            return replace(report, failed=_named(failed), mix=_named(mix))
        case _:
            return report


def _named(counts: Mapping[str, int]) -> Mapping[str, int]:
    if all(name.isprintable() for name in counts):
        return counts
    found: dict[str, int] = {}
    for name, count in counts.items():
        found[clean_line(name)] = found.get(clean_line(name), 0) + count
    return found

"""Asks the sources of a hold's gates for their figures, as long as it lasts, and writes down what they say."""

import asyncio
import logging
import math
from dataclasses import dataclass

from core.domain.errors import QuarterdeckError
from core.domain.gates import LIVE, Gate
from core.domain.model import Slot, Version
from core.domain.plan import Ask, Hold
from core.domain.sources import MetricSource, SourceAnswer, filled
from core.engine.environment import Environment
from core.engine.observer import Emit, Store
from core.state import events as ev
from core.state.release import Release, ReleaseState, Status
from core.system.clock import boottime_s
from core.system.text import clean_line

IDLE_S = 1.0
LONGEST = 200
log = logging.getLogger("quarterdeck")


@dataclass(frozen=True, slots=True)
class Question:
    """One figure of one slot, for the gates of one step that began once."""

    release: str
    index: int
    began: float
    source: MetricSource
    slot: Slot
    version: str


class Gauging:
    """One endpoint's, for as long as its driver lives."""

    def __init__(self, store: Store, environment: Environment, emit: Emit) -> None:
        self._store = store
        self._environment = environment
        self._emit = emit
        self._due_s: dict[Question, float] = {}

    async def run(self) -> None:
        """Until cancelled; raises Lost and JournalError alone."""
        while True:
            now_s, wanted = boottime_s(), self._wanted()
            self._due_s = {one: self._due_s.get(one, now_s) for one in wanted}
            due = [one for one, due_s in self._due_s.items() if due_s <= now_s]
            self._due_s.update((one, now_s + one.source.every_s) for one in due)
            said = await asyncio.gather(*(self._ask(one) for one in due))
            # What was asked for a hold that is over says nothing of the next one.
            if facts := [fact for one, fact in zip(due, said, strict=True) if one in self._wanted()]:
                await self._emit(*facts)
            next_s = min(self._due_s.values(), default=now_s + IDLE_S)
            await self._store.change(min(IDLE_S, max(0.05, next_s - boottime_s())))

    def _wanted(self) -> tuple[Question, ...]:
        release = self._store.snapshot.live_release(self._environment.endpoint)
        return questions(release) if release is not None else ()

    async def _ask(self, one: Question) -> ev.Gauged:
        """What a source says, or why it could not be asked; whatever goes wrong is an answer too."""
        source, failed, answer = one.source, True, SourceAnswer(None)
        try:
            names = {"endpoint": self._environment.endpoint, "slot": one.slot, "version": one.version}
            async with asyncio.timeout(source.timeout_s + 1):
                answer, failed = await self._environment.gauge(filled(source, names)), False
        except QuarterdeckError as error:
            answer = SourceAnswer(None, None, str(error))
        except TimeoutError:
            answer = SourceAnswer(None, None, f"no answer within {source.timeout_s:g} s")
        except Exception as error:
            log.exception("asking %s for %s", source.where, source.name)
            answer = SourceAnswer(None, None, f"{type(error).__name__}, a fault in how it is asked (the log has more)")
        value, why = answer.value, clean_line(answer.why, LONGEST)
        if value is not None and not math.isfinite(value):
            value, why = None, "is no finite number"
        if value is None:
            why = f"{source.where}: {why or 'no value'}"
        now = self._store.now()
        at = now if answer.at is None else min(answer.at, now)
        return ev.Gauged(self._environment.endpoint, one.slot, source.name, value, at, why, failed)


def questions(release: Release) -> tuple[Question, ...]:
    """What the gates of the step at hand need to know of sources elsewhere."""
    step = release.current
    if release.state is not ReleaseState.RUNNING or step is None or step.status is not Status.RUNNING:
        return ()
    gates = step.step.gates if isinstance(step.step, Hold | Ask) else ()
    sources = {source.name: source for source in release.plan.sources}
    found = [
        Question(release.id, release.index, step.started_at or 0.0, sources[gate.metric], slot, version.number)
        for gate in gates
        if gate.source and gate.metric in sources
        for slot, version in _slots(release, gate)
    ]
    return tuple(dict.fromkeys(found))


def _slots(release: Release, gate: Gate) -> list[tuple[Slot, Version]]:
    """The slots that a gate compares, with their versions."""
    sides = [(release.slot, release.version), (release.old if gate.against == LIVE else None, release.old_version)]
    return [(slot, version) for slot, version in sides if slot is not None and version is not None]

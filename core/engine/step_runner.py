"""The step that computes right now: one task, which writes down how it goes and what came of it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Protocol

from core.domain.errors import BadInput, Failed, JournalError, Killed, Lost, QuarterdeckError
from core.domain.gates import GateResult
from core.domain.model import Version
from core.domain.plan import ALIASES, IMAGE, Load, Smoke, Summarise, Work, title
from core.engine.environment import Environment
from core.engine.load_control import LoadControl
from core.engine.retries import rest_s
from core.engine.step_results import came_of, figures_of, moved_before
from core.state import events as ev
from core.state.release import Release, ReleaseState
from core.state.snapshot import Snapshot
from core.system.tasks import TaskGuard
from core.system.text import clean_line
from core.targets.protocol import Target
from core.work.job import Done, OutputLine, Progress

REALIAS_S = 60.0
ENDING_S = 30.0
REPORT_S = 60.0
MOVES_A_SECOND = 4.0
LEFT = ("aliases that were left",)
"""What aliases that are tried again are under way for: they give way to any step."""
log = logging.getLogger("quarterdeck")


class Snapshots(Protocol):
    """The part of the engine that a step reads."""

    def now(self) -> float:
        """Seconds since the epoch, by a clock that nobody sets."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """What is true now."""
        ...


class StepRunner:
    """At most one step's task; cancelling it ends its child too."""

    def __init__(
        self,
        store: Snapshots,
        environment: Environment,
        emit: Callable[..., Awaitable[None]],
        target: Target,
        loads: LoadControl,
    ) -> None:
        self._store = store
        self._environment = environment
        self._emit = emit
        self._target = target
        self._load_control = loads
        self._guard = TaskGuard(f"steps of {environment.endpoint}")
        self._task: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._purpose: tuple[object, ...] = ()

    def step(self, release: Release, index: int) -> None:
        """Begin a step that computes."""
        self._start(purpose(release), lambda: self._run(release.id, index))

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, nor just ending."""
        return all(task is None or task.done() for task in (self._task, self._ending))

    def realias(self, release: Release, back: bool) -> None:
        """Let the registry's aliases follow the traffic, unless they are just doing so."""
        if self._task is None or self._task.done() or self._purpose == LEFT:
            self._start(purpose(release), lambda: self._aliases(release, back))

    def realias_again(self, release: Release, back: bool) -> None:
        """Try once more what failed before, as long as no step needs the child."""
        if self.idle:
            self._start(LEFT, lambda: self._aliases(release, back))

    def _start(self, for_: tuple[object, ...], work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Begin something. It is made once it may begin: what is cancelled before that leaves nothing behind."""
        self._end_task()
        self._purpose = for_
        self._task = self._guard.start(_after(self._ending, work), f"work for {for_[0]}")

    def keep(self, for_: tuple[object, ...]) -> None:
        """End what is under way for anything else, without waiting: traffic moves meanwhile."""
        gives_way = self._purpose != for_ if self._purpose != LEFT else for_[:1] == ("aliases",)
        if gives_way:
            self._end_task()

    def _end_task(self, wanted: bool = False) -> None:
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            self._ending = self._guard.start(self._end(task, self._ending, wanted), "end the work")

    async def _end(self, task: asyncio.Task[None], before: asyncio.Task[None] | None, wanted: bool) -> None:
        await self._environment.cancel_work(wanted)
        await asyncio.wait({task} if before is None else {task, before}, timeout=ENDING_S)

    async def close(self) -> None:
        """End what is under way here and wait until it has."""
        self._end_task(wanted=True)
        if self._ending is not None:
            await asyncio.wait({self._ending}, timeout=ENDING_S)
        await self._guard.close(ENDING_S)

    async def _run(self, release: str, index: int) -> None:
        try:
            done = await self._twice(self._store.snapshot.releases[release], index)
        except (Lost, JournalError):
            raise
        except QuarterdeckError as error:
            await self._emit(ev.StepFailed(release, index, str(error), isinstance(error, BadInput)))
        except Exception as error:
            # Whatever it was, the release must learn of it: a step that ends in silence would be waited for.
            log.exception("step %s of %s", index, release)
            await self._emit(ev.StepFailed(release, index, clean_line(f"{type(error).__name__}: {error}")))
        else:
            await self._emit(*done)

    async def _twice(self, release: Release, index: int) -> tuple[ev.Body, ...]:
        """A step; where the system killed the child that did it, once more in another."""
        try:
            return await self._step(release, index)
        except Killed as killed:
            source = title(release.plan.steps[index])
            await self._emit(ev.Logged(release.endpoint, source, f"{killed}; begun again"))
            return await self._step(release, index)

    async def _step(self, release: Release, index: int) -> tuple[ev.Body, ...]:
        match release.plan.steps[index]:
            case Work(name):
                return await self._work(release, index, name)
            case Smoke(checks):
                address = await self._target.address(release.slot)
                figure = await self._environment.smoke(release, address, checks)
                return (ev.StepDone(release.id, index, figure),)
            case Load() as step:
                return await self._load_test(release, index, step)
            case Summarise():
                return (ev.StepDone(release.id, index, "report.md"),)
            case other:
                raise Failed(f"{type(other).__name__} does not compute")

    async def _work(self, release: Release, index: int, name: str) -> tuple[ev.Body, ...]:
        moved_at = 0.0
        async for said in self._environment.work(release, name, self._options(release, name)):
            match said:
                case Progress(fraction=fraction, text=text, figures=figures):
                    if figures or time.monotonic() - moved_at >= 1 / MOVES_A_SECOND:
                        moved_at = time.monotonic()
                        await self._emit(ev.StepMoved(release.id, index, text, fraction, figures))
                case OutputLine(text=text):
                    await self._emit(ev.Logged(release.endpoint, name, text))
                case Done(result=result, figure=figure):
                    facts = came_of(release, index, name, result, figure, self._store.now())
                    if name in ALIASES and not self._aliases_left() and (moved := self._moved_before(release, result)):
                        return (ev.Aliased(release.id, False, moved), *facts)
                    return facts
        raise Failed(f"{name} ended without a result")

    def _options(self, release: Release, name: str) -> Mapping[str, object]:
        if name == "evaluate" and (serving := self._serving(release)) is not None:
            options = release.options.get(name, {})
            given = options if isinstance(options, Mapping) else {}
            return {**given, "serving": f"models:/{serving.model}/{serving.number}"}
        if name in ALIASES and release.version is not None:
            aliases = self._environment.aliases
            number = release.version.number
            return {"number": number, "alias": aliases.current, "previous_alias": aliases.previous}
        if name == IMAGE and release.version is not None:
            return {"model": release.version.model, "number": release.version.number, "uri": release.version.uri}
        options = release.options.get(name, {})
        return options if isinstance(options, Mapping) else {}

    def _serving(self, release: Release) -> Version | None:
        """The version that takes the traffic now: what gates compare with, wherever an alias points."""
        return self._store.snapshot.endpoint(release.endpoint).served

    async def _load_test(self, release: Release, index: int, step: Load) -> tuple[ev.Body, ...]:
        came, verdicts = await self._load_control.test(step, release.version)
        judged = ev.Judged(release.id, index, verdicts)
        bad = [v for v in verdicts if v.outcome is not GateResult.PASS]
        result = {**figures_of(came.total), "artifacts": [str(path) for path in came.artifacts], "why": came.why}
        if bad:
            text = "; ".join(f"{v.gate.name} {v.why}" for v in bad)
            return (judged, ev.StepFailed(release.id, index, text, result=result))
        return (judged, ev.StepDone(release.id, index, f"{came.total.rps:.0f} rps", result))

    async def _aliases(self, release: Release, back: bool) -> None:
        """Move them, and say what went wrong: that ends no release, for traffic comes first; it stays pending."""
        serving, names = release.old_version if back else release.version, self._environment.aliases
        number = serving.number if serving else ""
        options: dict[str, object] = {"number": number, "alias": names.current, "previous_alias": names.previous}
        if back and release.version is not None:
            options["moved_to"] = release.version.number
        result: Mapping[str, object] = {}
        try:
            async with asyncio.timeout(REALIAS_S):
                async for said in self._environment.work(release, "restore" if back else "alias", options):
                    if isinstance(said, Done):
                        result = said.result
        except (Lost, JournalError):
            raise
        except Exception as error:
            if not isinstance(error, QuarterdeckError | TimeoutError):
                log.exception("aliases of %s", release.id)
            why = str(error) or f"no answer within {REALIAS_S:g} s"
            pended = ev.Pended(release.endpoint, ev.PendingKind.ALIASES, why, 0.0, back=back, release=release.id)
            pending = self._store.snapshot.endpoint(release.endpoint).pending
            await self._emit(replace(pended, again_at=self._store.now() + rest_s(pending, pended)))
        else:
            moved = str(result.get("moved_by_others") or "") if back else self._moved_before(release, result)
            await self._emit(ev.Aliased(release.id, back, moved))

    def _moved_before(self, release: Release, result: Mapping[str, object]) -> str:
        ours = [one for one in self._store.snapshot.releases.values() if one.endpoint == release.endpoint]
        return moved_before(release, ours, result)

    def _aliases_left(self) -> bool:
        """Whether aliases stand where they do because they could not be moved before."""
        pending = self._store.snapshot.endpoint(self._environment.endpoint).pending
        return any(one.kind is ev.PendingKind.ALIASES for one in pending)

    async def report(self, release: str) -> ev.Body:
        """Write the run folder; raises Failed and TimeoutError."""
        snapshot = self._store.snapshot
        async with asyncio.timeout(REPORT_S):
            folder = await self._environment.report(snapshot, snapshot.releases[release])
        return ev.Reported(release, str(folder))


def purpose(release: Release) -> tuple[object, ...]:
    """What work may be under way for: the release's steps or, on a way back or forward, its aliases."""
    way = release.way
    if release.state is ReleaseState.RUNNING:
        return ("a step", release.id)
    return ("aliases", release.id, release.state, way.began_at if way else None)


async def _after(ending: asyncio.Task[None] | None, work: Callable[[], Coroutine[None, None, None]]) -> None:
    """One child does all work, so what it did before must have ended.

    Lost and JournalError end the driver by its own next word; here nothing follows from them.
    """
    if ending is not None:
        await asyncio.wait({ending})
    with contextlib.suppress(Lost, JournalError):
        await work()

"""What was promised and has not come true: tried, kept in the journal while it fails, tried again until it is done."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from core.domain.errors import BadInput, JournalError, Lost, QuarterdeckError, Refused
from core.engine.environment import Environment
from core.engine.observer import Emit, Store
from core.engine.retries import rest_s
from core.engine.step_runner import StepRunner
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.events import PendingKind
from core.state.fold_pending import Key, key_of
from core.state.release import Release, ReleaseState
from core.system.tasks import TaskGuard
from core.targets.protocol import Target

CALL_S = 30.0
log = logging.getLogger("quarterdeck")


class PendingWork:
    """One endpoint's promises. One try of each at a time; nobody waits for them."""

    def __init__(
        self,
        store: Store,
        environment: Environment,
        target: Target,
        emit: Emit,
        step_runner: StepRunner,
        synced: asyncio.Event,
    ) -> None:
        self._store = store
        self._environment = environment
        self._target = target
        self._emit = emit
        self._step_runner = step_runner
        self._synced = synced
        self._guard = TaskGuard(f"what is pending for {environment.endpoint}")
        self._trying: dict[Key, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """End the tries under way; what they were for stays in the journal."""
        await self._guard.close(CALL_S)

    async def settle(self) -> None:
        """Let reports that are being written end."""
        writing = [task for (kind, _), task in self._trying.items() if kind is PendingKind.REPORT and not task.done()]
        if writing:
            await asyncio.wait(writing)

    def retire(self, endpoint: Endpoint, now: float) -> None:
        """Slots whose time has come go, unless something is under way; what can't go yet stays pending."""
        if self._store.snapshot.live_release(endpoint.name) is not None or not self._synced.is_set():
            return
        known = {one.slot for one in endpoint.pending if one.kind is PendingKind.REMOVAL}
        for slot, due in endpoint.retire.items():
            if now >= due and slot not in known and _idle(endpoint, slot):
                self.remove(slot, None)

    def look(self, endpoint: Endpoint, now: float) -> None:
        """Try again what is due, where nothing else stands in its way."""
        live = self._store.snapshot.live_release(endpoint.name)
        may_go = live is None and self._synced.is_set()
        for one in endpoint.pending:
            release = self._store.snapshot.releases.get(one.release or "")
            if now < one.again_at:
                continue
            match one.kind:
                case PendingKind.REMOVAL if one.slot is not None and may_go and _idle(endpoint, one.slot):
                    self.remove(one.slot, one.release)
                case PendingKind.REPLICAS if release is not None:
                    self.bring_back(release, one.replicas)
                case PendingKind.SIZE if one.slot is not None:
                    self.scale(one.slot, one.replicas)
                case PendingKind.REPORT if release is not None:
                    self.report(release.id)
                case PendingKind.ALIASES if release is not None and self._registry_is_free(live):
                    self._step_runner.realias_again(release, one.back)
                case _:
                    pass

    def _registry_is_free(self, live: Release | None) -> bool:
        """No step uses the work child, and no way back or forward is about to move the aliases itself."""
        return self._step_runner.idle and (live is None or live.state is ReleaseState.RUNNING)

    def bring_back(self, release: Release, replicas: int) -> None:
        """As many replicas as before for what served before; the route does not wait for it."""
        if release.old is None or release.old_version is None:
            return
        name, old, version = self._environment.endpoint, release.old, release.old_version

        async def apply() -> ev.Body:
            async with asyncio.timeout(release.plan.patience.call_s):
                await self._target.apply(old, version, replicas)
            return ev.Applied(release.id, old)

        self._try(ev.Pended(name, PendingKind.REPLICAS, "", 0.0, old, replicas, release=release.id), apply)

    def scale(self, slot: str, replicas: int) -> None:
        """The size that somebody asked for; what the target refuses is said, and asked for no more."""
        name = self._environment.endpoint

        async def scale() -> ev.Body:
            seen = self._store.snapshot.endpoint(name).slots.get(slot)
            try:
                async with asyncio.timeout(CALL_S):
                    if replicas == 0 and seen is not None and seen.version is not None:
                        # Of none a place remembers the version, which it must be told.
                        await self._target.apply(slot, seen.version, 0)
                    else:
                        await self._target.scale(slot, replicas)
            except (Refused, BadInput) as error:
                return ev.Resized(name, slot, replicas, str(error))
            return ev.Resized(name, slot, replicas)

        self._try(ev.Pended(name, PendingKind.SIZE, "", 0.0, slot, replicas), scale)

    def remove(self, slot: str, release: str | None) -> None:
        """A slot that is no longer wanted goes."""
        name = self._environment.endpoint

        async def remove() -> ev.Body:
            async with asyncio.timeout(CALL_S):
                await self._target.remove(slot)
            return ev.Removed(name, slot, release)

        self._try(ev.Pended(name, PendingKind.REMOVAL, "", 0.0, slot, release=release), remove)

    def report(self, release: str) -> None:
        """The run folder of a release."""
        asked = ev.Pended(self._environment.endpoint, PendingKind.REPORT, "", 0.0, release=release)
        self._try(asked, lambda: self._step_runner.report(release))

    def _try(self, asked: ev.Pended, work: Callable[[], Awaitable[ev.Body]]) -> None:
        """Begin a try, unless one is under way."""
        key = key_of(asked)
        running = self._trying.get(key)
        if running is None or running.done():
            self._trying[key] = self._guard.start(self._tried(asked, work), f"{asked.kind.value} {key[1] or ''}")

    async def _tried(self, asked: ev.Pended, work: Callable[[], Awaitable[ev.Body]]) -> None:
        try:
            fact = await work()
        except (Lost, JournalError):
            return  # The driver hears of it by its own next word.
        except Exception as error:
            if not isinstance(error, QuarterdeckError | TimeoutError):
                log.exception("%s", asked.kind.value)
            await self._left(asked, str(error) or f"no answer within {CALL_S:g} s")
        else:
            await self._told(fact)

    async def _left(self, asked: ev.Pended, why: str) -> None:
        again_at = self._store.now() + rest_s(self._store.snapshot.endpoint(asked.endpoint).pending, asked)
        await self._told(
            ev.Pended(asked.endpoint, asked.kind, why, again_at, asked.slot, asked.replicas, asked.back, asked.release)
        )

    async def _told(self, fact: ev.Body) -> None:
        try:
            await self._emit(fact)
        except (Lost, JournalError) as error:
            log.info("%s: %s", type(fact).__name__, error)


def _idle(endpoint: Endpoint, slot: str) -> bool:
    """Whether a slot takes no traffic, neither as it was asked for nor as it is, and no copy of any."""
    seen = endpoint.slots.get(slot)
    return (seen is None or seen.weight == seen.mirror == 0) and not endpoint.weights.get(slot)

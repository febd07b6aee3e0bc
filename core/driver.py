"""One endpoint at the wheel: what the target's watch sees is written down, and what `decide` says is done."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable
from typing import Protocol

from core import decide as d
from core import events as ev
from core.errors import Lost, QuarterdeckError, Refused, Unreachable
from core.journal import Lease
from core.loading import Loading
from core.model import Noted, Observation, Sample, Scaled
from core.plan import Hold, Shift
from core.running import Running
from core.site import Site
from core.snapshot import Endpoint, LoadState, Release, Snapshot, State
from core.targets.protocol import Target

CALL_S = 30.0
"""For so long a call to the target may take."""
KEEP_S = 120.0
"""For so long a version that was taken back stays ready, in case somebody takes that back."""
AGAIN_S = 0.5
IDLE_S = 1.0


class Desk(Protocol):
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

    def beat(self, lease: Lease) -> None:
        """Say that the driver lives."""
        ...


class Driver:
    """Drives one endpoint until it is closed or another terminal takes over (Lost); without `acts` it only watches."""

    def __init__(self, desk: Desk, site: Site, lease: Lease, acts: bool = True) -> None:
        self.site = site
        self.acts = acts
        self.lease = lease
        self._desk = desk
        self._target: Target = site.target(lease.token)
        self._loading = Loading(site, self._emit, self._target.address)
        self._running = Running(desk, site, self._emit, self._target, self._loading)
        self._pending: tuple[dict[str, float], float, str, str | None] | None = None
        self._tails: dict[str, asyncio.Task[None]] = {}
        self._opened = False

    async def run(self) -> None:
        """Everything at once, until cancelled; raises Lost or JournalError alone."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(), name="watch")
                group.create_task(self._chores(), name="chores")
                if self.acts:
                    group.create_task(self._steer(), name="steer")
                    group.create_task(self._supply(), name="load")
        except* QuarterdeckError as errors:
            raise errors.exceptions[0] from None
        finally:
            await self._close()

    async def settle(self) -> None:
        """End the load in good order before the driver is closed."""
        await self._loading.stop()

    async def _close(self) -> None:
        for task in self._tails.values():
            task.cancel()
        await self._running.close()
        await self._loading.close()
        with contextlib.suppress(QuarterdeckError, TimeoutError):
            await asyncio.wait_for(self._target.close(), CALL_S)

    async def _emit(self, *bodies: ev.Body) -> None:
        await self._desk.emit(*bodies, lease=self.lease)

    @property
    def _endpoint(self) -> Endpoint:
        return self._desk.snapshot.endpoints.get(self.site.endpoint) or Endpoint(self.site.endpoint)

    @property
    def _release(self) -> Release | None:
        return self._desk.snapshot.live_release(self.site.endpoint)

    # What is true

    async def _watch(self) -> None:
        silent = False
        while True:
            try:
                async for report in self._target.watch():
                    silent = False
                    await self._saw(report)
                return
            except Unreachable as error:
                if not silent:
                    await self._emit(ev.Logged(self.site.endpoint, "target", str(error)))
                silent = True
                await asyncio.sleep(AGAIN_S)

    async def _open(self) -> None:
        """Write down where the endpoint answers, once there is a place, and again when that may have changed."""
        try:
            address = await self._target.address()
        except Refused:
            return
        self._opened = True
        if address.url != self._endpoint.url:
            site = self.site
            opened = ev.Opened(site.endpoint, address.url, site.environment, site.kind, site.production)
            await self._emit(opened)

    async def _saw(self, report: Observation | Sample | Scaled | Noted) -> None:
        name = self.site.endpoint
        match report:
            case Observation():
                if self._endpoint.slots.get(report.slot) != report:
                    await self._emit(ev.Observed(name, report))
                await self._verify()
                if not self._opened:
                    await self._open()
            case Sample():
                await self._emit(ev.Sampled(name, report))
            case Scaled():
                await self._emit(ev.Looked(name, report))
            case Noted():
                self._opened = False
                await self._emit(ev.Remarked(name, report))

    async def _verify(self) -> None:
        """Once the watch shows what was asked for, say so, and how long it took."""
        if self._pending is None:
            return
        weights, since, what, release = self._pending
        endpoint = self._endpoint
        if endpoint.weights != weights or not d.proved(endpoint, weights):
            return
        self._pending = None
        answers = sum(seen.proved_by for seen in endpoint.slots.values())
        took_ms = max(0.0, (time.time() - since) * 1000)
        await self._emit(ev.Verified(self.site.endpoint, weights, took_ms, answers, what, release))

    # What to do

    async def _steer(self) -> None:
        while True:
            release = self._release
            if release is None or release.state is not State.RUNNING:
                # Not waited for: the way back must not stand behind a load test that takes its time to end.
                self._running.cancel()
            if release is None:
                await self._desk.change(IDLE_S)
                continue
            action = d.decide(release, self._desk.snapshot, time.time())
            if isinstance(action, d.Wait):
                left = IDLE_S if action.until is None else min(IDLE_S, max(0.01, action.until - time.time()))
                await self._desk.change(left)
            else:
                await self._act(release, action)

    async def _act(self, release: Release, action: d.Action) -> None:
        match action:
            case d.Begin(index=index):
                await self._emit(ev.StepStarted(release.id, index))
            case d.Run(index=index):
                await self._emit(ev.StepAsked(release.id, index))
                self._running.start(release.id, index)
            case d.Place(slot=slot, old=old, old_version=version, old_replicas=replicas):
                await self._emit(ev.Placed(release.id, slot, old, version, replicas))
            case d.Apply(slot=slot, version=version, replicas=replicas, index=index):
                asked = ev.Applied(release.id, slot) if index is None else ev.StepAsked(release.id, index)
                await self._ask(release, self._target.apply(slot, version, replicas), asked)
            case d.Route():
                await self._route(release, action)
            case d.Say(facts=facts):
                await self._emit(*facts)
            case d.Realias(back=back):
                await self._emit(ev.Aliased(release.id, back, await self._running.realias(release, back)))
            case d.Drop(slot=slot):
                dropped = ev.Removed(self.site.endpoint, slot, release.id)
                await self._ask(release, self._target.remove(slot), dropped)
            case d.Finish(outcome=outcome, why=why):
                await self._finish(release, outcome, why)
            case d.Wait():
                raise AssertionError("a wait is nothing to do")

    async def _ask(self, release: Release, call: Awaitable[None], *accepted: ev.Body) -> bool:
        """One call to the target, written down once it is accepted; False when it was not.

        Nobody answered: it is asked again at the next turn, until the step's deadline. A refusal fails the step.
        """
        try:
            async with asyncio.timeout(CALL_S):
                await call
        except (Unreachable, TimeoutError) as error:
            why = str(error) or f"the target did not answer within {CALL_S:g} s"
            await self._emit(ev.Logged(self.site.endpoint, "target", f"{why}; asked again"))
            await self._desk.change(AGAIN_S)
            return False
        except Lost:
            raise
        except QuarterdeckError as error:
            await self._refused(release, error)
            return False
        await self._emit(*accepted)
        return True

    async def _refused(self, release: Release, error: QuarterdeckError) -> None:
        if release.state is State.RUNNING:
            await self._emit(ev.StepFailed(release.id, release.index, str(error)))
        elif isinstance(error, Refused):
            await self._finish(release, ev.Outcome.STUCK, f"{error}: call a person")
        else:
            await self._finish(release, ev.Outcome.STUCK, str(error))

    async def _route(self, release: Release, action: d.Route) -> None:
        weights = dict(action.weights)
        way = release.way if action.index is None else None
        since = time.time() if way is None else way.asked_at or way.began_at
        self._pending = (weights, since, "route" if way is None or way.asked_at is None else "key", release.id)
        routed: list[ev.Body] = [ev.Routed(self.site.endpoint, weights, release.id)]
        if action.index is not None:
            routed.append(ev.StepAsked(release.id, action.index))
        if await self._ask(release, self._target.route(weights), *routed):
            await self._verify()

    async def _finish(self, release: Release, outcome: ev.Outcome, why: str) -> None:
        slot = release.slot
        if outcome is ev.Outcome.ROLLED_BACK and slot is not None and slot in self._endpoint.slots and release.old:
            await self._emit(ev.RetireDue(self.site.endpoint, slot, time.time() + KEEP_S))
        await self._emit(ev.Ended(release.id, outcome, why, release.folder))
        folder = await self._running.report(release.id)
        if folder:
            await self._emit(ev.Reported(release.id, folder))

    # Load, logs, and what is due

    async def _supply(self) -> None:
        """Load beside the release: starting and ending Locust takes seconds, and nothing waits for it."""
        while True:
            await self._loads()
            await self._desk.change(IDLE_S)

    async def _loads(self) -> None:
        """Background load while traffic moves; load by hand when somebody asked for it."""
        release, endpoint = self._release, self._endpoint
        kind, load = self._loading.kind, endpoint.load
        profile = self.site.background
        wanted = release is not None and profile is not None and _moves(release)
        if release is not None and profile is not None and _judged(release) and not kind and not _running(load):
            self._loading.start(profile, "background", release.version)
        elif kind == "background" and not wanted:
            await self._loading.stop()
        elif load is not None and load.running and load.kind == "manual" and not kind:
            serving = endpoint.slots.get(endpoint.serving or "")
            self._loading.start(load.profile, "manual", serving.version if serving else None, announce=False)
        await self._loading.steer(endpoint.load)

    async def _chores(self) -> None:
        while True:
            self._desk.beat(self.lease)
            endpoint, now = self._endpoint, time.time()
            for slot, due in endpoint.retire.items():
                seen = endpoint.slots.get(slot)
                if self.acts and now >= due and self._release is None and (seen is None or seen.weight == 0):
                    await self._target.remove(slot)
                    await self._emit(ev.Removed(endpoint.name, slot))
            self._follow_logs(endpoint, now)
            await self._desk.change(IDLE_S)

    def _follow_logs(self, endpoint: Endpoint, now: float) -> None:
        wanted = {source for source, until in endpoint.tails.items() if until > now}
        for source in self._tails.keys() - wanted:
            self._tails.pop(source).cancel()
        for source in wanted - self._tails.keys():
            self._tails[source] = asyncio.create_task(self._tail(source), name=f"log of {source}")

    async def _tail(self, source: str) -> None:
        slot, _, number = source.partition("-")
        try:
            async for line in self._target.logs(slot, source if number else ""):
                await self._emit(ev.Logged(self.site.endpoint, source, line))
        except QuarterdeckError as error:
            with contextlib.suppress(QuarterdeckError):
                await self._emit(ev.Logged(self.site.endpoint, source, str(error)))


def _running(load: LoadState | None) -> bool:
    return load is not None and load.running


def _judged(release: Release) -> bool:
    """Whether the release is between its first shift and its last hold, with something to compare with."""
    kinds = [type(step) for step in release.plan.steps]
    if release.state is not State.RUNNING or Hold not in kinds or release.old is None:
        return False
    last_hold = len(kinds) - 1 - kinds[::-1].index(Hold)
    return kinds.index(Shift) <= release.index <= last_hold


def _moves(release: Release) -> bool:
    """Whether background load goes on: also on the way back, to show that no request failed."""
    return release.state is State.BACK or _judged(release)

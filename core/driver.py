"""One endpoint at the wheel: what the target's watch sees is written down, and what `decide` says is done."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable
from typing import Protocol

from core import actions as d
from core import events as ev
from core.decide import decide
from core.errors import JournalError, Lost, QuarterdeckError, Refused, Unreachable
from core.journal import Lease
from core.loading import Loading
from core.model import Noted, Observation, Sample, Scaled
from core.plan import Hold, Retire, Shift
from core.running import Running, purpose
from core.site import Site
from core.snapshot import Endpoint, LoadState, Release, Snapshot, State
from core.targets.protocol import Target
from core.ways import proved

CALL_S = 30.0
"""For so long a call to the target may take."""
KEEP_S = 120.0
"""For so long a version that was taken back stays ready, in case somebody takes that back."""
REMOVE_AGAIN_S = 60.0
AGAIN_S = 0.5
IDLE_S = 1.0
log = logging.getLogger("quarterdeck")


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
        self._reporting: set[asyncio.Task[None]] = set()
        self._opened = False
        self._warm = False
        self._closed = False

    async def run(self) -> None:
        """Everything at once, until cancelled; raises Lost or JournalError alone."""
        try:
            await self._clear_up()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(), name="watch")
                group.create_task(self._chores(), name="chores")
                if self.acts:
                    group.create_task(self._steer(), name="steer")
                    group.create_task(self._supply(), name="load")
        except* QuarterdeckError as errors:
            raise errors.exceptions[0] from None
        finally:
            await self.close()

    async def settle(self) -> None:
        """End the load and the report in good order before the driver is closed."""
        await self._running.close()
        await self._loading.stop()
        if self._reporting:
            await asyncio.wait(self._reporting)

    async def close(self) -> None:
        """End every task and child, and let go of the target and the site; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        loose = {*self._tails.values(), *self._reporting}
        for task in loose:
            task.cancel()
        await self._running.close()
        await self._loading.close()
        if loose:
            await asyncio.wait(loose, timeout=CALL_S)
        for letting_go in (self._target.close(), self.site.close()):
            with contextlib.suppress(QuarterdeckError, TimeoutError):
                async with asyncio.timeout(CALL_S):
                    await letting_go

    async def _clear_up(self) -> None:
        """The load of a driver that died has died with it; only one by hand goes on."""
        load = self._endpoint.load
        if self.acts and load is not None and load.running and load.kind != "manual":
            await self._emit(ev.LoadEnded(self.site.endpoint, load.kind, "its driver is gone"))

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
            except (Lost, JournalError):
                raise
            except QuarterdeckError as error:
                # Whatever is wrong with it: without a watch nothing is known, and a deadline says so.
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
        if endpoint.weights != weights or not proved(endpoint, weights):
            return
        self._pending = None
        answers = sum(seen.proved_by for seen in endpoint.slots.values())
        took_ms = max(0.0, (time.time() - since) * 1000)
        await self._emit(ev.Verified(self.site.endpoint, weights, took_ms, answers, what, release))

    # What to do

    async def _steer(self) -> None:
        while True:
            release = self._release
            # Not waited for: the way back must not stand behind a load test that takes its time to end.
            self._running.keep(purpose(release) if release is not None else ())
            if release is None:
                await self._desk.change(IDLE_S)
                continue
            await self._verify()
            action = decide(release, self._desk.snapshot, time.time())
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
                self._running.step(release, index)
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
                self._running.realias(release, back)
                await self._desk.change(IDLE_S)
            case d.Drop(slot=slot):
                await self._drop(release, slot)
            case d.Finish(outcome=outcome, why=why):
                await self._finish(release, outcome, why)
            case d.Wait():
                raise AssertionError("a wait is nothing to do")

    async def _ask(self, release: Release, call: Awaitable[None], *accepted: ev.Body) -> bool:
        """One call to the target, written down once it is accepted; False when it was not.

        Nobody answered: it is asked again at the next turn, until the step's deadline. A refusal fails the step.
        Where the release turns meanwhile, the answer is not waited for; the call may still land, before the next one.
        """
        try:
            async with asyncio.timeout(CALL_S):
                if not await self._answered(call, purpose(release)):
                    return False
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

    async def _answered(self, call: Awaitable[None], for_: tuple[object, ...]) -> bool:
        """Whether the target accepted before the release turned round; raises what the target says."""
        asking = asyncio.ensure_future(call)
        try:
            while not asking.done():
                release = self._release
                if release is None or purpose(release) != for_:
                    return False
                changing = asyncio.create_task(self._desk.change(IDLE_S), name="hear of a change")
                try:
                    await asyncio.wait({asking, changing}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changing.cancel()
            await asking
            return True
        finally:
            asking.cancel()

    async def _refused(self, release: Release, error: QuarterdeckError) -> None:
        if release.state is State.RUNNING:
            await self._emit(ev.StepFailed(release.id, release.index, str(error)))
        else:
            await self._finish(release, ev.Outcome.STUCK, f"{error}: call a person")

    async def _drop(self, release: Release, slot: str) -> None:
        """The slot of a release that went back; traffic is back already, so a refusal is no reason for alarm."""
        try:
            async with asyncio.timeout(CALL_S):
                await self._target.remove(slot)
        except Lost:
            raise
        except (QuarterdeckError, TimeoutError) as error:
            why = str(error) or f"the target did not answer within {CALL_S:g} s"
            await self._emit(
                ev.Logged(self.site.endpoint, "target", f"{why}; tried again later"),
                ev.Removed(self.site.endpoint, slot, release.id),
                ev.RetireDue(self.site.endpoint, slot, time.time() + REMOVE_AGAIN_S),
            )
        else:
            await self._emit(ev.Removed(self.site.endpoint, slot, release.id))

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
        """The last word. The report is written beside it: a rollback may come while it is."""
        facts: list[ev.Body] = [ev.Ended(release.id, outcome, why, release.folder)]
        idle, after_s = _idle(release, outcome)
        if idle is not None and idle in self._endpoint.slots and idle not in self._endpoint.retire:
            facts.insert(0, ev.RetireDue(self.site.endpoint, idle, time.time() + after_s))
        await self._emit(*facts)
        report = asyncio.create_task(self._report(release.id), name=f"report of {release.id}")
        self._reporting.add(report)
        report.add_done_callback(self._reported)

    async def _report(self, release: str) -> None:
        folder = await self._running.report(release)
        if folder:
            await self._emit(ev.Reported(release, folder))

    def _reported(self, task: asyncio.Task[None]) -> None:
        self._reporting.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: %s", task.get_name(), error)

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
        free = not kind and not _running(load) and not self._loading.rests
        if release is not None and profile is not None and _judged(release) and free and not _stopped(release, load):
            self._loading.start(profile, "background", release.version)
        elif kind == "background" and not wanted:
            await self._loading.stop()
        elif load is not None and load.running and load.kind == "manual" and not kind:
            serving = endpoint.slots.get(endpoint.serving or "")
            self._loading.start(load.profile, "manual", serving.version if serving else None, load.source)
        await self._loading.steer(endpoint.load)

    async def _chores(self) -> None:
        while True:
            self._desk.beat(self.lease)
            endpoint, now = self._endpoint, time.time()
            for slot, due in endpoint.retire.items():
                seen = endpoint.slots.get(slot)
                if self.acts and now >= due and self._release is None and (seen is None or seen.weight == 0):
                    await self._retire(slot)
            self._follow_logs(endpoint, now)
            await self._keep_warm(now)
            await self._desk.change(IDLE_S)

    async def _keep_warm(self, now: float) -> None:
        """A child with its libraries loaded while a release may need it; none, and its memory free, a while after."""
        last = self._desk.snapshot.release_of(self.site.endpoint)
        wanted = self.acts and last is not None and (last.live or now - (last.ended_at or 0.0) < KEEP_S)
        if wanted and not self._warm:
            self.site.warm()
        elif self._warm and not wanted:
            await self.site.cancel_work()
        self._warm = wanted

    async def _retire(self, slot: str) -> None:
        name = self.site.endpoint
        try:
            async with asyncio.timeout(CALL_S):
                await self._target.remove(slot)
        except (QuarterdeckError, TimeoutError) as error:
            why = str(error) or f"the target did not answer within {CALL_S:g} s"
            again = ev.RetireDue(name, slot, time.time() + REMOVE_AGAIN_S)
            await self._emit(ev.Logged(name, "target", f"{why}; tried again later"), again)
        else:
            await self._emit(ev.Removed(name, slot))

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
        except (Lost, JournalError):
            return  # The driver hears of it by its own next word.
        except QuarterdeckError as error:
            with contextlib.suppress(QuarterdeckError):
                await self._emit(ev.Logged(self.site.endpoint, source, str(error)))


def _idle(release: Release, outcome: ev.Outcome) -> tuple[str | None, float]:
    """The slot that is left without traffic and with its replicas, and how long it is kept."""
    if outcome is ev.Outcome.ROLLED_BACK and release.old is not None:
        return release.slot, KEEP_S
    if outcome is ev.Outcome.DONE and release.way is not None:
        # A rollback was taken back: what it had brought to life again waits for its end as it did before.
        return release.old, next((s.after_s for s in release.plan.steps if isinstance(s, Retire)), KEEP_S)
    return None, 0.0


def _stopped(release: Release, load: LoadState | None) -> bool:
    """Whether an operator ended the background load of this release."""
    return load is not None and load.kind == "background" and load.stop and load.started_at >= release.began_at


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

"""One endpoint at the wheel: what the target's watch sees is written down, and what `decide` says is done."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable

from core.domain.errors import Lost, QuarterdeckError, Unreachable
from core.domain.plan import Retire
from core.engine.background_load import keep_load
from core.engine.environment import Environment
from core.engine.housekeeping import CALL_S, KEEP_S, REMOVE_AGAIN_S, Housekeeping
from core.engine.load_control import LoadControl
from core.engine.observer import AGAIN_S, Observer, Store
from core.engine.step_runner import StepRunner, purpose
from core.journal.journal import Lease
from core.rollout import actions as d
from core.rollout.decide import decide
from core.state import events as ev
from core.state.snapshot import Endpoint, Release, ReleaseState
from core.targets.protocol import Target

IDLE_S = 1.0
log = logging.getLogger("quarterdeck")


class Driver:
    """Drives one endpoint until it is closed or another terminal takes over (Lost); without `acts` it only watches."""

    def __init__(
        self, store: Store, environment: Environment, lease: Lease, acts: bool = True, options: ev.Result | None = None
    ) -> None:
        self.environment = environment
        self.acts = acts
        self.lease = lease
        self._options = options
        self._store = store
        self._target: Target = environment.target(lease.token)
        self._observer = Observer(store, environment, self._target, self._emit)
        self._housekeeping = Housekeeping(store, lease, environment, self._target, self._emit, acts)
        self._load_control = LoadControl(environment, self._emit, self._target.address)
        self._step_runner = StepRunner(store, environment, self._emit, self._target, self._load_control)
        self._reporting: set[asyncio.Task[None]] = set()
        self._closed = False
        self._began_at = time.time()

    async def run(self) -> None:
        """Everything at once, until cancelled; raises Lost or JournalError alone."""
        try:
            await self._clear_up()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._observer.run(), name="watch")
                group.create_task(self._housekeeping.run(), name="chores")
                if self.acts:
                    group.create_task(self._steer(), name="steer")
                    group.create_task(keep_load(self._store, self.environment, self._load_control), name="load")
        except* QuarterdeckError as errors:
            raise errors.exceptions[0] from None
        finally:
            await self.close()

    async def settle(self) -> None:
        """End the load and the report in good order before the driver is closed."""
        await self._step_runner.close()
        await self._load_control.leave()
        if self._reporting:
            await asyncio.wait(self._reporting)

    async def close(self) -> None:
        """End every task and child, and let go of the target and the site; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        reports = set(self._reporting)
        for task in reports:
            task.cancel()
        await self._step_runner.close()
        await self._load_control.close()
        await self._housekeeping.close()
        if reports:
            await asyncio.wait(reports, timeout=CALL_S)
        for letting_go in (self._target.close(), self.environment.close()):
            with contextlib.suppress(QuarterdeckError, TimeoutError):
                async with asyncio.timeout(CALL_S):
                    await letting_go

    async def _clear_up(self) -> None:
        """The load of a driver that died has died with it; only one by hand goes on."""
        load = self._endpoint.load
        if self.acts and load is not None and load.running and load.kind != "manual":
            await self._emit(ev.LoadEnded(self.environment.endpoint, load.kind, "its driver is gone"))

    async def _emit(self, *bodies: ev.Body) -> None:
        await self._store.emit(*bodies, lease=self.lease)

    @property
    def _endpoint(self) -> Endpoint:
        return self._store.snapshot.endpoint(self.environment.endpoint)

    @property
    def _release(self) -> Release | None:
        release = self._store.snapshot.live_release(self.environment.endpoint)
        # What surrounds this driver was made for these options; another release gets a driver of its own.
        fits = release is None or not self._options or release.options == self._options
        return release if fits else None

    async def _steer(self) -> None:
        while True:
            release = self._release
            # Not waited for: the way back must not stand behind a load test that takes its time to end.
            self._step_runner.keep(purpose(release) if release is not None else ())
            if release is None:
                await self._store.change(IDLE_S)
                continue
            await self._observer.verify()
            action = decide(release, self._store.snapshot, time.time())
            if isinstance(action, d.Wait):
                left = IDLE_S if action.until is None else min(IDLE_S, max(0.01, action.until - time.time()))
                await self._store.change(left)
            else:
                await self._act(release, action)

    async def _act(self, release: Release, action: d.Action) -> None:
        match action:
            case d.StartStep(index=index):
                await self._emit(ev.StepStarted(release.id, index))
            case d.RunStep(index=index):
                await self._emit(ev.StepAsked(release.id, index))
                self._step_runner.step(release, index)
            case d.ChooseSlot(slot=slot, old=old, old_version=version, old_replicas=replicas):
                await self._emit(ev.Placed(release.id, slot, old, version, replicas))
            case d.Apply(slot=slot, version=version, replicas=replicas, index=index):
                asked = ev.Applied(release.id, slot) if index is None else ev.StepAsked(release.id, index)
                await self._ask(release, self._target.apply(slot, version, replicas), asked)
            case d.Route():
                await self._route(release, action)
            case d.Record(facts=facts):
                await self._emit(*facts)
            case d.MoveAliases(back=back):
                self._step_runner.realias(release, back)
                await self._store.change(IDLE_S)
            case d.RemoveSlot(slot=slot):
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
            await self._emit(ev.Logged(self.environment.endpoint, "target", f"{why}; asked again"))
            await self._store.change(AGAIN_S)
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
                if not self._goes(for_):
                    return False
                changing = asyncio.create_task(self._store.change(IDLE_S), name="hear of a change")
                try:
                    await asyncio.wait({asking, changing}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changing.cancel()
            await asking
            # Turned in the very moment of the answer: what was asked for is no longer what is wanted.
            return self._goes(for_)
        finally:
            asking.cancel()

    def _goes(self, for_: tuple[object, ...]) -> bool:
        """Whether the release still goes where it went."""
        release = self._release
        return release is not None and purpose(release) == for_

    async def _refused(self, release: Release, error: QuarterdeckError) -> None:
        if not self._goes(purpose(release)):
            return
        if release.state is ReleaseState.RUNNING:
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
                ev.Logged(self.environment.endpoint, "target", f"{why}; tried again later"),
                ev.Removed(self.environment.endpoint, slot, release.id),
                ev.RetireDue(self.environment.endpoint, slot, time.time() + REMOVE_AGAIN_S),
            )
        else:
            await self._emit(ev.Removed(self.environment.endpoint, slot, release.id))

    async def _route(self, release: Release, action: d.Route) -> None:
        weights = dict(action.weights)
        way = release.way if action.index is None else None
        # A way that another driver began is timed from here: the time that nobody drove says nothing of the route.
        mine = way is not None and way.began_at >= self._began_at
        since = (way.asked_at or way.began_at) if way is not None and mine else time.time()
        what = "key" if way is not None and mine and way.asked_at is not None else "route"
        self._observer.expect(weights, since, what, release.id)
        routed: list[ev.Body] = [ev.Routed(self.environment.endpoint, weights, release.id)]
        if action.index is not None:
            routed.append(ev.StepAsked(release.id, action.index))
        if await self._ask(release, self._target.route(weights), *routed):
            await self._observer.verify()

    async def _finish(self, release: Release, outcome: ev.Outcome, why: str) -> None:
        """The last word. The report is written beside it: a rollback may come while it is."""
        facts: list[ev.Body] = [ev.Ended(release.id, outcome, why, release.folder)]
        idle, after_s = _idle(release, outcome)
        if idle is not None and idle in self._endpoint.slots and idle not in self._endpoint.retire:
            facts.insert(0, ev.RetireDue(self.environment.endpoint, idle, time.time() + after_s))
        await self._emit(*facts)
        report = asyncio.create_task(self._report(release.id), name=f"report of {release.id}")
        self._reporting.add(report)
        report.add_done_callback(self._reported)

    async def _report(self, release: str) -> None:
        folder = await self._step_runner.report(release)
        if folder:
            await self._emit(ev.Reported(release, folder))

    def _reported(self, task: asyncio.Task[None]) -> None:
        self._reporting.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: %s", task.get_name(), error)


def _idle(release: Release, outcome: ev.Outcome) -> tuple[str | None, float]:
    """The slot that is left without traffic and with its replicas, and how long it is kept."""
    if outcome is ev.Outcome.ROLLED_BACK and release.old is not None:
        return release.slot, KEEP_S
    if outcome is ev.Outcome.DONE and release.way is not None:
        # A rollback was taken back: what it had brought to life again waits for its end as it did before.
        return release.old, next((s.after_s for s in release.plan.steps if isinstance(s, Retire)), KEEP_S)
    return None, 0.0

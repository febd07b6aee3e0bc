"""One endpoint driven: what the target's watch sees is written down, and what `decide` says is done."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable

from core.domain.errors import Lost, QuarterdeckError, TakenOver
from core.domain.plan import Retire
from core.engine.background_load import keep_load
from core.engine.calls import Calls
from core.engine.environment import Environment
from core.engine.gauging import Gauging
from core.engine.housekeeping import CALL_S, KEEP_S, Housekeeping
from core.engine.load_control import LoadControl
from core.engine.observer import Observer, Store
from core.engine.pending import PendingWork
from core.engine.recovering import recover
from core.engine.step_runner import StepRunner, purpose
from core.engine.turns import stand
from core.journal.journal import Lease
from core.rollout import actions as d
from core.rollout.decide import decide
from core.rollout.rollback import what_to_do
from core.rollout.takeover import taken_by, taken_over
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.release import Release, ReleaseState, Status
from core.state.reversal import TAKEN_BACK
from core.state.together import with_others
from core.targets.protocol import Target

IDLE_S = 1.0
SYNC_S = {ReleaseState.BACK: 1.0}
"""The way back waits so long for its watch's first full report; anything else `SYNC_LATE_S`."""
SYNC_LATE_S = 30.0
LOOK_S = 0.2
log = logging.getLogger("quarterdeck")


class Driver:
    """Drives one endpoint until it is closed or another process takes over (Lost); without `acts` it only watches."""

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
        self._gauging = Gauging(store, environment, self._emit)
        self._load_control = LoadControl(environment, self._emit, self._target.address)
        self._step_runner = StepRunner(store, environment, self._emit, self._target, self._load_control)
        self._pending = PendingWork(
            store, environment, self._target, self._emit, self._step_runner, self._observer.synced
        )
        pending = self._pending if acts else None
        self._housekeeping = Housekeeping(store, lease, environment, self._target, self._emit, pending)
        self._closed = False
        self._began_s = time.monotonic()
        self._said_late = False
        self._calls = Calls(store, self._emit, lambda: self._release, environment.lacks, environment.outdated)

    async def run(self) -> None:
        """Everything at once, until cancelled; raises Lost or JournalError alone."""
        try:
            await self._clear_up()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._observer.run(), name="watch")
                group.create_task(self._housekeeping.run(), name="housekeeping")
                if self.acts:
                    group.create_task(self._steer(), name="steer")
                    left = recover(self._target, self.environment.endpoint, self._observer.synced)
                    group.create_task(left, name="recover")
                    group.create_task(self._gauging.run(), name="figures")
                    group.create_task(keep_load(self._store, self.environment, self._load_control), name="load")
        except* QuarterdeckError as errors:
            raise errors.exceptions[0] from None
        finally:
            await self.close()

    @property
    def closing(self) -> bool:
        """Whether it has begun to let go."""
        return self._closed

    async def settle(self) -> None:
        """End the load and the report in good order before the driver is closed."""
        await self._step_runner.close()
        await self._load_control.leave()
        await self._pending.settle()

    async def close(self) -> None:
        """End every task and child, and let go of the target and its surroundings; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._step_runner.close()
        await self._load_control.close()
        await self._housekeeping.close()
        await self._pending.close()
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
            stand(self._target, release)
            if release is None:
                await self._store.change(IDLE_S)
                continue
            if not await self._knows(release):
                continue
            if taken := taken_by(release, self._endpoint):
                await self._finish(release, *taken_over(release, self._endpoint, taken))
                continue
            await self._observer.verify()
            action = self._decided(release)
            if isinstance(action, d.Wait):
                left = IDLE_S if action.until is None else min(IDLE_S, max(0.01, action.until - self._store.now()))
                await self._store.change(left)
            else:
                await self._act(release, action)

    async def _knows(self, release: Release) -> bool:
        """Whether enough is known to act: all that is true was told, or that takes too long and what is heard must do.

        The way back waits for it no longer than a moment: traffic may be on a version that fails.
        """
        if self._observer.synced.is_set():
            return True
        patience_s = SYNC_S.get(release.state, SYNC_LATE_S)
        left_s = self._began_s + patience_s - time.monotonic()
        if left_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, LOOK_S)):
                    await self._observer.synced.wait()
            return False
        if not self._said_late:
            self._said_late = True
            why = f"the watch has not told all that is true within {patience_s:g} s; acting on what answers now"
            await self._emit(ev.Logged(self.environment.endpoint, "target", why))
            if release.state is ReleaseState.BACK and release.old is not None and release.old_version is not None:
                await self._observer.ask(release.old, release.old_version)
        return True

    def _decided(self, release: Release) -> d.Action:
        """What to do next. A fault in a rule fails the step, or ends the way, and is said; it is never silence."""
        try:
            return decide(release, self._observer.known(), self._store.now())
        except Exception as error:
            log.exception("what %s does next", release.id)
            why = f"{type(error).__name__}: {error} (a fault in Quarterdeck's own rules; its log has more)"
            step = release.current
            if release.state is ReleaseState.RUNNING and step is not None and step.status is not Status.FAILED:
                return d.Record((ev.StepFailed(release.id, release.index, why),))
            return d.Finish(ev.Outcome.STUCK, f"{why}; {what_to_do(release)}")

    async def _act(self, release: Release, action: d.Action) -> None:
        match action:
            case d.StartStep(index=index):
                await self._emit(ev.StepStarted(release.id, index))
            case d.RunStep(index=index):
                await self._emit(ev.StepAsked(release.id, index))
                self._step_runner.step(release, index)
            case d.ChooseSlot(slot=slot, old=old, old_version=version, old_replicas=replicas):
                await self._emit(ev.Placed(release.id, slot, old, version, replicas))
            case d.Apply(replicas=replicas, waits=False):
                await self._bring_back(release, replicas)
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
                self._pending.remove(slot, release.id)
                await self._store.change(IDLE_S)
            case d.Finish(outcome=outcome, why=why):
                await self._finish(release, outcome, why)
            case d.Wait():
                raise AssertionError("a wait is nothing to do")

    async def _ask(self, release: Release, call: Awaitable[None], *accepted: ev.Body) -> bool:
        """One call to the target, written down once it is accepted; False when it was not. A refusal fails the step."""
        try:
            if not await self._calls.ask(release, call):
                return False
        except Lost:
            raise
        except QuarterdeckError as error:
            await self._refused(release, error)
            return False
        await self._emit(*accepted)
        return True

    async def _bring_back(self, release: Release, replicas: int) -> None:
        """As many replicas as before for what takes the traffic again, asked for first and not waited for."""
        until = self._store.now() + release.plan.patience.call_s
        kind = ev.PendingKind.REPLICAS
        name, slot = self.environment.endpoint, release.old
        await self._emit(ev.Pended(name, kind, "", until, slot, replicas, release=release.id))
        self._pending.bring_back(release, replicas)

    async def _refused(self, release: Release, error: QuarterdeckError) -> None:
        if not self._calls.goes(purpose(release)):
            return
        if isinstance(error, TakenOver):
            await self._finish(release, *taken_over(release, self._endpoint, str(error)))
        elif release.state is ReleaseState.RUNNING:
            await self._emit(ev.StepFailed(release.id, release.index, str(error)))
        elif release.state is ReleaseState.FORWARD:
            turned = ev.TurnedBack(release.id, ev.Outcome.ROLLED_BACK, f"no way forward: {error}")
            await self._emit(*with_others((turned,), self._store.snapshot))
        else:
            why = release.way.why if release.way is not None else "back"
            await self._finish(release, ev.Outcome.STUCK, f"{why}; {error}; {what_to_do(release)}")

    async def _route(self, release: Release, action: d.Route) -> None:
        weights = dict(action.weights)
        way = release.way if action.index is None else None
        # Whoever pressed the key has waited since, also while nobody drove.
        pressed_at = way.asked_at if way is not None else None
        before_s = 0.0 if pressed_at is None else max(0.0, self._store.now() - pressed_at)
        what = "route" if pressed_at is None else "key"
        self._observer.expect(weights, before_s, what, release.id)
        routed: list[ev.Body] = [ev.Routed(self.environment.endpoint, weights, release.id)]
        if action.index is not None:
            routed.append(ev.StepAsked(release.id, action.index))
        if await self._ask(release, self._target.route(weights, dict(action.mirror) or None, action.sticky), *routed):
            await self._observer.verify()

    async def _finish(self, release: Release, outcome: ev.Outcome, why: str) -> None:
        """The last word. The report is written beside it: a rollback may come while it is."""
        facts: list[ev.Body] = [ev.Ended(release.id, outcome, why, release.folder)]
        idle, after_s = _idle(release, outcome)
        if idle is not None and _holds_its_own(release, idle, self._endpoint) and idle not in self._endpoint.retire:
            facts.insert(0, ev.RetireDue(self.environment.endpoint, idle, self._store.now() + after_s))
        if outcome in (*TAKEN_BACK, ev.Outcome.FAILED) and release.slot and release.slot not in self._endpoint.slots:
            # It was asked for and is not there: what may still land is not wanted.
            now = self._store.now()
            facts.append(ev.Pended(release.endpoint, ev.PendingKind.REMOVAL, "", now, release.slot, release=release.id))
        # Where this driver dies now, the next one writes the report.
        facts.append(ev.Pended(release.endpoint, ev.PendingKind.REPORT, "", self._store.now(), release=release.id))
        await self._emit(*facts)
        stand(self._target, self._release)
        self._pending.report(release.id)


def _idle(release: Release, outcome: ev.Outcome) -> tuple[str | None, float]:
    """The slot that is left without traffic and with its replicas, and how long it is kept."""
    if outcome in TAKEN_BACK:
        return release.slot, 0.0 if release.way is not None and release.way.delete else KEEP_S
    if outcome is ev.Outcome.DONE and release.way is not None and release.way.routed:
        # A rollback was taken back: what it had brought to life again waits for its end as it did before.
        return release.old, next((s.after_s for s in release.plan.steps if isinstance(s, Retire)), KEEP_S)
    return None, 0.0


def _holds_its_own(release: Release, slot: str, endpoint: Endpoint) -> bool:
    """Whether a slot holds what the release left there, and not what somebody else has put there since."""
    seen = endpoint.slots.get(slot)
    return seen is not None and seen.version == (release.version if slot == release.slot else release.old_version)

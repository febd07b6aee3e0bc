"""Alert rules looked at for every endpoint that serves: during a release, after it, and while nothing is released.

What is found is written down first, then done, then told; what a killed watch left undone the next one does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from core.alerts.course import next_alert
from core.alerts.finding import Scene, find, gone
from core.alerts.rules import Measure
from core.alerts.tally import KEEP_S, AnswerTally
from core.config.alerts import rules
from core.domain.errors import QuarterdeckError
from core.engine.engine import Engine
from core.journal.journal import Journal
from core.state import events as ev
from core.state.alert import Alert, AlertState
from core.state.endpoint import Endpoint
from core.watch.acting import act
from core.watch.notices import of_alert, of_event, receivers
from core.watch.scopes import AlertScope, Scopes

REST_S = 1.0
LATE_S = 3600.0
"""What a release did while no watch was there is told by the next one, but not if it is older than that."""
log = logging.getLogger("quarterdeck")


class Alerting:
    """One project's. `folder` is where incidents are written; `journal` is opened once, to read what came before."""

    def __init__(self, engine: Engine, scopes: Scopes, folder: Path, journal: Callable[[], Journal]) -> None:
        self._engine = engine
        self._scopes = scopes
        self._folder = folder
        self._journal = journal
        self._tallies: dict[str, AnswerTally] = {}
        self._counted: dict[tuple[str, str | None], float] = {}
        self._began_at = engine.now()
        self._looked_at: dict[str, float] = {}
        self._heard = _heard(engine)

    async def run(self) -> None:
        """Until cancelled. A fault in here ends no release."""
        await self._guarded("what was measured before", self._remember())
        while True:
            scopes = await self._read_scopes()
            for name, scope in scopes.items():
                await self._guarded(name, self.look(name, scope))
            await self._guarded("releases", self.tell_of_releases(scopes))
            await asyncio.sleep(min([REST_S, *(scope.alerts.look_s for scope in scopes.values())]))

    async def _read_scopes(self) -> Mapping[str, AlertScope]:
        try:
            return await asyncio.to_thread(self._scopes)
        except QuarterdeckError as error:
            log.warning("alerts: %s", error)
            return {}

    async def _guarded(self, what: str, work: Awaitable[None]) -> None:
        try:
            await work
        except QuarterdeckError as error:
            log.warning("alerts, %s: %s", what, error)
        except Exception:
            log.exception("alerts, %s", what)

    async def _remember(self) -> None:
        """What was answered in the last days, out of the journal: a new watch knows how fast the budget burns."""
        since = self._engine.now() - KEEP_S

        def count() -> None:
            for event in _sampled(self._journal, since):
                if isinstance(event.body, ev.Sampled):
                    self._count(event.body)

        # Nobody else counts before that is done.
        await asyncio.to_thread(count)

    def _count(self, body: ev.Sampled) -> None:
        key = (body.endpoint, body.sample.slot)
        if body.sample.at > self._counted.get(key, 0.0):
            self._counted[key] = body.sample.at
            self._tallies.setdefault(body.endpoint, AnswerTally()).add(body.sample)

    def _count_new(self, name: str) -> None:
        for (endpoint, slot), series in self._engine.snapshot.series.items():
            if endpoint != name:
                continue
            known = self._counted.get((endpoint, slot), 0.0)
            new = []
            for sample in reversed(series.samples):
                if sample.at <= known:
                    break
                new.append(sample)
            for sample in reversed(new):
                self._count(ev.Sampled(endpoint, sample))

    async def look(self, name: str, scope: AlertScope) -> None:
        """One look at one endpoint, if its time has come."""
        now = self._engine.now()
        if now - self._looked_at.get(name, float("-inf")) < scope.alerts.look_s - 0.01:
            return
        self._looked_at[name] = now
        if name not in self._engine.snapshot.endpoints:
            return
        self._count_new(name)
        snapshot = self._engine.snapshot
        endpoint, tally = snapshot.endpoint(name), self._tallies.setdefault(name, AnswerTally())
        # By what was asked for: what somebody deleted where it stands serves nobody, and is to be told of.
        serves = any(weight > 0 for weight in endpoint.weights.values())
        scene = Scene(endpoint, snapshot.release_of(name), tally, now, scope.alerts.objective, self._began_at)
        held = [rule for rule in rules(scope.alerts, scope.production) if serves or rule.measure is Measure.SMOKE]
        for rule in held:
            before = endpoint.alerts.get(rule.name)
            found = gone(before, find(rule, scene), scene)
            after = next_alert(rule, before, found, now, endpoint.hushed.get(rule.name))
            if after is not None:
                await self._say(scope, endpoint, before, after)
            latest = after or before
            if latest is not None and latest.state is AlertState.FIRED and not latest.did:
                done = await act(self._engine, self._folder, scope, tally, rule, latest, held, name)
                if done is not None:
                    await self._say(scope, endpoint, latest, done)
        why = "the rule is off" if serves else "nothing is served"
        await self._close_others(scope, endpoint, {rule.name for rule in held}, why)

    async def _close_others(self, scope: AlertScope, endpoint: Endpoint, held: set[str], why: str) -> None:
        """What no rule looks at any more is over."""
        for name, alert in endpoint.alerts.items():
            if name not in held and alert.state is not AlertState.RESOLVED:
                now = self._engine.now()
                over = replace(alert, state=AlertState.RESOLVED, at=now, due_at=now, why=why)
                await self._say(scope, endpoint, alert, replace(over, will=""))

    async def _say(self, scope: AlertScope, endpoint: Endpoint, before: Alert | None, alert: Alert) -> None:
        """Written down, with who is to be told of it, in one go."""
        facts: list[ev.Body] = [ev.Alerted(endpoint.name, alert)]
        notice = of_alert(alert, before, endpoint.name, scope.environment)
        if notice is not None and (to := receivers(scope.alerts, notice.topic)):
            facts.append(ev.Promised(endpoint.name, notice, to))
        await self._engine.emit(*facts)

    async def tell_of_releases(self, scopes: Mapping[str, AlertScope]) -> None:
        """Began, ended, asks: promised to be told, each once."""
        after, snapshot, now = self._heard, self._engine.snapshot, self._engine.now()
        for event in self._engine.since(after):
            self._heard = max(self._heard, event.seq)
            notice = of_event(event, snapshot)
            scope = scopes.get(notice.endpoint) if notice is not None else None
            if notice is None or scope is None or now - event.at > LATE_S:
                continue
            if to := receivers(scope.alerts, notice.topic):
                await self._engine.emit(ev.Promised(notice.endpoint, notice, to, event.seq))


def _heard(engine: Engine) -> int:
    """The last fact that people know of: what an earlier watch told, else all but the releases under way."""
    snapshot = engine.snapshot
    told = max([one.told_seq for one in snapshot.endpoints.values()], default=0)
    return told or min([one.began_seq - 1 for one in snapshot.releases.values() if one.live], default=snapshot.seq)


def _sampled(opened: Callable[[], Journal], since: float) -> list[ev.Event]:
    journal = opened()
    try:
        return journal.samples(since)
    finally:
        journal.close()

"""What an alert does once it fired: goes back by the door that people use, or asks the endpoint itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.alerts.course import acted
from core.alerts.rules import GOES_BACK, Does, Measure, Rule
from core.alerts.tally import AnswerTally
from core.alerts.way_back import earlier, going_back, why_not
from core.domain.errors import QuarterdeckError
from core.engine.engine import Engine
from core.state import commands as c
from core.state.alert import Alert, Topic
from core.watch.incident import write_incident
from core.watch.scopes import AlertScope

PAGES = "pages instead of going back"


async def act(
    engine: Engine,
    folder: Path,
    scope: AlertScope,
    tally: AnswerTally,
    rule: Rule,
    alert: Alert,
    held: Sequence[Rule],
    name: str,
) -> Alert | None:
    """The alert once that is done; None where its rule does nothing but tell."""
    if rule.measure is Measure.REQUESTS:
        did = await scope.probe() if scope.probe is not None else "nobody can ask here"
    elif rule.measure is Measure.SMOKE:
        release = engine.snapshot.release_of(name)
        did = f"{release.id if release is not None else 'the release'} goes back by itself"
    elif rule.does in GOES_BACK:
        did = await _go_back(engine, folder, tally, rule, alert, name)
        if sooner := earlier(engine.snapshot.endpoint(name).alerts, held, rule):
            did = f"{did}; {sooner}"
    else:
        return None
    done = acted(alert, did, engine.now())
    return replace(done, topic=Topic.PAGE) if did.startswith(PAGES) else done


async def _go_back(engine: Engine, folder: Path, tally: AnswerTally, rule: Rule, alert: Alert, name: str) -> str:
    """What was done, in words. Where a way back would be no better, people are paged and told why."""
    snapshot, now = engine.snapshot, engine.now()
    live = snapshot.live_release(name)
    in_steps = live is not None and live.way is not None and bool(live.way.shares)
    if (going := going_back(snapshot, name)) and not (in_steps and rule.does is Does.ROLLBACK):
        return f"{going} is on its way back already"
    if not going and (refused := why_not(rule, snapshot, name, tally, now)):
        return f"{PAGES}: {refused}"
    steps = (rule.shares, rule.pause_s) if rule.does is Does.GRADUAL else ((), 0.0)
    try:
        await engine.do(c.Rollback(name, None, f"{rule.name}: {alert.why}", *steps), who=f"alert {rule.name}")
    except QuarterdeckError as error:
        return f"{PAGES}: {error}"
    how = "goes back in steps" if steps[0] else "goes back at once"
    try:
        path = await asyncio.to_thread(write_incident, folder, engine.snapshot, name, rule, alert, now)
    except QuarterdeckError as error:
        return f"{how}; no incident file: {error}"
    return f"{how}; incident in {path}"

"""How an alert goes on after a look: quiet, pending, fired, silenced, escalated, resolved. Pure."""

from dataclasses import replace

from core.alerts.finding import Finding
from core.alerts.rules import GOES_BACK, Rule
from core.state.alert import Alert, AlertState, Hush, Topic

LOUDEST = 6
"""So often what lasts doubles the time until it is told again."""


def next_alert(rule: Rule, before: Alert | None, finding: Finding, now: float, hush: Hush | None) -> Alert | None:
    """The alert after a look; None where it stays as it was, if only because nothing could be measured."""
    open_ = before is not None and before.state is not AlertState.RESOLVED
    if finding.bad is None:
        return None
    if not finding.bad:
        return _resolved(before, finding, now) if open_ and before is not None else None
    if before is None or not open_:
        since = min(now, finding.since if finding.since is not None else now)
        began = Alert(rule.name, AlertState.PENDING, since, now, since + rule.for_s, finding.text, rule.will)
        pending = replace(began, topic=rule.topic)
        return _fired(rule, pending, finding, now, hush) if now >= pending.due_at else pending
    match before.state:
        case AlertState.PENDING:
            return _fired(rule, before, finding, now, hush) if now >= before.due_at else None
        case AlertState.SILENCED:
            return None if _hushed(hush, now) else _fired(rule, before, finding, now, None)
        case _ if _hushed(hush, now):
            return _silenced(before, finding, now, hush)
        case AlertState.FIRED if rule.does in GOES_BACK and not before.did:
            return None  # What is to be done about it comes first.
        case _ if now >= before.due_at:
            times = before.times + 1
            due_at = now + rule.escalate_s * 2 ** min(times, LOUDEST)
            again = replace(before, state=AlertState.ESCALATED, at=now, due_at=due_at, why=finding.text, times=times)
            return again if before.topic is Topic.TICKET else replace(again, topic=Topic.PAGE)
        case _:
            return None


def acted(alert: Alert, did: str, now: float) -> Alert:
    """The alert once something was done about it."""
    return replace(alert, state=AlertState.ACTED, did=did, at=now)


def _hushed(hush: Hush | None, now: float) -> bool:
    return hush is not None and now < hush.until


def _fired(rule: Rule, alert: Alert, finding: Finding, now: float, hush: Hush | None) -> Alert:
    if _hushed(hush, now):
        return _silenced(alert, finding, now, hush)
    again = "told again while it lasts" if rule.does not in GOES_BACK else rule.will
    fired = replace(alert, state=AlertState.FIRED, at=now, due_at=now + rule.escalate_s, why=finding.text, will=again)
    return replace(fired, did="", times=0)


def _silenced(alert: Alert, finding: Finding, now: float, hush: Hush | None) -> Alert:
    until, reason = (hush.until, hush.reason) if hush is not None else (now, "")
    will = f"nothing, silenced by {hush.by if hush else 'somebody'}{': ' + reason if reason else ''}"
    return replace(alert, state=AlertState.SILENCED, at=now, due_at=until, why=finding.text, will=will)


def _resolved(before: Alert, finding: Finding, now: float) -> Alert:
    return replace(before, state=AlertState.RESOLVED, at=now, due_at=now, why=finding.text, will="")

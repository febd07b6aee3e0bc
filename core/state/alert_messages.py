"""Facts about alerts in words, for the log pane and for plain lines."""

import time

from core.state import events as ev
from core.state.alert import Alert, AlertState, Topic


def clock(at: float) -> str:
    """A moment of today; a year that no clock knows must not break what reads the journal."""
    try:
        return time.strftime("%H:%M:%S", time.localtime(at))
    except (OSError, OverflowError, ValueError):
        return "some time"


def of_alert(body: ev.Body, who: str) -> tuple[str, str, str] | None:
    """What a fact is about, what it says, and how loud it is; None for what nobody needs to read."""
    match body:
        case ev.Alerted(alert=alert):
            return "alert", said(alert), _level(alert)
        case ev.Silenced(rule=rule, until=until, reason=reason):
            because = f": {reason}" if reason else ""
            if until is None:
                return "alert", f"{who} lets {rule} speak again{because}", "info"
            return "alert", f"{who} silenced {rule} until {clock(until)}{because}", "warning"
        case ev.Told(notice=notice, receiver=receiver, after_s=after_s):
            return "told", f"{receiver}: {notice}, {after_s:.1f} s after it came true", "info"
        case ev.TellingFailed(notice=notice, receiver=receiver, why=why, dead=dead):
            then = "given up; it lies in .quarterdeck/dead-letters.jsonl" if dead else "tried again"
            return "told", f"{receiver} did not get {notice}: {why}; {then}", "error" if dead else "warning"
        case ev.Overtaken(notice=notice, receiver=receiver, why=why):
            return "told", f"{receiver} is not told {notice} so late: {why}", "info"
        case _:
            return None


def said(alert: Alert) -> str:
    """An alert in a line: its rule, how far it is, what was measured, what was done or will be, and when."""
    parts = [f"{alert.rule} {alert.state.value}: {alert.why}"]
    if alert.did:
        parts.append(alert.did)
    elif alert.will and alert.state is not AlertState.RESOLVED:
        when = f" at {clock(alert.due_at)}" if alert.state is AlertState.PENDING else ""
        parts.append(f"{alert.will}{when}")
    return "; ".join(parts)


def _level(alert: Alert) -> str:
    if alert.state is AlertState.RESOLVED:
        return "info"
    loud = alert.burns and alert.topic is not Topic.TICKET
    return "error" if loud else "warning"

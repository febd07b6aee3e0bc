"""Alerts on the deck: a line each, with what it will do and in how long; what burns stands first."""

from core.state.alert import Alert, AlertState, Topic
from core.state.endpoint import Endpoint
from tui import format as as_text
from tui.styled import Line, cut, fitting
from tui.view import View

MOST = 3
SIGNS = {AlertState.PENDING: ("◔", "waits"), AlertState.SILENCED: ("◌", "dim")}


def open_alerts(endpoint: Endpoint | None) -> list[Alert]:
    """What is not over, the loudest first, then what comes first."""
    known = endpoint.alerts.values() if endpoint is not None and endpoint.slots else ()
    found = [one for one in known if one.state is not AlertState.RESOLVED]
    return sorted(found, key=lambda one: (not one.burns, one.state is AlertState.SILENCED, one.due_at))


def lines(view: View, width: int) -> list[Line]:
    """At the most `MOST` of them, and how many more there are."""
    found = open_alerts(view.endpoint)
    more = len(found) - MOST
    shown = found if more <= 0 else found[: MOST - 1]
    rows = [_line(one, view.now, width) for one in shown]
    if len(shown) < len(found):
        rows.append(((f"and {len(found) - len(shown)} more: quarterdeck alerts", "dim"),))
    return rows


def loudest(view: View) -> Line:
    """What fired and goes on, for the top line; tickets wait."""
    found = [one for one in open_alerts(view.endpoint) if one.burns and one.topic is not Topic.TICKET]
    if not found:
        return ()
    more = f" +{len(found) - 1}" if len(found) > 1 else ""
    return ((f"✖ alert {found[0].rule}{more}", "fails"), ("   ", "text"))


def _line(alert: Alert, now: float, width: int) -> Line:
    sign, role = SIGNS.get(alert.state, ("✖", "waits" if alert.topic is Topic.TICKET else "fails"))
    head: Line = ((f"{sign} ", role), (alert.rule, role))
    left = as_text.span(alert.due_at - now)
    match alert.state:
        case AlertState.PENDING:
            tail: Line = ((f" {left} ", "strong"), (f"then {alert.will}", "dim"))
        case AlertState.SILENCED:
            tail = ((f" {left} ", "strong"), ("silenced", "dim"))
        case _:
            tail = ((f" {as_text.about(now - alert.since)} ", "strong"), (alert.did or alert.why, "dim"))
    room = max(0, width - sum(len(text) for text, _ in (*head, tail[0])))
    last = cut(tail[1][0], room)
    return fitting([(0, head), (0, (tail[0],)), (1, ((last, tail[1][1]),))], width)

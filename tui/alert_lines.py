"""Alerts on the deck: a line each, with what it will do and in how long; what burns stands first."""

from core.state.alert import Alert, AlertState, Topic
from core.state.endpoint import Endpoint
from tui import format as as_text
from tui.styled import Line, cut, fitting, width as cells_of, wrapped
from tui.view import View

MOST, INDENT = 3, 2
SIGNS = {AlertState.PENDING: ("◔", "waits"), AlertState.SILENCED: ("◌", "dim")}


def open_alerts(endpoint: Endpoint | None) -> list[Alert]:
    """What is not over, the loudest first, then what comes first."""
    # What serves and was deleted where it stands still has its alerts.
    serves = endpoint is not None and (bool(endpoint.slots) or any(endpoint.weights.values()))
    known = endpoint.alerts.values() if endpoint is not None and serves else ()
    found = [one for one in known if one.state is not AlertState.RESOLVED]
    return sorted(found, key=lambda one: (not one.burns, one.state is AlertState.SILENCED, one.due_at))


def lines(view: View, width: int, spare: int = 0) -> list[Line]:
    """At the most `MOST` of them, and how many more there are; what does not fit goes on in up to `spare` lines."""
    found = open_alerts(view.endpoint)
    more = len(found) - MOST
    shown = found if more <= 0 else found[: MOST - 1]
    rows: list[Line] = []
    for one in shown:
        head, said = _head(one, view.now)
        whole: Line = (*head, (said, "dim"))
        rest = wrapped(said, max(8, width - INDENT), "dim") if cells_of(whole) > width else []
        if 0 < len(rest) <= spare:
            spare -= len(rest)
            rows += [head, *(((" " * INDENT, "dim"), *line) for line in rest)]
        else:
            last = cut(said, max(0, width - cells_of(head)))
            rows.append(fitting([(0, head), (1, ((last, "dim"),))], width))
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


def _head(alert: Alert, now: float) -> tuple[Line, str]:
    """Its name and how long, and what else there is to say."""
    sign, role = SIGNS.get(alert.state, ("✖", "waits" if alert.topic is Topic.TICKET else "fails"))
    head: Line = ((f"{sign} ", role), (alert.rule, role))
    left = as_text.span(alert.due_at - now)
    match alert.state:
        case AlertState.PENDING:
            span, said = left, f"then {alert.will}"
        case AlertState.SILENCED:
            span, said = left, "silenced"
        case _:
            span, said = as_text.about(now - alert.since), alert.did or alert.why
    return (*head, (f" {span} ", "strong")), said

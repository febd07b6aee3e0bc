"""What a fact makes of an endpoint's alerts, silences and notices. Pure."""

from dataclasses import replace

from core.state import events as ev
from core.state.alert import FailingReceiver, Hush, Untold
from core.state.endpoint import Endpoint


def of_alerts(endpoint: Endpoint, event: ev.Event) -> Endpoint:
    """The endpoint after one more fact about its alerts; the same one where the fact is about something else."""
    body = event.body
    match body:
        case ev.Alerted(alert=alert):
            return replace(endpoint, alerts={**endpoint.alerts, alert.rule: alert})
        case ev.Silenced(rule=rule, until=until, reason=reason):
            kept = {name: hush for name, hush in endpoint.hushed.items() if name != rule and hush.until > event.at}
            added = {} if until is None else {rule: Hush(until, event.who, reason)}
            return replace(endpoint, hushed={**kept, **added})
        case ev.Promised(notice=notice, receivers=receivers, of_seq=of_seq):
            new = tuple(Untold(notice, name) for name in receivers)
            known = {(one.notice.id, one.receiver) for one in endpoint.untold}
            added_ones = tuple(one for one in new if (one.notice.id, one.receiver) not in known)
            heard = max(endpoint.told_seq, of_seq)
            return replace(endpoint, untold=(*endpoint.untold, *added_ones), told_seq=heard)
        case ev.Told(notice=id_, receiver=receiver):
            others = {name: one for name, one in endpoint.failing.items() if name != receiver}
            return replace(endpoint, untold=_without(endpoint.untold, id_, receiver), failing=others)
        case ev.Overtaken(notice=id_, receiver=receiver):
            return replace(endpoint, untold=_without(endpoint.untold, id_, receiver))
        case ev.TellingFailed(notice=id_, receiver=receiver, why=why, dead=dead):
            failing = {**endpoint.failing, receiver: _failing(endpoint.failing.get(receiver), body, event.at)}
            tried = (
                replace(one, tries=one.tries + 1, why=why) if (one.notice.id, one.receiver) == (id_, receiver) else one
                for one in endpoint.untold
            )
            left = _without(endpoint.untold, id_, receiver) if dead else tuple(tried)
            return replace(endpoint, untold=left, failing=failing)
        case _:
            return endpoint


def _without(untold: tuple[Untold, ...], notice: str, receiver: str) -> tuple[Untold, ...]:
    return tuple(one for one in untold if (one.notice.id, one.receiver) != (notice, receiver))


def _failing(before: FailingReceiver | None, failed: ev.TellingFailed, at: float) -> FailingReceiver:
    """A try beside the waits, of a new notice, makes the next wait no longer."""
    if before is None:
        return FailingReceiver(at, failed.why, failed.again_at)
    waits = before.waits + (failed.again_at > before.again_at)
    return FailingReceiver(before.since, failed.why, failed.again_at, waits)

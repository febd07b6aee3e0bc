"""What a fact makes of an endpoint's alerts, silences and notices. Pure."""

from dataclasses import replace

from core.state import events as ev
from core.state.alert import Hush, Untold
from core.state.endpoint import Endpoint


def of_alerts(endpoint: Endpoint, event: ev.Event) -> Endpoint:
    """The endpoint after one more fact about its alerts; the same one where the fact is about something else."""
    match event.body:
        case ev.Alerted(alert=alert):
            return replace(endpoint, alerts={**endpoint.alerts, alert.rule: alert})
        case ev.Silenced(rule=rule, until=until, reason=reason):
            others = {name: hush for name, hush in endpoint.hushed.items() if name != rule and hush.until > event.at}
            added = {} if until is None else {rule: Hush(until, event.who, reason)}
            return replace(endpoint, hushed={**others, **added})
        case ev.Promised(notice=notice, receivers=receivers, of_seq=of_seq):
            new = tuple(Untold(notice, name, event.at) for name in receivers)
            known = {(one.notice.id, one.receiver) for one in endpoint.untold}
            added_ones = tuple(one for one in new if (one.notice.id, one.receiver) not in known)
            heard = max(endpoint.told_seq, of_seq)
            return replace(endpoint, untold=(*endpoint.untold, *added_ones), told_seq=heard)
        case ev.Told(notice=id_, receiver=receiver) | ev.TellingFailed(notice=id_, receiver=receiver, dead=True):
            left = tuple(one for one in endpoint.untold if (one.notice.id, one.receiver) != (id_, receiver))
            return replace(endpoint, untold=left)
        case ev.TellingFailed(notice=id_, receiver=receiver, why=why, again_at=again_at):
            return replace(
                endpoint,
                untold=tuple(
                    replace(one, tries=one.tries + 1, why=why, again_at=again_at)
                    if (one.notice.id, one.receiver) == (id_, receiver)
                    else one
                    for one in endpoint.untold
                ),
            )
        case _:
            return endpoint

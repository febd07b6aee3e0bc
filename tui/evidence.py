"""What is known of a service now: who answered in the last seconds, at the router and at the client, and who is silent.

Nothing here is older than it says. What is not known is None, never a good sign.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.domain.model import Contact, Slot
from core.domain.sample import Series, add_counts
from tui.history import UNWATCHED_S, answered_at
from tui.view import View

LATELY_S = 3.0
"""Over so many seconds answers are counted, and over up to `FEW_S` until there are `ENOUGH`."""
FEW_S = 15.0
ENOUGH = 20
SILENT_S = 5.0
"""While traffic flows a target says something each second; after so long without, it is not heard from."""
NO_CONTACT_S = 12.0
"""A place that gives signs of life every few seconds is not heard from after so long without."""
NO_ANSWER_S = 2.0
STARTS_S = 10.0
"""A load takes its time to send its first request."""
PATIENCE = 6.0
"""Users who wait between their requests leave gaps; so many times the usual one is no such gap."""
USUAL_S = 60.0


@dataclass(frozen=True, slots=True)
class RecentAnswers:
    """What a source counted lately: requests, and how many of them failed, by kind."""

    requests: int
    failed: Mapping[str, int]

    @property
    def failed_percent(self) -> float:
        """Failures in percent of requests; 0 without a request."""
        return 100 * sum(self.failed.values()) / self.requests if self.requests else 0.0


def lately(series: Series, now: float, after: float = 0.0) -> RecentAnswers | None:
    """What users were answered in the last seconds, and `after` a moment; None when nothing was."""
    requests = 0
    failed: Mapping[str, int] = {}
    for sample in reversed(series.samples):
        age, fresh_s = now - sample.at, max(LATELY_S, 2 * sample.seconds)
        if sample.at <= after or age > FEW_S or (age >= fresh_s and (requests >= ENOUGH or not requests)):
            break
        if sample.mirrored:
            continue
        requests, failed = requests + sample.requests, add_counts(failed, sample.failed)
    return RecentAnswers(requests, failed) if requests else None


def at_the_client(view: View) -> RecentAnswers | None:
    """What the load counted lately; since traffic moved, if it counted anything since."""
    series, moved = view.series(None), _moved(view)
    return lately(series, view.now, moved) or lately(series, view.now)


def at_the_router(view: View, slot: Slot) -> RecentAnswers | None:
    """What the router counted lately for a slot."""
    series = view.series(slot)
    return lately(series, view.now, _moved(view)) or lately(series, view.now)


def in_a_minute(view: View) -> RecentAnswers | None:
    """What users were answered in the last minute, since traffic moved; at the router where no load counted it."""
    since = max(_moved(view), view.now - USUAL_S)
    slots = view.endpoint.slots if view.endpoint else {}
    client = _counted([view.series(None)], since)
    return client or _counted([view.series(slot) for slot in slots], since)


def _counted(sources: Iterable[Series], since: float) -> RecentAnswers | None:
    requests, failed = 0, 0
    for series in sources:
        for sample in reversed(series.samples):
            if sample.at <= since:
                break
            if not sample.mirrored:
                requests, failed = requests + sample.requests, failed + sample.failures
    return RecentAnswers(requests, {"": failed}) if requests else None


def _moved(view: View) -> float:
    endpoint = view.endpoint
    return (endpoint.verified_at or 0.0) if endpoint is not None else 0.0


def sends_load(view: View) -> bool:
    """Whether load of ours is asked for now, with users who send something."""
    load = view.endpoint.load if view.endpoint else None
    if load is None or not load.running or load.paused or load.stop:
        return False
    last = view.series(None).last
    # How many users a Locust of somebody else's has only its samples say.
    return load.users > 0 or (load.source.attach != "" and last is not None and (last.users or 0) > 0)


def no_answer_s(view: View) -> float | None:
    """For how long nothing has answered the load; None while answers come, or nobody asks."""
    if not sends_load(view):
        return None
    begun = _begun(view)
    since = max(begun, _answered(view))
    series = view.series(None)
    first = series.last is None or series.last.at <= begun
    limit = STARTS_S if first and since <= begun else _patience_s(series, since)
    gone = view.now - since
    return gone if gone >= limit else None


def none_arrives(view: View) -> bool:
    """Whether the load gets answers from somewhere, and those that it is for say that nobody asked them.

    Its address leads elsewhere, or what stands before them answers.
    """
    client, sent_s = at_the_client(view), view.now - _begun(view)
    if client is None or client.requests < ENOUGH or not sends_load(view) or sent_s <= FEW_S:
        return False
    taking = [seen.slot for seen in view.endpoint.slots.values() if seen.weight > 0] if view.endpoint else []
    counted = (view.series(slot).last for slot in taking)
    fresh = all(last is not None and view.now - last.at <= LATELY_S + last.seconds for last in counted)
    return bool(taking) and fresh and all(at_the_router(view, slot) is None for slot in taking)


def load_quiet_s(view: View) -> float:
    """For how long the load has not said what it counted."""
    last = view.series(None).last
    return view.now - max(_begun(view), last.at if last is not None else 0.0)


def _begun(view: View) -> float:
    """Since when load is sent without a break."""
    load = view.endpoint.load if view.endpoint else None
    return max(load.started_at if load else 0.0, view.history.sending.get(view.name or "", 0.0))


def _answered(view: View) -> float:
    slots = view.endpoint.slots if view.endpoint else {}
    return max(view.answered_at(None), *(view.answered_at(slot) for slot in slots), 0.0)


def _patience_s(series: Series, last_answer: float) -> float:
    """How long a gap between answers may be, by how often they came in the minute before it."""
    requests, first, covered = 0, last_answer, 1.0
    for sample in reversed(series.samples):
        if sample.at <= last_answer - USUAL_S:
            break
        if answered_at(sample) <= last_answer:
            requests, first, covered = requests + sample.requests, sample.at, sample.seconds
    usual_s = (last_answer - first + covered) / requests if requests else 0.0
    return max(NO_ANSWER_S, 2 * covered if requests else 0.0, PATIENCE * usual_s)


def answers_well(view: View) -> bool:
    """Whether something answered just now: what is called healthy needs that."""
    if sends_load(view) and no_answer_s(view) is None and _answered(view) > max(_begun(view), view.now - USUAL_S):
        return True
    slots = view.endpoint.slots if view.endpoint else {}
    return at_the_client(view) is not None or any(at_the_router(view, slot) is not None for slot in slots)


def silent_s(view: View) -> float | None:
    """For how long nothing was heard of the target, when that is too long; None while it is heard."""
    endpoint = view.endpoint
    if endpoint is None or not endpoint.slots:
        return None
    heard = view.heard_at
    gone = view.now - (view.snapshot.at if heard is None else heard)
    if view.lost:
        return max(0.0, gone)
    contact = endpoint.contact
    if contact is not None and (contact.lost or not contact.every_s):
        # A place that says so is silent since its last word, and not since what we said of it.
        gone = view.now - max(contact.at, 0.0 if contact.lost else heard or 0.0)
        return gone if contact.lost or gone > NO_CONTACT_S else None
    looks = [scaled.next_look_s for scaled in endpoint.scaled.values()]
    looks += [] if contact is None else [contact.every_s]
    # A place that is asked now and then says no more while traffic flows.
    busy = _busy(view) and contact is None
    limit = SILENT_S if busy else max([UNWATCHED_S, *(2 * look for look in looks)])
    return gone if gone > limit else None


def no_contact_s(contact: Contact) -> float:
    """How old the last word of a place that says when it was heard may be."""
    return max(NO_CONTACT_S, 2 * contact.every_s)


def counts(view: View) -> bool:
    """Whether what users are answered is counted, whoever they are; else only what comes through here is."""
    contact = view.endpoint.contact if view.endpoint is not None else None
    return contact is None or contact.counts


def no_word_s(view: View) -> float:
    """For how long nothing at all was written down of the endpoint: neither by its target nor by its load."""
    last = view.series(None).last
    return view.now - max(view.heard_at or 0.0, last.at if last is not None else 0.0)


def _busy(view: View) -> bool:
    """Whether the target has something to say each second: traffic flows, or did when it was last heard."""
    return sends_load(view) or _last_asked(view) is not None


def uncounted_s(view: View) -> float | None:
    """For how long nobody has counted at the router, where requests came when it was last counted.

    None while it is counted, where the last count was of none, where it is so long ago that it tells nothing, and at
    a place that counts only what comes through here, and only while it comes.
    """
    asked = _last_asked(view) if counts(view) else None
    gone = view.now - asked if asked is not None else 0.0
    return gone if LATELY_S <= gone <= FEW_S else None


def _last_asked(view: View) -> float | None:
    """When the router was last counted, if it had requests then; None where it had none."""
    last = [sample for slot in (view.endpoint.slots if view.endpoint else {}) if (sample := view.series(slot).last)]
    newest = max((sample.at for sample in last), default=0.0)
    return newest if any(sample.requests > 0 for sample in last if sample.at == newest) else None


def driver(view: View) -> str:
    """What to call whoever holds the endpoint: it drives a release, or it only watches."""
    return "its driver" if view.release is not None and view.release.live else "the watch"


def nobody_drives(view: View) -> bool:
    """Whether a release is under way that nobody takes further: its driver left, or nothing at all is written."""
    release, endpoint = view.release, view.endpoint
    if release is None or endpoint is None or not release.live:
        return False
    left = endpoint.driver == "" and view.driven_since is not None
    return left or (silent_s(view) is not None and view.now - view.snapshot.at > 2 * SILENT_S)

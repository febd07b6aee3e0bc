"""Whether the service is well, which is another matter than whether a release is. Green needs an answer just now."""

from core.domain.model import Observation, ReplicaState
from core.state.gone import gone_slots
from core.state.moved_traffic import MovedTraffic, moved_traffic
from tui import format as as_text
from tui.evidence import (
    NO_ANSWER_S,
    RecentAnswers,
    answers_well,
    at_the_client,
    at_the_router,
    counts,
    in_a_minute,
    load_quiet_s,
    no_answer_s,
    no_word_s,
    none_arrives,
    sends_load,
    silent_s,
    uncounted_s,
)
from tui.styled import Line
from tui.theme import slot_role
from tui.view import View

FAILING_PERCENT = 5.0


def health(view: View) -> Line:
    """In a few words, what is worst first: what clients meet, then what is not known, then what could be better."""
    endpoint = view.endpoint
    if endpoint is None or not endpoint.slots:
        return _deleted(view, serving=True) or (("◦ nothing is served", "dim"),)
    taking = [seen for seen in endpoint.slots.values() if seen.weight > 0]
    unheard = silent_s(view)
    mute = no_word_s(view)
    # Where not even the load's own count comes, it is our watch that is silent: nothing is known of who calls.
    if unheard is None and sends_load(view) and mute > NO_ANSWER_S and no_answer_s(view) is not None:
        unheard = mute
    wrong = (_deleted(view, serving=True) if unheard is None else ()) or _at_clients(view, taking, unheard is not None)
    if wrong:
        return wrong
    if unheard is not None:
        return (("? ", "waits"), (f"not heard from for {as_text.about(unheard)}", "waits"))
    if not taking:
        return (("◦ no traffic", "dim"),)
    ill = next((seen for seen in taking if _ill(seen)), None)
    if ill is not None:
        return (("! ", "moves"), (f"degraded: {ill.ready} of {ill.due} ready", "moves"))
    if (elsewhere := moved(view)) is not None:
        return (
            ("! ", "moves"),
            ("traffic proved no more" if elsewhere.unproved else "traffic moved elsewhere", "moves"),
        )
    if not answers_well(view):
        return _unanswered(view)
    if lost := _deleted(view, serving=False):
        return lost
    share = _failing(in_a_minute(view))
    if share is not None:
        return (("! ", "moves"), (f"unsteady: {as_text.share(share)} failed in a minute", "moves"))
    return (("● ", "good"), *_well(view, taking))


def _well(view: View, taking: list[Observation]) -> Line:
    """What most callers get; of versions that get as much each is named, what is on its way last."""
    sent = view.endpoint.weights if view.endpoint is not None else {}
    most = max((seen.weight, sent.get(seen.slot, 0.0)) for seen in taking)
    new = view.release.slot if view.release is not None and view.release.live else None
    main = [seen for seen in taking if (seen.weight, sent.get(seen.slot, 0.0)) == most]
    main.sort(key=lambda seen: seen.slot == new)
    role = slot_role(main[0].slot) if len(main) == 1 else "strong"
    return ((f"healthy {', '.join(_label(seen) for seen in main)}", role),)


def moved(view: View) -> MovedTraffic | None:
    """Traffic that somebody else moved; None where it is as it was sent."""
    return None if view.endpoint is None else moved_traffic(view.snapshot, view.endpoint, view.now)


def _unanswered(view: View) -> Line:
    """Why nothing is known to answer just now."""
    if no_answer_s(view) is not None:
        # The target is heard, but no count of the load's comes: it may not be sent at all.
        return (("? ", "waits"), (f"the load is not heard from for {as_text.about(load_quiet_s(view))}", "waits"))
    if (uncounted := uncounted_s(view)) is not None:
        return (("? ", "waits"), (f"answers not counted for {as_text.about(uncounted)}", "waits"))
    quiet = "◦ ready, no traffic" if counts(view) else "◦ ready, not counted"
    return _deleted(view, serving=False) or ((quiet, "dim"),)


def _at_clients(view: View, taking: list[Observation], unheard: bool) -> Line:
    """What is wrong for those who call; nothing where nothing is known to be."""
    client = _failing(at_the_client(view))
    silence = no_answer_s(view)
    last = view.series(None).last
    # A load that says nothing tells nothing: who sends it may be gone.
    if silence is not None and last is not None and load_quiet_s(view) <= NO_ANSWER_S + last.seconds:
        return (("✖ ", "fails"), (f"no answer for {as_text.about(silence)}", "fails"))
    down = next((seen for seen in taking if seen.ready == 0), None)
    if down is not None and not unheard:
        which = f"{_label(down)} " if len(taking) > 1 else ""
        return (("✖ ", "fails"), (f"{which}down: 0 of {down.due} ready", "fails"))
    router = [(seen, share) for seen in taking if (share := _failing(at_the_router(view, seen.slot))) is not None]
    worst, share = max(router, key=lambda one: one[1], default=(None, 0.0))
    of = f"{as_text.share(share)} of {_label(worst)}" if worst is not None else ""
    if client is not None:
        of = of or ("no replica saw one" if none_arrives(view) else "")
        more: Line = ((f", {of}", "fails"),) if of else ()
        return (("✖ ", "fails"), (f"failing: {as_text.share(client)} at the client", "fails"), *more)
    return (("✖ ", "fails"), (f"failing: {of}", "fails")) if of else ()


def _deleted(view: View, *, serving: bool) -> Line:
    """That somebody deleted what traffic goes to, or what is kept for the way back; nothing where nobody did."""
    gone = gone_slots(view.snapshot, view.endpoint, view.now) if view.endpoint is not None else []
    first = next((one for one in gone if (one.weight > 0) is serving), None)
    if first is None:
        return ()
    which = first.version.label if first.version else first.slot
    if serving:
        return (("✖ ", "fails"), (f"{which} was deleted: {first.weight:g} % unanswered", "fails"))
    return (("! ", "moves"), (f"{which}, the way back, was deleted", "moves"))


def _failing(answers: RecentAnswers | None) -> float | None:
    """The share that fails, in percent, where it is too much."""
    share = answers.failed_percent if answers is not None else 0.0
    return share if share > FAILING_PERCENT else None


def _label(seen: Observation) -> str:
    return seen.version.label if seen.version else seen.slot


def _ill(seen: Observation) -> bool:
    bad = (ReplicaState.DEAD, ReplicaState.BACKOFF, ReplicaState.PENDING)
    # Replicas that only start are as it should be; one that may not even be made is missing.
    missing = len(seen.replicas) < seen.due and seen.why
    return seen.ready < seen.due and bool(not seen.replicas or missing or any(r.state in bad for r in seen.replicas))

"""What a snapshot means in a few words: what is on its way, who really answers, and where traffic was proved to go."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from core.domain.model import Slot
from core.domain.plan import title
from core.domain.sample import Sample
from core.state.astray import followed, was_proved
from core.state.endpoint import Endpoint
from core.state.events import Outcome
from core.state.gone import gone_slots
from core.state.release import Release, ReleaseState, Status
from tui import format as as_text
from tui.evidence import no_answer_s, nobody_drives, uncounted_s
from tui.health import health, moved
from tui.moved import moved_words, spoken
from tui.offered import awaited
from tui.real_weights import FRESH_S, recent, shares_since
from tui.styled import Line, Part, fitting
from tui.theme import slot_role
from tui.view import View


@dataclass(frozen=True, slots=True)
class Reality:
    """What one slot answered lately: its share of the answers in percent, None when nothing answered at all."""

    share: float | None
    sample: Sample | None


def reality(view: View) -> Mapping[Slot, Reality]:
    """What the slots really answer, by the versions in the load's answers or else by the router's count."""
    endpoint = view.endpoint
    if endpoint is None:
        return {}
    old = uncounted_s(view) is not None and view.now - view.end >= FRESH_S
    if old or no_answer_s(view) is not None:
        # What came in the seconds before is no figure of now.
        return dict.fromkeys(endpoint.slots, Reality(None, None))
    since = view.end - FRESH_S
    shares = shares_since(endpoint, view.series, since, view.release)
    return {slot: Reality(shares[slot], recent(view.series(slot), since)) for slot in endpoint.slots}


def label(release: Release) -> str:
    """What a release is of, as far as it is known: `v7`."""
    return release.version.label if release.version else "a version"


def back_to(release: Release) -> str:
    """What served before a release; with its model's name where that is another one's."""
    old, new = release.old_version, release.version
    if old is None:
        return "nothing"
    return old.label if new is None or new.model == old.model else f"{old.model} {old.label}"


def on_its_way(view: View) -> Line:
    """What is on its way, or how the last release ended."""
    release = view.release
    if release is None:
        return (("no release yet", "dim"),)
    role = slot_role(release.slot) if release.slot else "strong"
    name = label(release)
    if nobody_drives(view):
        way = {ReleaseState.BACK: " on its way back", ReleaseState.FORWARD: " on its way forward"}
        here: Line = ((way[release.state], "dim"),) if release.state in way else ((" ", "dim"), *_place(release, view))
        return (("‖ ", "moves"), (f"nobody drives {name}", "moves"), *here)
    if release.state is ReleaseState.BACK:
        if returned(release, view.endpoint):
            return (("◀ ", "back"), (f"back on {back_to(release)}", "strong"), (" · tidying up", "dim"))
        return (("◀ ", "fails"), ("rolling back ", "fails"), (f"→ {back_to(release)}", "strong"))
    if release.state is ReleaseState.FORWARD:
        return (("▶ ", "moves"), (f"returning to {name}", role))
    if release.state is ReleaseState.ENDED:
        return _ended(release, view)
    if release.paused:
        since = f" since {as_text.clock(view.paused_at)}" if view.paused_at is not None else ""
        return (("‖ ", "moves"), (f"paused {name} ", role), *_place(release, view), (since, "dim"))
    if release.awaits_next and release.current is not None:
        who = awaited(view, "n")
        return (
            ("‖ ", "moves"),
            (f"{name} waits for {who}: ", role),
            (title(release.current.step), "moves"),
        )
    return (("▶ ", "moves"), (f"releasing {name} ", role), *_place(release, view))


def returned(release: Release, endpoint: Endpoint | None) -> bool:
    """Whether answers proved that all traffic is where it was; aliases and the report come after."""
    if endpoint is None or release.way is None or not release.way.routed or release.way.shares:
        return False
    return was_proved(endpoint)


def _place(release: Release, view: View) -> Line:
    step = release.current
    if step is not None and step.question is not None and step.answer is None:
        return ((f"waits for {awaited(view)}", "moves"),)
    if release.reached or (step is not None and title(step.step) in ("traffic", "hold")):
        return (("at ", "dim"), (f"{release.reached:g} %", "moves"))
    if step is None:
        return (("to its end", "dim"),)
    verb = "failed at " if step.status is Status.FAILED else "· "
    return ((verb, "dim"), (title(step.step), "text"))


def _ended(release: Release, view: View) -> Line:
    ago = f" {as_text.about(view.now - release.ended_at)} ago" if release.ended_at else ""
    name = label(release)
    match release.outcome:
        case Outcome.DONE if moved(view) is not None or followed(view.endpoint, release):
            return (("! ", "moves"), (f"{name} released, traffic moved since", "text"))
        case Outcome.ROLLED_BACK | Outcome.ABORTED if followed(view.endpoint, release):
            return (("! ", "moves"), (f"{name} {release.outcome.value}, traffic moved since", "text"))
        case Outcome.DONE:
            return (("✔ ", "good"), (f"released {name}", "text"), (ago, "dim"))
        case Outcome.ROLLED_BACK:
            return (("◀ ", "back"), (f"{name} rolled back → {back_to(release)}", "text"), (ago, "dim"))
        case Outcome.ABORTED:
            return (("✖ ", "back"), (f"{name} aborted", "text"), (ago, "dim"))
        case _:
            word = release.outcome.value if release.outcome else "over"
            return (("✖ ", "fails"), (f"{name} {word}", "fails"), (ago, "dim"))


def proof(view: View, cells: int | None = None) -> Line:
    """Where the traffic goes and how it was proved, with the milliseconds; its age stays longest in few `cells`."""
    endpoint = view.endpoint
    if endpoint is None:
        return ()
    most = sys.maxsize if cells is None else cells
    ago = f" {as_text.about(view.now - endpoint.verified_at)} ago" if endpoint.verified_at else ""
    for gone in gone_slots(view.snapshot, endpoint, view.now):
        if gone.weight > 0:
            which = gone.version.label if gone.version is not None else gone.slot
            return (("! ", "moves"), (f"{which} was proved{ago}, and deleted since", "moves"))
    if not endpoint.slots:
        return fitting([(0, (("… ", "moves"),)), *going_on(view)], most) if going_on(view) else ()
    if endpoint.other is not None:
        who = f"{endpoint.other.by} has it since {as_text.clock(endpoint.other.since)}"
        return (("‖ ", "moves"), (f"{spoken(endpoint, endpoint.weights)} · ", "text"), (who, "moves"))
    if (elsewhere := moved(view)) is not None:
        said = [(n, ((text, "dim" if n else "moves"),)) for n, text in enumerate(moved_words(endpoint, elsewhere))]
        return fitting([(0, (("! ", "moves"),)), *said], most)
    verified = endpoint.verified
    if verified is None or not was_proved(endpoint):
        wanted: Line = (("… ", "moves"), (f"{spoken(endpoint, endpoint.weights)}, not verified yet", "waits"))
        gap: Part = (1, ((" · ", "dim"),)) if going_on(view) else (1, ())
        return fitting([(0, wanted), gap, *going_on(view)], most) if endpoint.weights else ()
    # What was proved is past: while the service fails, or nothing is known of it, that is no good sign.
    known = not {role for _, role in health(view)} & {"fails", "waits"}
    since = "the key" if verified.since == "key" else "the route"
    parts: list[Part] = [
        (0, (("✔ ", "good" if known else "dim"),)),
        (0, ((f"{spoken(endpoint, verified.weights)} · ", "text" if known else "dim"),)),
        (3, (("verified ", "dim"),)),
        (0, ((as_text.proved(verified.took_ms), "moves" if verified.since == "key" else "strong"),)),
        (1, ((f" after {since}", "dim"),)),
        (2, ((f", {verified.answers} answers", "dim"),)),
        (0, ((f" ·{ago}" if ago else "", "dim"),)),
    ]
    return fitting(parts, most)


def going_on(view: View) -> list[Part]:
    """What goes on with the endpoint as a whole, for how long and how long as a rule; then what it waits for."""
    contact = view.endpoint.contact if view.endpoint is not None else None
    if contact is None or not contact.doing:
        return []
    usual, _, waits = contact.usual.partition("; ")
    for_s = as_text.about(max(0.0, view.now - contact.doing_at))
    return [(1, ((f"{contact.doing} {for_s}, {usual}", "moves"),)), (2, ((f"; {waits}" if waits else "", "dim"),))]


def replicas_listed(view: View) -> int:
    """Up to how many replicas a slot has now, or may have: what lists them keeps room for so many."""
    endpoint = view.endpoint
    if endpoint is None:
        return 0
    most = [one.max for slot, one in endpoint.scaled.items() if slot in endpoint.slots]
    return max([*most, *(max(seen.wanted, len(seen.replicas)) for seen in endpoint.slots.values())], default=0)

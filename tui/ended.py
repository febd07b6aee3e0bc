"""What the deck's second line says of a release that is over: how it ended, and what can be done about it. Pure."""

from core.state.astray import followed
from core.state.events import Outcome
from core.state.release import Release
from tui import format as as_text
from tui.actions import way_back
from tui.health import moved
from tui.moved import spoken
from tui.styled import Line, cut, fitting, width as cells_of
from tui.summary import back_to, label
from tui.view import View

LEAST_WHY = 40
"""A reason keeps so many cells before what else stands there leaves."""
GAP: Line = (("   ", "dim"),)


def ended(view: View, release: Release, well: Line, cells: int) -> Line:
    """The line in so many cells; `well` is the health of the service."""
    back, name = way_back(view), label(release)
    sure = well[0][1] == "good"
    way: Line = (*GAP, (back.key, "key"), (f" {back.text}", "text")) if back.key else (*GAP, (back.text, "dim"))
    unknown: Line = (*GAP, *well) if well[0][1] == "waits" else ()
    took = release.way.began_at if release.way is not None else release.began_at
    verified = view.endpoint.verified if view.endpoint else None
    if (since_then := _followed(view, release)) and release.outcome is not None:
        word = "was released" if release.outcome is Outcome.DONE else f"was {release.outcome.value}"
        first: Line = (("! ", "moves"), (f"{name} {word}", "text"))
        return fitting([(0, first), (0, since_then), (0, unknown), (1, way)], cells)
    match release.outcome:
        case Outcome.DONE:
            head: Line = (("✔ ", "good" if sure else "dim"), (f"{name} is released", "good" if sure else "text"))
            if moved(view) is not None:
                head = (("! ", "moves"), (f"{name} was released", "text"), (f"   {well[1][0]}", "moves"))
            more = f"   in {as_text.span((release.ended_at or took) - release.since)}"
        case Outcome.ROLLED_BACK | Outcome.ABORTED:
            word = "rolled back" if release.outcome is Outcome.ROLLED_BACK else "aborted"
            went = f"back on {back_to(release)}" if release.touched else "no traffic had moved"
            head = (("◀ ", "back"), (f"{name} {word}, {went}", "text"))
            proved = verified is not None and verified.release == release.id
            since = "the key" if verified is not None and verified.since == "key" else "the route"
            more = f"   {as_text.proved(verified.took_ms)} from {since} to proof" if verified and proved else ""
            way = () if back.text == f"{back_to(release)} serves" else way
        case _:
            word = release.outcome.value if release.outcome else "over"
            serves = f"{back_to(release)} serves" if release.old_version else ""
            head, more = (("✖ ", "fails"), (f"{name} {word}", "fails"), (f", {serves}" if serves else "", "text")), ""
            way = () if back.text == serves else way
            room = max(LEAST_WHY, cells - cells_of((*head, *unknown, *way)) - 2)
            head = (*head, (f": {cut(release.why, room)}", "text"))
    drill = _drill(view) if release.outcome is Outcome.DONE and back.key else ()
    # What the key does stands in the footer too; that it was not tried for too long stands nowhere else.
    late = bool(drill) and drill[-1][1] != "dim"
    return fitting(
        [(0, head), (0, unknown), (3, ((more, "dim"),)), (2 if late else 1, way), (1 if late else 2, drill)], cells
    )


def _followed(view: View, release: Release) -> Line:
    """Where another machine's driver has sent traffic since a release ended, and who; nothing where none did."""
    endpoint = view.endpoint
    if endpoint is None or not followed(endpoint, release):
        return ()
    by = f", by {endpoint.other.by}" if endpoint.other is not None else ""
    return (*GAP, (f"{spoken(endpoint, endpoint.weights)} since{by}", "moves"))


def _drill(view: View) -> Line:
    """When the way back was last proven and how long it took; in yellow where that is longer ago than it may be."""
    if view.endpoint is None or view.drill_s is None:
        return ()
    drilled, at = view.endpoint.drilled, view.endpoint.drilled_at
    if drilled is None or at is None:
        return (*GAP, ("! way back never drilled", "moves"))
    age, late = as_text.about(view.now - at), view.now - at > view.drill_s
    if late:
        return (*GAP, (f"! way back drilled {age} ago", "moves"))
    return (*GAP, (f"drilled {age} ago: {drilled.back_ms:.0f} ms", "dim"))

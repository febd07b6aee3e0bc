"""What the deck's second line says while those who call are not served well. Pure."""

from core.domain.sample import Series
from tui import format as as_text
from tui.actions import way_back
from tui.evidence import at_the_client
from tui.health import FAILING_PERCENT
from tui.styled import Line, Part
from tui.view import View


def failing(view: View, well: Line) -> list[Part]:
    """How many are ready, what callers meet and since when, and the way out."""
    # What the router counts stands second, and leaves before the way back does.
    said, counted = well[1][0], "".join(text for text, _ in well[2:])
    slots = view.endpoint.slots.values() if view.endpoint else ()
    down = next((seen for seen in slots if seen.weight > 0 and seen.ready == 0), None)
    if down is not None and "ready" not in said:
        said = f"{down.ready} of {down.due} ready · {said}"
    client = at_the_client(view)
    more_said = ""
    if "failing" not in said and client is not None and client.failed_percent > FAILING_PERCENT:
        more_said = f" · {as_text.share(client.failed_percent)} failing"
    since = failing_s(view) if "failing" in said + more_said else None
    back = way_back(view)
    way, _, more = back.text.replace("roll back →", "goes back to").partition(" · ")
    return [
        (0, (("✖ ", ""), (said, ""))),
        (3, ((counted, ""),)),
        (4, ((more_said, ""),)),
        (5, ((f" for {as_text.about(since)}", ""),) if since is not None else ()),
        (1, ((f" · {back.key} {way}" if back.key else f" · {way}", ""),)),
        (2, ((f" ({more})", ""),) if more else ()),
    ]


def failing_s(view: View) -> float | None:
    """For how long too much has failed without a break, at the client or at a slot; None while it does not."""
    slots = view.endpoint.slots if view.endpoint else {}
    found = [_failing_since(view.series(slot)) for slot in (None, *slots)]
    since = min((at for at in found if at is not None), default=None)
    return None if since is None else max(0.0, view.now - since)


def _failing_since(series: Series) -> float | None:
    since = None
    for sample in reversed(series.samples):
        if not sample.requests or sample.mirrored:
            continue
        if (sample.failed_percent or 0.0) <= FAILING_PERCENT:
            break
        since = sample.at - sample.seconds
    return since

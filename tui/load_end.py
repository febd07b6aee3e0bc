"""How and when a load ended, for people. Pure."""

from core.domain.load_profile import LoadOutcome
from core.domain.sample import Sample
from core.state.endpoint import LoadState
from core.state.messages import ENDS_WELL
from tui.view import View


def how_it_ended(load: LoadState, view: View) -> str:
    """How a load ended, in a word or two."""
    last = view.series(None).last
    if load.how is LoadOutcome.NOT_BEGUN and last is not None and last.at > load.started_at:
        return "broke off"  # It had been, and could not be begun again.
    return load.how.value if load.how is not None else "ended"


def ends_well(load: LoadState | None) -> bool:
    """Whether a load ended as somebody wanted."""
    return load is None or load.how is None or load.how in ENDS_WELL


def ended_at(load: LoadState | None, last: Sample) -> float:
    """When that was: of one that was found gone, or of whose end nobody wrote down the moment, at its last sample."""
    gone = load is not None and load.how is LoadOutcome.GONE and last.at > load.started_at
    return last.at if load is None or load.ended_at is None or gone else load.ended_at

"""Whether an alert goes back by itself: not over what another machine does after a way back from here."""

from core.alerts.rules import RULES
from core.alerts.tally import AnswerTally
from core.alerts.way_back import why_not
from core.domain.model import OtherDriver
from core.state import events as ev
from tests.state.moved_scenes import AT, ENDED, after, both, sent

BACK = (
    ENDED,
    ev.TurnedBack("r2", ev.Outcome.ROLLED_BACK, "rolled back"),
    *sent({"blue": 100.0}),
    ev.Ended("r2", ev.Outcome.ROLLED_BACK, ""),
)
SPLITS = ev.OtherDrove("late", OtherDriver("a driver on vm", 1.0, "r9", {"blue": 50.0, "green": 50.0}))


def refused(*bodies: ev.Body) -> str:
    """Why nobody should go back."""
    return why_not(RULES[0], after(*bodies), "late", AnswerTally(), AT)


def test_traffic_that_was_moved_to_what_was_taken_back_is_brought_back_and_what_another_machine_does_is_left() -> None:
    assert refused(ENDED) == ""
    assert "was taken back already" in refused(*BACK)
    assert refused(*BACK, *both(0, 100)) == ""
    assert refused(*BACK, SPLITS, *both(50, 50)) == (
        "r2 was taken back already, and a driver on vm has it now: who asks for it may take it back"
    )

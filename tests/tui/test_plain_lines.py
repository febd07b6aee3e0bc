"""What a load counts in plain lines: every fifth second, and nothing that fails between two lines is left out."""

from core.domain.sample import Sample
from core.state import events as ev
from core.state.snapshot import Snapshot
from tui.plain_lines import Lines


def test_what_fails_between_two_lines_of_a_load_is_said() -> None:
    said: list[str] = []
    lines = Lines("late", said.append)
    failed = {3: 8, 4: 8}
    for second in range(1, 12):
        errors = {"HTTP 503": failed[second]} if second in failed else {}
        sample = Sample(None, float(second), 10 - sum(errors.values()), errors, 5)
        lines.say(ev.Event(second, float(second), "watch", ev.Sampled("late", sample)), Snapshot())
    assert [line.partition("load")[2].strip() for line in said] == [
        "5 users, 10 requests a second, 0 failed",
        "5 users, 10 requests a second, 8 failed",
        "5 users, 10 requests a second, 8 failed",
        "5 users, 10 requests a second, 0 failed",
    ]

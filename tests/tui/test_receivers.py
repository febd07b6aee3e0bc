"""Who takes nothing: since when, why, how much waits and when the next try is."""

import pytest

from core.state import events as ev
from core.state.alert import Notice, Topic
from core.state.endpoint import Endpoint
from core.state.fold import fold_all
from tui.receivers import failing_lines, failing_rows

AT = 1_000_000.0


def seen(*bodies: ev.Body) -> Endpoint:
    return fold_all(ev.Event(seq, AT, "watch", body) for seq, body in enumerate(bodies, 1)).endpoint("late")


def promised(name: str) -> ev.Promised:
    return ev.Promised("late", Notice(name, AT, Topic.RELEASE, "late", "dev", name, ""), ("ops", "mail"))


ONE = ev.TellingFailed("late", "one", "ops", "webhook answered 500", AT + 300)
REFUSED = ev.TellingFailed("late", "one", "ops", "webhook answered 404", AT, dead=True)
WHY = "webhook answered 500"


@pytest.mark.parametrize(
    ("bodies", "after_s", "said"),
    [
        ((promised("one"),), 0, None),
        ((promised("one"), ONE), 60, f"(60 s): {WHY}; 1 message waits, next try in 4 min"),
        ((promised("one"), promised("two"), ONE), 301, f"(5 min): {WHY}; 2 messages wait, next try now"),
        ((promised("one"), REFUSED), 7200, "(2 h): webhook answered 404; the next message is the next try"),
        ((promised("one"), ONE, ev.Told("late", "one", "ops", 2.0)), 60, None),
    ],
)
def test_a_receiver_that_takes_nothing(bodies: tuple[ev.Body, ...], after_s: float, said: str | None) -> None:
    lines = failing_lines(seen(*bodies), ["mail", "ops"], AT + after_s)
    assert [line.partition(" (")[0].startswith("ops takes nothing since ") for line in lines] == [True] * len(lines)
    assert [f"({line.partition(' (')[2]}" for line in lines] == ([] if said is None else [said])
    rows = failing_rows(seen(*bodies), ["mail", "ops"], AT + after_s)
    assert rows.keys() == ({"ops"} if said else set())


def test_of_receivers_that_the_file_names_no_more_nothing_is_said() -> None:
    assert failing_lines(seen(promised("one"), ONE), ["mail"], AT) == []

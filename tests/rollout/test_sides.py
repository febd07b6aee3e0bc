"""Two sides of a split: figures with their intervals, and a winner only where it is sure."""

import pytest

from core.domain.histogram import Histogram
from core.domain.model import Sample
from core.rollout.sides import beside, failed_apart, took


def side(slot: str, count: int, failed: int = 0, ms: float = 20.0) -> Sample:
    spread = [ms * (1 + at / count) for at in range(count)]
    return Sample(slot, 1.0, count - failed, {"500": failed} if failed else {}, latency=Histogram.of(spread))


@pytest.mark.parametrize(
    ("new", "live", "winner"),
    [
        (side("green", 1000), side("blue", 1000), "neither, as far as this shows"),
        (side("green", 1000, ms=10.0), side("blue", 1000), "the new version"),
        (side("green", 1000, ms=40.0), side("blue", 1000), "the one that serves"),
        (side("green", 1000, 30, ms=10.0), side("blue", 1000), "the one that serves"),
        (side("green", 1000), side("blue", 1000, 30), "the new version"),
        (side("green", 20, 1), side("blue", 20), "neither, as far as this shows"),
    ],
)
def test_a_winner_is_named_where_chance_does_not_explain_it(new: Sample, live: Sample, winner: str) -> None:
    found = beside(new, live)
    assert found["winner"] == winner
    assert str(found["text"]).endswith(f"better: {winner}")


def test_a_side_without_answers_is_compared_with_nothing() -> None:
    assert beside(None, side("blue", 5)) == beside(side("green", 5), None) == {}


def test_intervals_hold_their_figure_and_shrink_with_the_answers() -> None:
    few, many = (failed_apart(side("a", count, count // 10), side("b", count)) for count in (50, 5000))
    for one in (few, many):
        assert one.low < one.value < one.high
        assert one.value == pytest.approx(10.0)
    assert many.high - many.low < few.high - few.low
    wide, narrow = took(side("a", 30), 95.0), took(side("a", 3000), 95.0)
    assert wide is not None
    assert narrow is not None
    assert wide.high - wide.low > narrow.high - narrow.low
    assert took(side("a", 1), 95.0) is None

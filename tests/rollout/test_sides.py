"""Two sides of a split: figures with their intervals, and a winner only where it is sure."""

from dataclasses import replace

import pytest

from core.domain.figures import RightAnswers
from core.domain.histogram import Histogram
from core.domain.sample import Sample
from core.rollout.sides import LIVE, NEITHER, NEW, beside, by_truth, failed_apart, took


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
    by = f", by {found['by']}" if found["by"] else ""
    assert str(found["text"]).endswith(f"better: {winner}{by}")
    assert bool(by) is (winner != NEITHER)


@pytest.mark.parametrize(
    ("new", "truth", "winner", "by"),
    [
        (side("green", 1000), (950, 900), NEW, "right answers, +5.00 points (+2.7"),
        (side("green", 1000), (900, 950), LIVE, "right answers, -5.00 points"),
        # What is right counts before what is quick, and does not hide what fails.
        (side("green", 1000, ms=40.0), (950, 900), NEW, "right answers"),
        (side("green", 1000, 30), (950, 900), NEITHER, "right answers for the new version and failures against it"),
        (side("green", 1000, ms=40.0), (930, 925), LIVE, "p95"),
        (side("green", 1000), (930, 925), NEITHER, ""),
    ],
)
def test_where_the_truth_is_known_the_one_that_is_right_more_often_is_named(
    new: Sample, truth: tuple[int, int], winner: str, by: str
) -> None:
    right = RightAnswers(truth[0], 1000), RightAnswers(truth[1], 1000)
    found = beside(new, side("blue", 1000), right)
    assert (found["winner"], str(found["by"])[: len(by)]) == (winner, by)
    assert f"right {truth[0] / 10:.1f} % of 1,000 against {truth[1] / 10:.1f} % of 1,000" in str(found["text"])


def test_the_label_whose_share_differs_most_is_named_and_whether_that_is_sure() -> None:
    def mixed(one: Sample, late: int) -> Sample:
        return replace(one, mix={"version:2": 1000, "label:late": late, "label:on time": 1000 - late})

    sure = beside(mixed(side("green", 1000), 300), mixed(side("blue", 1000), 200))
    assert "late 30.0 % of the answers against 20.0 %;" in str(sure["text"])
    assert sure["mix"] == {"label": "late", "new": pytest.approx(30.0), "live": pytest.approx(20.0)}
    chance = beside(mixed(side("green", 1000), 210), mixed(side("blue", 1000), 200))
    assert "late 21.0 % of the answers against 20.0 %, which may be chance" in str(chance["text"])
    assert "mix" not in beside(side("green", 1000), side("blue", 1000))


@pytest.mark.parametrize(
    ("new", "live", "said"),
    [
        (950, 900, "better: v3, v3 is right +5.00 points"),
        (900, 950, "better: v2, v3 is right -5.00 points"),
        (930, 925, "better: neither, as far as this shows, v3 is right +0.50 points"),
    ],
)
def test_truth_alone_names_a_version(new: int, live: int, said: str) -> None:
    assert by_truth(RightAnswers(new, 1000), RightAnswers(live, 1000), "v3", "v2").startswith(said)


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

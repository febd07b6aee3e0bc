"""Histograms add up, and percentiles come out within their promise."""

import math

import pytest
from hypothesis import given, strategies as st

from core.domain.histogram import RATIO, Histogram, bucket, middle_ms

LATENCIES = st.lists(st.floats(0.02, 60_000), min_size=1, max_size=60)


@given(LATENCIES, st.sampled_from([1, 50, 95, 99, 100]))
def test_a_percentile_is_off_by_one_percent_at_most(latencies: list[float], percent: float) -> None:
    exact = sorted(latencies)[max(1, math.ceil(len(latencies) * percent / 100)) - 1]
    found = Histogram.of(latencies).percentile_ms(percent)
    assert found is not None
    assert found == pytest.approx(exact, rel=math.sqrt(RATIO) - 1 + 1e-6)


@given(LATENCIES, LATENCIES)
def test_two_added_are_as_one_of_both(one: list[float], two: list[float]) -> None:
    both, added = Histogram.of(one + two), Histogram.of(one) + Histogram.of(two)
    assert (added.counts, added.min_ms, added.max_ms) == (both.counts, both.min_ms, both.max_ms)
    assert added.sum_ms == pytest.approx(both.sum_ms)
    assert added.count == len(one) + len(two)
    assert added.mean_ms == pytest.approx(sum(one + two) / added.count)


def test_an_empty_one_knows_nothing_and_adds_nothing() -> None:
    empty, some = Histogram(), Histogram.of([5.0])
    assert (empty.count, empty.mean_ms, empty.percentile_ms(50)) == (0, None, None)
    assert empty + some is some
    assert some + empty is some


def test_counts_of_others_become_buckets() -> None:
    assert Histogram.of_counts({5.0: 2, 5.001: 1, 9.0: 0, 100.0: 1}) == Histogram(
        {bucket(5.0): 3, bucket(100.0): 1}, 2 * 5.0 + 5.001 + 100.0, 5.0, 100.0
    )
    assert Histogram.of_counts({}) == Histogram()


@pytest.mark.parametrize("ms", [0.0, 0.005, 0.01])
def test_what_is_quicker_than_the_floor_lies_in_bucket_0(ms: float) -> None:
    assert (bucket(ms), middle_ms(0)) == (0, 0.01)
    assert Histogram({0: 1}).percentile_ms(50) == 0.01

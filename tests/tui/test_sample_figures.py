"""What is measured once and kept gives what it would give anew."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from core.domain.histogram import Histogram
from core.domain.sample import Sample, Series
from tui.sample_figures import PERCENTS, Total, figures_of, percentiles_ms

latencies = st.lists(st.floats(0.01, 5000), max_size=40)


@given(latencies)
def test_percentiles_in_one_walk_are_the_histograms_own(values: list[float]) -> None:
    spread = Histogram.of(values)
    own = [spread.percentile_ms(percent) for percent in PERCENTS]
    assert percentiles_ms(spread, PERCENTS) == (own if values else [])


@given(st.lists(latencies, min_size=1, max_size=12), st.integers(0, 11))
def test_a_total_that_grows_is_the_sum(seconds: list[list[float]], since: int) -> None:
    total, series = Total(), Series()
    for at, values in enumerate(seconds, 1):
        series = series.plus(Sample(None, float(at), len(values), {"503": 1}, latency=Histogram.of(values)))
        summed, grown = series.since(since), total.of(series, since)
        assert (grown is None) == (summed is None)
        if grown is not None and summed is not None:
            assert (grown.ok, grown.failed, grown.latency.counts) == (summed.ok, summed.failed, summed.latency.counts)


@pytest.mark.parametrize(("first", "partly"), [(15, None), (200, 199.0)])
def test_a_total_says_since_when_it_counts_where_it_does_not_know_all(first: int, partly: float | None) -> None:
    total, series = Total(), Series()
    for at in range(first, first + 5):
        series = series.plus(Sample(None, float(at), 10))
        total.of(series, 0.0)
        assert total.partly_since == partly


def test_a_second_without_an_answer_has_no_latency() -> None:
    assert figures_of(Sample(None, 1.0, users=3)).latency == []


def test_a_percentile_that_the_source_did_not_tell_is_absent() -> None:
    spread = replace(Histogram.of([10.0] * 50 + [40.0] * 50), only=(50.0, 95.0))
    p50, p95, p99 = percentiles_ms(spread, PERCENTS)
    assert (p50, p95, p99) == (spread.percentile_ms(50), spread.percentile_ms(95), None)

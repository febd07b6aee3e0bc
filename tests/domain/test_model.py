"""The nouns that count."""

from hypothesis import given

from core.domain.model import Version
from core.domain.sample import Sample, Series, add_counts
from tests.environments import sample
from tests.nouns import noun

SAMPLES = noun(Sample)


@given(SAMPLES, SAMPLES)
def test_two_samples_added_count_everything(one: Sample, two: Sample) -> None:
    both = one + two
    assert both.requests == one.requests + two.requests
    assert both.failures == one.failures + two.failures
    assert sum(both.refused.values()) == sum(one.refused.values()) + sum(two.refused.values())
    assert both.at == max(one.at, two.at)
    assert both.users == (one.users if two.users is None else two.users)
    assert both.latency.count == one.latency.count + two.latency.count
    last = [it.at - it.quiet_s for it in (one, two) if it.quiet_s is not None]
    assert both.quiet_s == (both.at - max(last) if last else None)


def test_shares_and_rates_of_a_sample() -> None:
    second = sample("blue", 90, 10)
    assert (second.requests, second.rps, second.failed_percent) == (100, 100.0, 10.0)
    refusing = Sample("blue", 1.0, 90, {"500": 10}, refused={"422": 25, "404": 999})
    assert (refusing.requests, refusing.failed_percent, refusing.asked) == (100, 10.0, 125)
    nothing = Sample(None, 1.0, seconds=0.0)
    assert (nothing.rps, nothing.failed_percent) == (0.0, None)


def test_counts_add_up_and_nothing_is_copied_in_vain() -> None:
    one, two = {"500": 1}, {"500": 2, "timeout": 1}
    assert add_counts(one, two) == {"500": 3, "timeout": 1}
    assert add_counts(one, {}) is one
    assert add_counts({}, two) is two
    assert one == {"500": 1}


def test_a_series_keeps_the_last_and_adds_what_came_since() -> None:
    series = Series()
    assert (series.last, series.since(0.0)) == (None, None)
    for at in range(Series.KEEP + 5):
        series = series.plus(Sample("blue", float(at), ok=1))
    assert (len(series.samples), series.samples[0].at) == (Series.KEEP, 5.0)
    since = series.since(Series.KEEP + 1.0)
    assert since is not None
    assert (since.ok, since.seconds) == (3, 3.0)
    assert series.last is series.samples[-1]


def test_a_version_is_called_by_its_number() -> None:
    assert Version("late", "7").label == "v7"

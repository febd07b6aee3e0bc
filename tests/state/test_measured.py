"""What a hold has to judge by: as exact after hours as if all samples were added up anew."""

import math
from collections.abc import Iterable
from functools import reduce
from operator import add

import pytest
from hypothesis import given, settings, strategies as st

from core.domain.histogram import Histogram
from core.domain.sample import Sample
from core.state.measured import Measured

SAMPLES = st.lists(
    st.builds(
        lambda at, ok, kinds, latencies, seconds: Sample(
            slot="blue",
            at=at / 4,
            ok=ok,
            failed=dict.fromkeys(kinds, 1),
            latency=Histogram.of(latencies),
            mix={"version:1": ok + 1},
            seconds=seconds,
            refused={"422": len(latencies)} if latencies else {},
            errors=dict.fromkeys(kinds, 2),
        ),
        st.integers(0, 240),
        st.integers(0, 5),
        st.sets(st.sampled_from(["500", "timeout"])),
        st.lists(st.sampled_from([0.5, 1.0, 20.0, 700.0]), max_size=4),
        st.sampled_from([0.5, 1.0]),
    ),
    max_size=40,
)


def anew(samples: Iterable[Sample], since: float) -> Sample | None:
    inside = [sample for sample in samples if sample.at - sample.seconds >= since]
    return reduce(add, inside) if inside else None


def measured(samples: Iterable[Sample], since: float, *windows_s: float) -> Measured:
    return reduce(lambda m, sample: m.plus(sample, sample.at), samples, Measured("r", 1, since, windows_s))


@settings(deadline=None)
@given(SAMPLES, st.sampled_from([0.0, 10.0]), st.sampled_from([1.0, 5.0, 30.0]), st.sampled_from([0.0, 0.75, 100.0]))
def test_a_window_is_what_its_samples_add_up_to(
    samples: list[Sample], since: float, window_s: float, later_s: float
) -> None:
    now = max((sample.at for sample in samples), default=0.0) + later_s
    seen = measured(samples, since, window_s)
    for length, start in ((0.0, since), (window_s, max(since, now - window_s))):
        mine, wanted = seen.over("blue", length, now), anew(samples, start)
        if mine is None or wanted is None:
            assert mine is wanted
            continue
        assert (mine.ok, mine.failed, mine.mix) == (wanted.ok, wanted.failed, wanted.mix)
        assert (mine.refused, mine.errors) == (wanted.refused, wanted.errors)
        assert mine.latency.counts == wanted.latency.counts
        assert (mine.latency.min_ms, mine.latency.max_ms) == (wanted.latency.min_ms, wanted.latency.max_ms)
        assert math.isclose(mine.latency.sum_ms, wanted.latency.sum_ms, abs_tol=1e-6)
        assert math.isclose(mine.seconds, wanted.seconds)


def second(at: float, ok: int, *latencies: float) -> Sample:
    """A second with something of everything in it."""
    return Sample(
        slot="blue",
        at=at,
        ok=ok,
        failed={"500": ok},
        latency=Histogram.of(latencies),
        mix={"version:1": ok, f"label:{ok}": 1},
        refused={"422": ok},
        errors={"KeyError": ok},
    )


@pytest.mark.parametrize(
    "latencies",
    [
        ((1.0,), (2.0,), (4.0,)),  # the shortest leaves
        ((4.0,), (2.0,), (1.0,)),  # the longest leaves
        ((1.0, 8.0), (2.0,), (4.0,)),  # both leave
        ((2.0,), (1.0, 8.0), (4.0,)),  # neither does
        ((1.0,), (1.0, 8.0), (4.0,)),  # another as short stays
        ((2.0,), (), ()),
    ],
)
def test_what_leaves_a_window_is_taken_off_whole(latencies: tuple[tuple[float, ...], ...]) -> None:
    first, *kept = [second(float(at), at, *each) for at, each in enumerate(latencies, 1)]
    seen = measured([first, *kept], 0.0, 2.0)
    assert seen.over("blue", 2.0, 3.0) == kept[0] + kept[1]
    assert seen.over("blue", 0.0, 3.0) == first + kept[0] + kept[1]
    # A second counts while all of it lies within the window.
    assert seen.over("blue", 2.0, 3.5) == kept[1]
    assert seen.over("blue", 2.0, 4.0) == kept[1]
    assert seen.over("blue", 2.0, 4.1) is None


def test_two_hours_are_added_up_to_the_last_answer() -> None:
    samples = [Sample("blue", float(at), ok=1) for at in range(1, 7201)]
    seen = measured(samples, 0.0, 3600.0)
    assert (total := seen.over("blue", 0.0, 7200.0)) is not None
    assert (window := seen.over("blue", 3600.0, 7200.0)) is not None
    assert (total.ok, total.seconds, window.ok, window.seconds) == (7200, 7200.0, 3600, 3600.0)


@pytest.mark.parametrize(("slot", "window_s"), [(None, 0.0), ("green", 0.0), ("blue", 7.0)])
def test_what_nobody_measured_is_nothing(slot: str | None, window_s: float) -> None:
    assert measured([Sample("blue", 1.0, ok=1), Sample(None, 1.0, ok=9)], 0.0).over(slot, window_s, 1.0) is None

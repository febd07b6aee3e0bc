"""Bets on two slots: what they may never do, what they must see, and how long that takes."""

from dataclasses import replace
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from core.domain.anytime import (
    DEAD_SHARE,
    FINE_SHARE,
    Counts,
    Terms,
    bar,
    bets,
    by_itself,
    dead,
    evidence,
    fine,
    shows,
)

FINE, DEAD = bar(0.01, FINE_SHARE, 12), bar(0.01, DEAD_SHARE, 3)
TERMS = Terms(0.005, 0.01, 600.0, 1.0, 20.0, FINE, DEAD)
OWN = Terms(0.05, 0.05, 600.0, 1.0, 20.0, FINE, DEAD, alone=True)
LATENCY = Terms(0.0, 0.05, 600.0, 1.0, 20.0, FINE, DEAD)
BLOCKS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 200)).flatmap(
        lambda n: st.tuples(st.just(n[0]), st.integers(0, n[0]), st.just(n[1]), st.integers(0, n[1]))
    ),
    max_size=60,
)


def drawn(seed: int, seconds: int, rps: float, new: float, live: float, begins: int = 0) -> list[Counts]:
    """A hold at a tenth of the traffic; the new slot fails as the live one until a second."""
    draw = np.random.default_rng(seed)
    found = []
    for at in range(seconds):
        asked, beside = int(draw.poisson(rps * 0.1)), int(draw.poisson(rps * 0.9))
        share = new if at >= begins else live
        found.append((asked, int(draw.binomial(asked, share)), beside, int(draw.binomial(beside, live))))
    return found


def first(counts: list[Counts], outage: bool = False) -> int | None:
    """The second at which it is worse."""
    for at in range(1, len(counts) + 1):
        if (dead(counts[:at], TERMS) >= DEAD) if outage else (evidence(counts[:at], TERMS) >= FINE):
            return at
    return None


def test_all_gates_and_holds_share_the_chance_of_a_false_stop() -> None:
    assert pytest.approx(np.log(12 / 0.0076)) == FINE
    assert pytest.approx(np.log(3 / 0.0016)) == DEAD
    assert bar(0.01, DEAD_SHARE, 0) == bar(0.01, DEAD_SHARE, 1)


@pytest.mark.parametrize(("of", "share"), [(1, 0.05), (7, 0.05), (40, 0.02)])
def test_a_bet_on_one_slot_alone_gains_nothing_on_average_where_no_more_fail_than_may(of: int, share: float) -> None:
    gained = np.zeros(9)
    for bad in range(of + 1):
        logs, _ = bets(np.array(by_itself([(of, bad)]), dtype=np.float64), OWN)
        gained += comb(of, bad) * share**bad * (1 - share) ** (of - bad) * np.exp(logs[:, 0])
    assert (gained <= 1 + 1e-9).all()


def test_one_slot_alone_is_judged_by_its_own_share_a_late_fault_and_an_outage_too() -> None:
    draw = np.random.default_rng(3)

    def hold(late: float) -> list[Counts]:
        shares = [0.01] * 300 + [late] * 300
        return by_itself([(100, int(draw.binomial(100, share))) for share in shares])

    assert evidence(hold(0.01), OWN) < 1
    assert evidence(hold(0.05), OWN) < FINE
    assert evidence(hold(0.10)[:400], OWN) >= FINE
    assert dead(hold(1.0)[:312], OWN) >= DEAD
    assert dead(hold(0.15), OWN) < DEAD
    # One burst within burst_s is forgiven, however bad.
    assert evidence(by_itself([(100, 60 if 200 <= at < 215 else 1) for at in range(600)]), OWN) < 1


def test_a_bet_on_nothing_gains_nothing() -> None:
    assert evidence([], TERMS) == dead([], TERMS) == fine([], TERMS, 0.02) == 0.0
    nobody: list[Counts] = [(0, 0, 0, 0), (5, 5, 0, 0), (0, 0, 7, 1)]
    assert evidence(nobody, TERMS) == pytest.approx(0.0)
    assert dead(nobody, TERMS) == pytest.approx(0.0)


@given(BLOCKS)
@settings(max_examples=60, deadline=None)
def test_whatever_comes_is_finite_and_judged_alike_again(blocks: list[Counts]) -> None:
    """A release that is resumed judges by the same seconds and says the same."""
    for terms in (TERMS, LATENCY):
        said = evidence(blocks, terms), dead(blocks, terms), fine(blocks, terms, 0.02)
        assert np.isfinite(said).all()
        assert said == (evidence(list(blocks), terms), dead(list(blocks), terms), fine(list(blocks), terms, 0.02))


@given(st.integers(1, 10**6), st.integers(1, 300))
@settings(max_examples=30, deadline=None)
def test_a_new_slot_that_never_fails_is_never_worse(new: int, seconds: int) -> None:
    blocks: list[Counts] = [(new % 50 + 1, 0, 90, 1)] * seconds
    assert evidence(blocks, TERMS) <= 0.0
    assert dead(blocks, TERMS) <= 0.0


@pytest.mark.parametrize("rps", [10.0, 100.0])
def test_healthy_releases_go_on(rps: float) -> None:
    for seed in range(12):
        counts = drawn(seed, 300, rps, 0.01, 0.01)
        looks = range(20, 301, 20)
        assert max(evidence(counts[:at], TERMS) for at in looks) < FINE
        assert max(dead(counts[:at], TERMS) for at in looks) < DEAD


def test_a_bad_hour_that_hits_both_alike_stops_nothing() -> None:
    both: list[Counts] = [(10, 4, 90, 36)] * 200
    assert evidence(both, TERMS) < 1.0
    assert dead(both, TERMS) < 1.0


@pytest.mark.parametrize(("rps", "most"), [(10.0, 20), (100.0, 12), (1000.0, 12)])
def test_an_outage_of_the_new_slot_is_seen_within_seconds_also_late(rps: float, most: int) -> None:
    for begins in (0, 300):
        at = first(drawn(5, begins + 60, rps, 1.0, 0.01, begins), outage=True)
        assert at is not None
        assert begins < at <= begins + most


@pytest.mark.parametrize(("rps", "most"), [(100.0, 130), (1000.0, 60)])
def test_five_points_more_are_seen_also_late(rps: float, most: int) -> None:
    for begins in (0, 300):
        at = first(drawn(6, begins + most + 30, rps, 0.06, 0.01, begins))
        assert at is not None
        assert begins < at <= begins + most


def test_one_burst_ends_no_release_and_one_that_stays_does() -> None:
    calm: list[Counts] = [(100, 1, 900, 9)] * 60
    burst: list[Counts] = [(100, 15, 900, 9)]
    assert evidence(calm + burst * 15 + calm, TERMS) < FINE
    assert evidence(calm + burst * 80, TERMS) >= FINE


@pytest.mark.parametrize("most", [0.5, float("inf")])
@pytest.mark.parametrize("terms", [TERMS, LATENCY])
@pytest.mark.parametrize("live", [0.002, 0.01, 0.08, 0.5, 0.95])
def test_a_block_gains_nothing_on_average_where_the_new_slot_is_just_as_bad_as_allowed(
    terms: Terms, live: float, most: float
) -> None:
    """Over all that two slots of 4 and 7 requests can answer: the mean that the guarantee stands on."""
    new, mean = live + terms.allowed, np.zeros(9)
    for bad, live_bad in product(range(5), range(8)):
        block = np.array([(4, bad, 7, live_bad)], dtype=np.float64)
        chance = comb(4, bad) * new**bad * (1 - new) ** (4 - bad)
        chance *= comb(7, live_bad) * live**live_bad * (1 - live) ** (7 - live_bad)
        mean += chance * np.exp(bets(block, replace(terms, most_a_s=most))[0][:, 0])
    assert (mean <= 1 + 1e-9).all()


def test_a_loud_second_adds_no_more_than_it_may() -> None:
    quiet = replace(TERMS, most_a_s=1.0)
    logs, bad = bets(np.array([(100, 60, 900, 9), (100, 1, 900, 9)], dtype=np.float64), quiet)
    assert logs.max() == pytest.approx(1.0)
    assert (bad[:, 0] < 60).all()
    assert bad[:, 1] == pytest.approx(1.0)


def test_what_fails_one_by_one_counts_however_much_it_adds() -> None:
    few = np.array([(10, 3, 90, 1), (10, 9, 90, 1)], dtype=np.float64)
    _, bad = bets(few, replace(TERMS, most_a_s=0.0))
    assert bad[:, 0] == pytest.approx(3.0)
    assert (bad[:, 1] >= 3.0 - 1e-9).all()


def test_what_came_before_a_fault_hides_it_for_no_longer() -> None:
    """Trouble that ended long ago is no discount on what comes now."""
    calm, burst, fault = [(100, 1, 900, 9)] * 100, [(100, 30, 900, 9)] * 4, [(100, 6, 900, 9)] * 45
    assert evidence(calm + burst + calm + fault, TERMS) > 0.9 * evidence(calm + calm + fault, TERMS)


def test_requests_that_fail_together_count_less_than_as_many_alone() -> None:
    alone: list[Counts] = [(100, 4, 900, 9)] * 60
    together: list[Counts] = [(100, 40, 900, 9) if at % 10 == 0 else (100, 0, 900, 9) for at in range(60)]
    assert evidence(together, TERMS) < evidence(alone, TERMS) / 2


def test_slower_answers_are_a_share_beyond_an_edge() -> None:
    same: list[Counts] = [(100, 5, 900, 45)] * 120
    slower: list[Counts] = [(100, 20, 900, 45)] * 120
    assert evidence(same, LATENCY) < 1.0
    assert evidence(slower, LATENCY) >= FINE


def test_shown_fine_is_said_of_many_requests_alone() -> None:
    assert fine(drawn(7, 600, 1000.0, 0.01, 0.01), TERMS, 0.025) > 3.0
    assert fine(drawn(7, 60, 10.0, 0.01, 0.01), TERMS, 0.025) < 3.0
    assert fine(drawn(7, 600, 1000.0, 0.06, 0.01), TERMS, 0.025) < 0.0


def test_what_could_be_seen_grows_with_the_requests() -> None:
    few, more, many = (shows(rate, 9 * rate, TERMS) for rate in (0.1, 1.0, 100.0))
    assert few is not None
    assert more is not None
    assert many is not None
    assert few > more > many
    assert shows(0.0, 9.0, TERMS) is None


def test_a_short_hold_is_judged_too() -> None:
    """Of a hold that is shorter than the trouble that it forgives, half is looked at."""
    short = Terms(0.005, 0.01, 20.0, 1.0, 20.0, FINE, DEAD)
    assert short.burst == 10
    assert short.starts == (2, 4, 6, 8)
    assert evidence([(50, 25, 450, 4)] * 20, short) >= FINE

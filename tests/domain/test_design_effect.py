"""How much more two slots differ from second to second than by chance: against the formula, written out."""

import numpy as np
import pytest

from core.domain.design_effect import LAGS, PRIOR, PRIOR_BLOCKS, SHRUNK, Floats, design_effects

USUAL = 0.01


def drawn(seed: int, seconds: int, together: bool) -> Floats:
    """A tenth of 1,000 requests a second to the new slot; `together`: every tenth second it fails half of them."""
    draw = np.random.default_rng(seed)
    new, live = draw.poisson(100, seconds), draw.poisson(900, seconds)
    share = np.where(together & (np.arange(seconds) % 10 == 5), 0.5, USUAL)
    return np.array([new, draw.binomial(new, share), live, draw.binomial(live, USUAL)], dtype=np.float64).T


def written_out(counts: Floats) -> float:
    """The effect of one span, in sums that hide nothing."""
    new, bad, live, live_bad = counts.T
    weight, apart = new * live / (new + live), bad.sum() / new.sum() - live_bad.sum() / live.sum()
    moved = bad / new - live_bad / live
    off = weight * (moved - (weight * moved).sum() / weight.sum())
    varied = sum(x * x for x in off)
    for lag in range(1, LAGS + 1):
        varied += 2 * (1 - lag / (LAGS + 1)) * sum(off[at] * off[at + lag] for at in range(len(off) - lag))
    share = (live_bad + SHRUNK * USUAL) / (live + SHRUNK)
    higher = max(apart, 0.0)
    ours = share * (1 - share) + higher * (1 - 2 * share) - higher**2
    chance = (weight**2 * (ours / new + share * (1 - share) / live)).mean()
    return float(max(1.0, (PRIOR * PRIOR_BLOCKS + varied / chance) / (PRIOR_BLOCKS + len(off) - 1)))


@pytest.mark.parametrize("together", [False, True])
def test_each_span_has_the_effect_of_its_own_seconds(together: bool) -> None:
    counts, starts = drawn(1, 120, together), np.array([0, 40, 90])
    found = design_effects(counts, counts[None, :, 1], USUAL, starts)[0]
    assert found == pytest.approx([written_out(counts[start:]) for start in starts])


def test_requests_that_fail_together_have_one_and_independent_ones_have_none() -> None:
    alone, together = drawn(2, 300, together=False), drawn(2, 300, together=True)
    assert design_effects(alone, alone[None, :, 1], USUAL, np.array([0]))[0, 0] < 1.5
    assert design_effects(together, together[None, :, 1], USUAL, np.array([0]))[0, 0] > 3


def test_a_harm_that_lasts_is_not_noise() -> None:
    counts = drawn(3, 200, together=False)
    counts[:, 1] += 10
    assert design_effects(counts, counts[None, :, 1], USUAL, np.array([0]))[0, 0] < 1.5


def test_seconds_without_requests_say_nothing() -> None:
    nobody = np.zeros((30, 4))
    assert design_effects(nobody, nobody[None, :, 1], USUAL, np.array([0]))[0, 0] == PRIOR

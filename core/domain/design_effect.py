"""How much more two slots differ from block to block than by chance alone. Pure; needs numpy.

Requests that fail together are one event (Kish, Survey Sampling, 1965), and blocks hang together over some lags (Newey
& West, Econometrica 55, 1987): evidence is divided by the long-run variance of the difference over its binomial one.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

SHRUNK = 20.0
"""What is usual counts as so many requests, until there are some."""
EDGE = 1e-6
LAGS = 10
PRIOR, PRIOR_BLOCKS = 1.5, 20.0
"""The design effect before anything is known, and how many blocks that counts as."""


def sums_since(values: Floats, starts: NDArray[np.int_]) -> Floats:
    """The sum of each row from each start to the end; starts grow, and the first is 0."""
    between = np.add.reduceat(values, starts, axis=-1)
    sums: Floats = np.cumsum(between[..., ::-1], axis=-1)[..., ::-1]
    return sums


def design_effects(counts: Floats, bad: Floats, usual: float, starts: NDArray[np.int_]) -> Floats:
    """At least 1, of each row of `bad` (of the new slot's requests) since each start.

    Every span has its own centre, so that a harm that lasts through it is not taken for noise, and trouble before it
    does not hide that. The blocks weigh as much as their pairs of requests do.
    """
    new, _, live, live_bad = counts.T
    asked = (new > 0) & (live > 0)
    weight = np.where(asked, new * live / np.maximum(new + live, 1.0), 0.0)
    moved = weight * (bad / np.maximum(new, 1.0) - live_bad / np.maximum(live, 1.0))
    alone, near = _squared(moved, weight)
    weighed = sums_since(weight, starts)
    mean = sums_since(moved, starts) / np.maximum(weighed, EDGE)
    varied = sums_since(alone, starts) - 2 * mean * sums_since(near, starts)
    varied = varied + mean * mean * sums_since(weight * (weight + 2 * _lagged(weight)), starts)
    blocks = sums_since(asked.astype(np.float64), starts)
    chance = _chance(counts, weight, usual, np.maximum(_apart(counts, bad, asked, starts), 0.0), starts)
    one = np.where(chance > 0, chance / np.maximum(blocks, 1.0), 1.0)
    effects: Floats = (PRIOR * PRIOR_BLOCKS + varied / one) / (PRIOR_BLOCKS + np.maximum(blocks - 1, 0.0))
    return np.maximum(effects, 1.0)


def _squared(moved: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Each block's part in the sum of squares and lagged products around 0, and what to take off for each unit of mean,
    halved."""
    after, heavy = _lagged(moved), _lagged(weight)
    return moved * (moved + 2 * after), weight * (moved + after) + moved * heavy


def _lagged(values: Floats) -> Floats:
    """Of each block the sum of those after it, which count the less the later they are."""
    after = np.zeros_like(values)
    for lag in range(1, min(LAGS, values.shape[-1] - 1) + 1):
        after[..., :-lag] += (1 - lag / (LAGS + 1)) * values[..., lag:]
    return after


def _apart(counts: Floats, bad: Floats, asked: NDArray[np.bool_], starts: NDArray[np.int_]) -> Floats:
    """By how much the new slot's share was above live's."""
    new, live, live_bad = (sums_since(counts[:, at] * asked, starts) for at in (0, 2, 3))
    apart: Floats = sums_since(bad * asked, starts) / np.maximum(new, 1.0) - live_bad / np.maximum(live, 1.0)
    return apart


def _chance(counts: Floats, weight: Floats, usual: float, apart: Floats, starts: NDArray[np.int_]) -> Floats:
    """What chance alone would have added to the sum of squares, where the new slot's share is `apart` above live's."""
    new, _, live, live_bad = counts.T
    share = (live_bad + SHRUNK * usual) / (live + SHRUNK)
    square, single = weight * weight, weight * weight / np.maximum(new, 1.0)
    alike = sums_since(share * (1 - share) * (single + square / np.maximum(live, 1.0)), starts)
    more = sums_since((1 - 2 * share) * single, starts)
    chance: Floats = alike + apart * more - apart * apart * sums_since(single, starts)
    return np.maximum(chance, 0.0)

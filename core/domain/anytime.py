"""Whether a new slot is worse than the live one, asked every second without crying wolf. Pure; needs numpy.

A gate that is looked at every second is the same test hundreds of times, so that a fixed p-value stops healthy
releases. Here each second's counts are a bet against "the new slot is at most so much worse": whoever bets against a
true statement gains more than 1/alpha with a chance of at most alpha, however often he looks (Ville's inequality).
Only the difference of the two slots must hold second by second: a bad hour that hits both alike is paid by both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, log
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.domain.design_effect import EDGE, PRIOR, SHRUNK, Floats, design_effects, sums_since

Counts: TypeAlias = tuple[int, int, int, int]
"""One block of time: requests of the new slot, bad ones of those, requests of the live slot, bad ones of those."""

EFFECTS = (0.004, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 0.95)
"""By how much more than is allowed the new slot may be worse: each is bet on, and the wealth is their mean."""
NEWTON_STEPS = 8
KNOWN = 10**9
"""Requests that leave nothing unknown about the other slot."""
COUNTED = 3.0
"""So many bad requests of a block count whatever they add: what fails one by one, where little comes, is no burst."""
RESTART_S = 2.0
MOST_RESTARTS = 300
FINE_SHARE, ALONE_SHARE, DEAD_SHARE = 0.76, 0.08, 0.16
"""Of the chance of a false stop: what the fine bets against the live slot get, those on the new one alone, whose limits
are far from what is usual, and the blunt ones."""
DEAD_FAILED, LIVE_HEALTHY = 0.2, 0.1
DEAD_BETS = (0.5, 1.0, 2.0, 3.0, 4.0, 4.9)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is fixed before a hold begins, and therefore in force until it ends.

    `allowed`: by how much the share of bad requests may be above the live slot's, 0 to 1; `usual`: the share that is
    expected of a healthy slot; `hold_s` the hold, `block_s` one block of it; `burst_s` how long one trouble may be that
    stops nothing; `bar` the log evidence at which it is worse, `dead_bar` the same for an outage; `most_a_s` the log
    evidence that a second may add to a bet, since what fails within one may fail together. `alone`: there is no other
    slot, and `allowed` is the share of bad requests itself.
    """

    allowed: float
    usual: float
    hold_s: float
    block_s: float
    burst_s: float
    bar: float
    dead_bar: float
    most_a_s: float = inf
    alone: bool = False

    @property
    def burst(self) -> int:
        """As blocks; at most half of the hold, or nothing could ever be shown."""
        return max(1, round(min(self.burst_s, self.hold_s / 2) / self.block_s))

    @property
    def blocks(self) -> int:
        """How many blocks the hold lasts."""
        return max(1, round(self.hold_s / self.block_s))

    @property
    def starts(self) -> tuple[int, ...]:
        """The blocks at which half of the money begins anew, so that a fault that begins late is caught soon.

        So often that none waits: what neighbours gain from the same fault adds up, so that a finer grid costs little.
        """
        every = max(1, round(max(RESTART_S, self.hold_s / MOST_RESTARTS) / self.block_s))
        return tuple(range(every, self.blocks - self.burst, every))


def bar(false_stop: float, share: float, bets: int) -> float:
    """The log evidence that stops a release with a chance of at most `false_stop`, of which so many bets in all its
    holds have a share (Bonferroni)."""
    return log(max(1, bets) / (share * false_stop))


def by_itself(counts: Sequence[tuple[int, int]]) -> list[Counts]:
    """Blocks of one slot, requests and bad ones, beside another that is known never to fail."""
    return [(of, bad, KNOWN, 0) for of, bad in counts]


def evidence(blocks: Sequence[Counts], terms: Terms) -> float:
    """The log evidence that the new slot is worse than allowed; 0 where nothing speaks for it.

    Half of the money is on the whole hold, the other half on what came since each restart (a mean of e-processes that
    begin at 1 is one: Shin, Ramdas & Rinaldo, E-detectors, 2022). Each bet goes without its best burst, and is divided
    by the design effect of its own blocks. What then lies under 1 counts as 1: max(1, wealth) ** (1 / effect) is at
    most 1 + wealth, so that for independent requests a bar B is passed with a chance of at most 1 / (B - 1).
    """
    begun = [start for start in (0, *terms.starts) if start + terms.burst < len(blocks)]
    if not begun:
        return 0.0
    counts, starts = np.array(blocks, dtype=np.float64), np.array(begun)
    logs, bad = bets(counts, terms)
    left = np.maximum(sums_since(logs, starts) - _best_bursts(logs, terms.burst, starts), 0.0)
    parts = _log_means(left / design_effects(counts, bad, terms.usual, starts))
    if not terms.starts:
        return float(parts[0])
    later = np.zeros(len(terms.starts))
    later[: len(parts) - 1] = parts[1:]
    return float(np.logaddexp(parts[0], _log_mean(later)) - log(2))


def bets(counts: Floats, terms: Terms) -> tuple[Floats, Floats]:
    """The log factors of each bet, a row an effect, none above what a block may add; and the new slot's bad requests
    that each counts of a block. A factor that is cut from above has a smaller mean, and is fair as before."""
    logs, worth = (
        _log_factors_alone(counts, terms.allowed)
        if terms.alone
        else _log_factors(counts, terms.allowed, terms.usual, EFFECTS)
    )
    cut = np.maximum(logs - terms.most_a_s * terms.block_s, 0.0)
    cut = np.minimum(cut, worth * np.maximum(counts[:, 1] - COUNTED, 0.0))
    return logs - cut, counts[:, 1] - cut / worth


def _best_bursts(logs: Floats, length: int, starts: NDArray[np.int_]) -> Floats:
    """The most that so many blocks in a row added to each bet since each start; at least 0."""
    sums = np.concatenate([np.zeros((len(logs), 1)), np.cumsum(logs, axis=1)], axis=1)
    gained = sums[:, length:] - sums[:, :-length]
    between = np.maximum.reduceat(gained, starts, axis=1)
    best: Floats = np.maximum.accumulate(between[:, ::-1], axis=1)[:, ::-1]
    return np.maximum(best, 0.0)


def _log_means(logs: Floats) -> Floats:
    """The log of the mean of each column."""
    top = logs.max(axis=0)
    means: Floats = top + np.log(np.exp(logs - top).mean(axis=0))
    return means


def _log_mean(logs: Floats) -> float:
    top = float(logs.max())
    return top + log(float(np.exp(logs - top).mean()))


def _log_factors(counts: Floats, allowed: float, usual: float, effects: Sequence[float]) -> tuple[Floats, Floats]:
    """The log of each block's factor, a row an effect: the likelihood of the alternative over that of the point of the
    null (share_new <= share_live + allowed) that is nearest to it. And by how much a bad request of the new slot that
    is a good one instead would lower it.

    Turner, Ly & Grünwald, Safe tests for 2 x 2 contingency tables (arXiv 2106.02693); for a null with a difference
    Turner & Grünwald (arXiv 2203.09785). The alternative knows the past alone: live's share so far.
    """
    new, new_bad, live, live_bad = counts.T
    before = np.concatenate([[0.0], np.cumsum(live)[:-1]])
    bad_before = np.concatenate([[0.0], np.cumsum(live_bad)[:-1]])
    alt_live = np.clip((SHRUNK * usual + bad_before) / (SHRUNK + before), EDGE, 1 - EDGE)[None, :]
    alt_new = np.clip(alt_live + allowed + np.array(effects)[:, None], 2 * EDGE, 1 - EDGE)
    null_new = _nearest(alt_new, alt_live, new[None, :], live[None, :], allowed)
    null_live = np.clip(null_new - allowed, EDGE, 1 - EDGE)
    if_bad, if_good = np.log(alt_new / null_new), np.log((1 - alt_new) / (1 - null_new))
    logs: Floats = (
        new_bad * if_bad
        + (new - new_bad) * if_good
        + live_bad * np.log(alt_live / null_live)
        + (live - live_bad) * np.log((1 - alt_live) / (1 - null_live))
    )
    # A block without requests in one slot compares nothing.
    logs[:, (new == 0) | (live == 0)] = 0.0
    return logs, np.maximum(if_bad - if_good, EDGE)


def _log_factors_alone(counts: Floats, allowed: float) -> tuple[Floats, Floats]:
    """The same of the new slot by itself: the likelihood of a larger share over that of the one that is allowed."""
    new, new_bad, _, _ = counts.T
    larger = np.clip(allowed + np.array(EFFECTS)[:, None], 2 * EDGE, 1 - EDGE)
    if_bad, if_good = np.log(larger / allowed), np.log((1 - larger) / (1 - allowed))
    logs: Floats = new_bad * if_bad + (new - new_bad) * if_good
    return logs, np.maximum(if_bad - if_good, EDGE)


def _nearest(alt_new: Floats, alt_live: Floats, new: Floats, live: Floats, allowed: float) -> Floats:
    """The new slot's share at the nearest point of the null: it makes new KL(alt_new) + live KL(alt_live) least."""
    weights = np.maximum(new + live, 1.0)
    if allowed == 0:
        return np.clip((new * alt_new + live * alt_live) / weights, EDGE, 1 - EDGE)
    low, high = np.clip(alt_live + allowed, 2 * EDGE, 1 - EDGE), alt_new
    at = np.clip((new * alt_new + live * low) / weights, low, high)
    for _ in range(NEWTON_STEPS):
        other = np.clip(at - allowed, EDGE, 1 - EDGE)
        here, there = at * (1 - at), other * (1 - other)
        # The slope of that sum, times what it is divided by: a cubic, whose root between the two is the least point.
        slope = new * (alt_new - at) * there + live * (alt_live - other) * here
        bent = new * ((alt_new - at) * (1 - 2 * other) - there) + live * ((alt_live - other) * (1 - 2 * at) - here)
        at = np.clip(at - slope / np.minimum(bent, -EDGE), low, high)
    nearest: Floats = np.clip(at, EDGE, 1 - EDGE)
    return nearest


def dead(blocks: Sequence[Counts], terms: Terms) -> float:
    """The log evidence against "the new slot fails at most a fifth of its requests while live is well".

    Bets on a bounded mean (Waudby-Smith & Ramdas, JRSS B 86, 2023), half of them begun anew with each block. Quick
    where all fails, blind to less: what `evidence` leaves out as a burst this still sees.
    """
    counts = np.array(blocks, dtype=np.float64).reshape(-1, 4)
    new, new_bad, live, live_bad = counts.T
    asked = (new > 0) & (live > 0) & (live_bad <= LIVE_HEALTHY * live)
    share = np.where(asked, new_bad / np.maximum(new, 1.0), DEAD_FAILED)
    logs = np.log1p(np.array(DEAD_BETS)[:, None] * (share - DEAD_FAILED))
    if not logs.shape[1]:
        return 0.0
    since = np.cumsum(logs[:, ::-1], axis=1)[:, ::-1]
    top = np.maximum(since.max(axis=0), 0.0)
    wealth = top + np.log(np.exp(since - top).mean(axis=0))
    begun, blocks_in_all = len(wealth), max(terms.blocks, len(wealth))
    anew = np.concatenate([wealth, np.zeros(blocks_in_all - begun)])
    return float(np.logaddexp(wealth[0], _log_mean(anew)) - log(2))


def fine(blocks: Sequence[Counts], terms: Terms, margin: float) -> float:
    """The log evidence that the new slot is less than `margin` worse: the same game the other way round.

    To be asked at the end of a hold alone: before, the rare bad second of a single new replica may not have come yet.
    """
    if not blocks:
        return 0.0
    counts = np.array(blocks, dtype=np.float64)
    turned = counts[:, [2, 3, 0, 1]]
    logs, _ = _log_factors(turned, -margin, terms.usual, (margin / 2, margin, 1.5 * margin))
    wealth = _log_mean(logs.sum(axis=1))
    effect = design_effects(counts, counts[None, :, 1], terms.usual, np.array([0]))
    return wealth / float(effect[0, 0]) if wealth > 0 else wealth


@lru_cache(maxsize=256)
def shows(new_a_s: float, live_a_s: float, terms: Terms, phi: float = PRIOR) -> float | None:
    """By how much worse than allowed the new slot must be for a hold of these request rates to show it; None: nothing.

    Where the bet on a difference gains its bar on average within the hold without its best burst.
    """
    left_s = terms.hold_s - terms.burst * terms.block_s
    if min(new_a_s, live_a_s) <= 0:
        return None
    for effect in (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 0.8):
        worse = min(terms.usual + terms.allowed + effect, 1 - EDGE)
        arrays = (np.array([[value]]) for value in (worse, terms.usual, new_a_s, live_a_s))
        alt_new, alt_live, new, live = arrays
        null_new = float(_nearest(alt_new, alt_live, new, live, terms.allowed)[0, 0])
        gain = new_a_s * _kl(worse, null_new) + live_a_s * _kl(terms.usual, max(EDGE, null_new - terms.allowed))
        # A mean of nine bets, each with a ninth of half of the money.
        if gain * left_s / phi >= terms.bar + log(2 * len(EFFECTS)):
            return effect
    return None


def _kl(one: float, other: float) -> float:
    """How far apart two shares are: the mean log factor where `one` is true and `other` is not."""
    return one * log(one / other) + (1 - one) * log((1 - one) / (1 - other))

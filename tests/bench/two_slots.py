"""What two slots answer in ten minutes, drawn second by second: what gates against the live slot are tried on.

Ten replicas, shared out as the traffic is. Not bursty: failures are independent. Bursty: a common level that drifts,
common outages (20 % for 4 s, every 300 s), and on each replica by itself bursts of failures (30 % for 3 s, every
200 s), pauses (5 % of its seconds, 0.3 s), a speed that drifts and a node that is a little quicker or slower.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from core.domain.anytime import Counts
from core.domain.histogram import RATIO, bucket

HOLD_S, REPLICAS = 600, 10
BAND = 12
"""Buckets of the dead band: 25 %, rounded up."""
LOWEST, BUCKETS = bucket(0.2), 600
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scene:
    """How much comes, which share of it to the new slot, and what is wrong with that from a second on: it fails by so
    many points more, or is so many times as slow."""

    rps: float
    share: float = 0.1
    bursty: bool = True
    points: float = 0.0
    slower: float = 1.0
    begins: int = 0

    @property
    def slots(self) -> tuple[tuple[int, float], tuple[int, float]]:
        """Replicas and share, of the new slot and of the live one."""
        owned = max(1, round(REPLICAS * self.share))
        return (owned, self.share), (REPLICAS - owned, 1 - self.share)

    @property
    def faulty(self) -> NDArray[np.bool_]:
        """The seconds with the fault."""
        return np.arange(HOLD_S) >= self.begins


def failures(draw: np.random.Generator, scene: Scene) -> list[Counts]:
    """A hold's counts of failures, second by second."""
    rates, level = np.full(HOLD_S, scene.rps), np.full(HOLD_S, 0.01)
    if scene.bursty:
        rates = rates * draw.gamma(4.0, 0.25, HOLD_S)
        level = 0.01 * np.exp(_drifts(draw, 100.0, 0.5, 1)[0] - 0.125)
        level = np.where(_episodes(draw, 4.0, 300.0), 0.2, level)
    sides: list[Ints] = []
    for replicas, share in scene.slots:
        own = np.tile(level, (replicas, 1))
        if scene.bursty:
            own = np.where([_episodes(draw, 3.0, 200.0) for _ in range(replicas)], 0.3, own)
        if not sides:
            own = own + np.where(scene.faulty, scene.points, 0.0)
        asked = draw.poisson(np.tile(rates * share / replicas, (replicas, 1)))
        sides += [asked.sum(axis=0), draw.binomial(asked, np.clip(own, 0, 1)).sum(axis=0)]
    return _counts(*sides)


def slow(draw: np.random.Generator, scene: Scene, quantiles: tuple[float, ...]) -> list[list[Counts]]:
    """A hold's counts of answers beyond live's quantiles of the minute before; the new slot's by a dead band more."""
    base = np.full(HOLD_S, 20.0)
    if scene.bursty:
        base = base * np.exp(_drifts(draw, 200.0, 0.15, 1)[0])
    sides: list[Ints] = []
    for replicas, share in scene.slots:
        own = np.tile(base, (replicas, 1))
        if scene.bursty:
            own = own * np.exp(_drifts(draw, 8.0, 0.05, replicas) + draw.normal(0, 0.04, (replicas, 1)))
        if not sides:
            own = own * np.where(scene.faulty, scene.slower, 1.0)
        sides.append(_histograms(draw, scene, own, scene.rps * share / replicas))
    return [_beyond(sides[0], sides[1], quantile) for quantile in quantiles]


def _histograms(draw: np.random.Generator, scene: Scene, own: Floats, rate: float) -> Ints:
    """The answers of a slot's replicas, a row a second, a column a bucket."""
    asked = draw.poisson(rate, own.shape).ravel()
    second = np.repeat(np.tile(np.arange(HOLD_S), len(own)), asked)
    took = np.repeat(own.ravel(), asked) * np.exp(0.5 * draw.standard_normal(len(second)))
    if scene.bursty:
        paused = draw.random(own.shape) < 0.05
        lasts = np.where(paused, 300.0 * np.exp(draw.normal(0, 0.5, own.shape)), 0.0)
        # Requests meet a random part of the pause.
        met = np.repeat(paused.ravel(), asked)
        took[met] += np.maximum(0.0, np.repeat(lasts.ravel(), asked)[met] - 1000.0 * draw.random(int(met.sum())))
    place = (1 + np.log(took / 0.01) / np.log(RATIO)).astype(np.int64)
    column = np.clip(place - LOWEST, 0, BUCKETS - 1)
    return np.bincount(second * BUCKETS + column, minlength=HOLD_S * BUCKETS).reshape(HOLD_S, BUCKETS)


def _beyond(new: Ints, live: Ints, quantile: float) -> list[Counts]:
    sums = np.concatenate([np.zeros((1, BUCKETS), np.int64), np.cumsum(live, axis=0)])
    seconds = np.arange(HOLD_S)
    past = np.cumsum(sums[:HOLD_S] - sums[np.maximum(0, seconds - 60)], axis=1)
    enough = past[:, -1] >= max(20.0, 5 / (1 - quantile))
    edge = (past >= np.maximum(past[:, -1:] * quantile, 1e-9)).argmax(axis=1)
    new_sums, live_sums = np.cumsum(new, axis=1), np.cumsum(live, axis=1)
    new_bad = new_sums[:, -1] - new_sums[seconds, np.minimum(edge + BAND, BUCKETS - 1)]
    live_bad = live_sums[:, -1] - live_sums[seconds, edge]
    return _counts(*(side * enough for side in (new_sums[:, -1], new_bad, live_sums[:, -1], live_bad)))


def _drifts(draw: np.random.Generator, seconds: float, spread: float, rows: int) -> Floats:
    """An AR(1) of that time constant in each row."""
    kept = np.exp(-1 / seconds)
    noise = draw.normal(0, spread * sqrt(1 - kept * kept), (HOLD_S, rows))
    noise[0] = draw.normal(0, spread, rows)
    for at in range(1, HOLD_S):
        noise[at] += kept * noise[at - 1]
    return noise.T


def _episodes(draw: np.random.Generator, length: float, every: float) -> NDArray[np.bool_]:
    """Seconds within episodes that last so long on average, one every so often."""
    inside = np.zeros(HOLD_S, bool)
    at = draw.exponential(every)
    while at < HOLD_S:
        lasts = draw.exponential(length)
        inside[int(at) : int(at + lasts) + 1] = True
        at += lasts + draw.exponential(every)
    return inside


def _counts(new: Ints, new_bad: Ints, live: Ints, live_bad: Ints) -> list[Counts]:
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in zip(new, new_bad, live, live_bad, strict=True)]

"""Gates against the live slot by simulation: false stops of healthy releases, and how soon a fault is caught.

    python -m tests.bench.gates                     60 releases a row, looked at every 2 s
    python -m tests.bench.gates --releases 299 --look 1 --only healthy

A canary over ten replicas, three holds of 600 s, shares 10, 50 and 90 %. `iid`: failures are independent. `bursty`: a
common level that drifts, common outages, and on each replica by itself bursts of failures (30 % for 3 s, every 200 s)
and pauses. Beside ours stands a two-proportion z-test that is looked at as often, with p < 0.01.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, median

import numpy as np
from numpy.typing import NDArray

from core.domain.anytime import Counts, Terms, bars, dead, evidence

HOLD_S, REPLICAS = 600, 10
FINE, DEAD = bars(0.01, 3, 3)
FAILURES = Terms(0.005, 0.01, HOLD_S, 1.0, 20.0, FINE, DEAD)
SLOW = Terms(0.0, 0.05, HOLD_S, 1.0, 20.0, FINE, DEAD)
Z = NormalDist().inv_cdf(0.99)


@dataclass(frozen=True, slots=True)
class Fault:
    """From a second on the new slot fails by so many points more, or is so many times as slow."""

    points: float = 0.0
    slower: float = 1.0
    begins: int = 0


def failures(draw: np.random.Generator, rps: float, share: float, bursty: bool, fault: Fault) -> list[Counts]:
    """A hold's counts of failures, second by second."""
    rates = rps * (draw.gamma(4.0, 0.25, HOLD_S) if bursty else np.ones(HOLD_S))
    level = np.full(HOLD_S, 0.01)
    if bursty:
        level = 0.01 * np.exp(_drift(draw, 100.0, 0.5) - 0.125)
        level = np.where(_episodes(draw, 4.0, 300.0), 0.2, level)
    owned = max(1, round(REPLICAS * share))
    sides: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for replicas, part in ((owned, share), (REPLICAS - owned, 1 - share)):
        asked, bad = np.zeros(HOLD_S, int), np.zeros(HOLD_S, int)
        for _ in range(replicas):
            own = np.where(_episodes(draw, 3.0, 200.0), 0.3, level) if bursty else level
            if not sides:
                own = np.where(np.arange(HOLD_S) >= fault.begins, own + fault.points, own)
            count = draw.poisson(rates * part / replicas)
            asked += count
            bad += draw.binomial(count, np.clip(own, 0, 1))
        sides.append((asked, bad))
    return _counts(sides)


def slow(draw: np.random.Generator, rps: float, share: float, bursty: bool, fault: Fault) -> list[Counts]:
    """A hold's counts of answers slower than live's p95 of the minute before; the new slot's by a quarter more."""
    base = 20.0 * (np.exp(_drift(draw, 200.0, 0.15)) if bursty else np.ones(HOLD_S))
    owned = max(1, round(REPLICAS * share))
    times: list[list[NDArray[np.float64]]] = []
    for replicas, part in ((owned, share), (REPLICAS - owned, 1 - share)):
        seconds: list[list[NDArray[np.float64]]] = [[] for _ in range(HOLD_S)]
        for _ in range(replicas):
            own = base * (np.exp(_drift(draw, 8.0, 0.05)) * np.exp(draw.normal(0, 0.04)) if bursty else 1.0)
            if not times:
                own = np.where(np.arange(HOLD_S) >= fault.begins, own * fault.slower, own)
            paused = draw.random(HOLD_S) < 0.05 if bursty else np.zeros(HOLD_S, bool)
            for at, count in enumerate(draw.poisson(rps * part / replicas, HOLD_S)):
                took = own[at] * np.exp(draw.normal(0, 0.5, count))
                if paused[at]:
                    # Requests meet a random part of the pause.
                    stop = 300.0 * np.exp(draw.normal(0, 0.5))
                    took = took + np.maximum(0.0, stop - draw.random(count) * 1000.0)
                seconds[at].append(took)
        times.append([np.concatenate(parts) for parts in seconds])
    return _beyond(times[0], times[1])


def _beyond(new: list[NDArray[np.float64]], live: list[NDArray[np.float64]]) -> list[Counts]:
    found: list[Counts] = []
    for at in range(HOLD_S):
        past = np.concatenate(live[max(0, at - 60) : at]) if at else np.zeros(0)
        if len(past) < 100:
            found.append((0, 0, 0, 0))
            continue
        edge = float(np.quantile(past, 0.95))
        beyond = int((new[at] > 1.268 * edge).sum()), int((live[at] > edge).sum())
        found.append((len(new[at]), beyond[0], len(live[at]), beyond[1]))
    return found


def _drift(draw: np.random.Generator, seconds: float, spread: float) -> NDArray[np.float64]:
    """An AR(1) of that time constant."""
    kept = np.exp(-1 / seconds)
    noise = draw.normal(0, spread * sqrt(1 - kept * kept), HOLD_S)
    noise[0] = draw.normal(0, spread)
    out = np.empty(HOLD_S)
    out[0] = noise[0]
    for at in range(1, HOLD_S):
        out[at] = kept * out[at - 1] + noise[at]
    return out


def _episodes(draw: np.random.Generator, length: float, every: float) -> NDArray[np.bool_]:
    """Seconds within episodes that last so long on average, one every so often."""
    inside = np.zeros(HOLD_S, bool)
    at = draw.exponential(every)
    while at < HOLD_S:
        lasts = draw.exponential(length)
        inside[int(at) : int(at + lasts) + 1] = True
        at += lasts + draw.exponential(every)
    return inside


def _counts(sides: list[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> list[Counts]:
    (new, bad), (live, live_bad) = sides
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in zip(new, bad, live, live_bad, strict=True)]


def stopped(counts: list[Counts], terms: Terms, look: int, outage: bool) -> int | None:
    """The second at which a hold stops; None when it does not."""
    for at in range(look, len(counts) + 1, look):
        if evidence(counts[:at], terms) >= terms.bar or (outage and dead(counts[:at], terms) >= terms.dead_bar):
            return at
    return None


def stopped_by_z(counts: list[Counts], allowed: float, look: int) -> int | None:
    """The same by a two-proportion test whose p is looked at as if that were once."""
    sums = np.cumsum(np.array(counts, float), axis=0)
    for at in range(look, len(counts) + 1, look):
        new, bad, live, live_bad = sums[at - 1]
        if min(new, live) < 20:
            continue
        pooled = (bad + live_bad) / (new + live)
        error = sqrt(max(pooled * (1 - pooled), 1e-9) * (1 / new + 1 / live))
        if (bad / new - live_bad / live - allowed) / error > Z:
            return at
    return None


Draw = Callable[[np.random.Generator, float, float, bool, Fault], list[Counts]]


def healthy(name: str, make: Draw, terms: Terms, rps: float, bursty: bool, releases: int, look: int, seed: int) -> int:
    """One row: how many of so many healthy releases are stopped; gives ours."""
    draw, ours, fixed = np.random.default_rng(seed), 0, 0
    for _ in range(releases):
        holds = [make(draw, rps, share, bursty, Fault()) for share in (0.1, 0.5, 0.9)]
        ours += any(stopped(counts, terms, look, terms.allowed > 0) is not None for counts in holds)
        fixed += any(stopped_by_z(counts, 0.0, look) is not None for counts in holds)
    kind = "bursty" if bursty else "iid"
    print(
        f"{name:<10} {kind:<7} {rps:>6g} rps  ours {ours:>3} of {releases}   fixed p {fixed:>3} of {releases}",
        flush=True,
    )
    return ours


def caught(name: str, make: Draw, terms: Terms, rps: float, fault: Fault, releases: int, seed: int) -> float:
    """One row: the median second after its beginning at which a fault is caught in the first hold, bursty."""
    draw, times = np.random.default_rng(seed), []
    for _ in range(releases):
        counts = make(draw, rps, 0.1, True, fault)
        at = stopped(counts, terms, 1, terms.allowed > 0)
        times.append(float("inf") if at is None else at - fault.begins)
    share = sum(time < HOLD_S for time in times) / releases
    when = f"at {fault.begins} s" if fault.begins else "at once"
    print(
        f"{name:<18} {rps:>6g} rps  begins {when:<9} median {median(times):>6.0f} s, caught {100 * share:.0f} %",
        flush=True,
    )
    return median(times)


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--releases", type=int, default=60)
    parser.add_argument("--look", type=int, default=2)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--only", default="", help="healthy or faults.")
    given = parser.parse_args()
    if given.only in ("", "healthy"):
        for name, make, terms in (("failures", failures, FAILURES), ("p95", slow, SLOW)):
            for bursty in (False, True):
                for rps in (10.0, 100.0, 1000.0):
                    if name == "p95" and rps > 100:
                        continue
                    healthy(name, make, terms, rps, bursty, given.releases, given.look, given.seed)
    if given.only in ("", "faults"):
        few = max(5, given.releases // 6)
        for begins in (0, 300):
            for rps in (10.0, 100.0, 1000.0):
                caught("100 % fail", failures, FAILURES, rps, Fault(0.99, begins=begins), few, given.seed)
            for rps in (100.0, 1000.0):
                caught("+5 points fail", failures, FAILURES, rps, Fault(0.05, begins=begins), few, given.seed)
                caught("p95 doubled", slow, SLOW, rps, Fault(slower=2.0, begins=begins), few, given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Gates against the live slot by simulation: healthy releases that are stopped, and how soon a fault is caught.

    python -m tests.bench.gates                             299 releases and 40 faults a row, looked at each second
    python -m tests.bench.gates --only healthy --releases 473 --seed 5
    python -m tests.bench.gates --only faults --burst 10    what forgiving shorter bursts gains

A canary over ten replicas, three holds of 600 s, shares 10, 50 and 90 %, judged by failures, p50 and p95 together, and
by the new slot's failures alone, of which 5 % are allowed. What comes is drawn by `tests/bench/two_slots.py`. A fault
is in the first hold, from its start or from a second between 240 and 360. Beside ours stands a two-proportion z-test
that is looked at as often, with p < 0.01.
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace
from math import inf
from statistics import NormalDist, median

import numpy as np

from core.domain.anytime import DEAD_FAILED, Counts, Terms, bets, by_itself, dead, evidence
from core.domain.gates import Gate
from core.domain.plan import Hold, Plan, Shift
from core.rollout.comparison import terms_of
from tests.bench.two_slots import HOLD_S, Scene, failures, slow

GATES = (
    Gate("failed_percent", "<", 5.0),
    *(Gate(name, "<", limit, "live") for name, limit in (("failed_percent", 0.5), ("p50_ms", 25.0), ("p95_ms", 25.0))),
)
HOLD = Hold(float(HOLD_S), GATES)
PLAN = Plan("canary", (Shift(10), HOLD, Shift(50), HOLD, Shift(90), HOLD))
ALONE, FAILED, P50, P95 = (terms_of(gate, HOLD, PLAN, 1.0) for gate in GATES)
SHARES = (0.1, 0.5, 0.9)
Z = NormalDist().inv_cdf(0.99)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the new slot, and its goals in seconds by requests a second. `alone`: it is judged
    without the live slot."""

    name: str
    points: float = 0.0
    slower: float = 1.0
    alone: bool = False
    goals: tuple[tuple[float, int], ...] = ()


FAULTS = (
    Fault("100 % fail", points=0.99, goals=((10.0, 20), (100.0, 12), (1000.0, 12))),
    Fault("+5 points fail", points=0.05, goals=((100.0, 130), (1000.0, 60))),
    Fault("100 % fail, alone", points=0.99, alone=True, goals=((10.0, 20), (100.0, 12), (1000.0, 12))),
    Fault("+10 points, alone", points=0.1, alone=True, goals=((100.0, 130), (1000.0, 60))),
    Fault("p95 doubled", slower=2.0, goals=((100.0, 60), (1000.0, 25))),
)


def stopped(counts: list[Counts], terms: Terms) -> int | None:
    """The second at which a hold that is looked at each second stops; None when it does not."""
    outage = terms.allowed > 0
    logs, _ = bets(np.array(counts, dtype=np.float64), terms)
    sums = np.cumsum(np.concatenate([np.zeros((len(logs), 1)), logs], axis=1), axis=1)
    # No bet has gained the bar since any second: no look could stop, nor is the rest of the sum worth its while.
    could = (sums - np.minimum.accumulate(sums, axis=1)).max(axis=0)[1:] >= terms.bar
    for at, (new, bad, _, _) in enumerate(counts, 1):
        if could[at - 1] and evidence(counts[:at], terms) >= terms.bar:
            return at
        # Only a second of many failures lets this grow.
        if outage and bad > DEAD_FAILED * new and dead(counts[:at], terms) >= terms.dead_bar:
            return at
    return None


def own(counts: list[Counts], terms: Terms) -> list[Counts]:
    """The counts that terms ask for: of both slots, or of the new one alone."""
    return by_itself([(new, bad) for new, bad, _, _ in counts]) if terms.alone else counts


def stopped_by_z(counts: list[Counts], allowed: float) -> int | None:
    """The same by a two-proportion test whose p is looked at as if that were once."""
    new, bad, live, live_bad = np.cumsum(np.array(counts, float), axis=0).T
    enough = np.minimum(new, live) >= 20
    new, live = np.maximum(new, 1.0), np.maximum(live, 1.0)
    pooled = (bad + live_bad) / (new + live)
    error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-9) * (1 / new + 1 / live))
    beyond = enough & ((bad / new - live_bad / live - allowed) / error > Z)
    return int(beyond.argmax()) + 1 if beyond.any() else None


def release(draw: np.random.Generator, rps: float, bursty: bool, burst_s: float) -> tuple[bool, bool, bool]:
    """Whether one healthy release is stopped: by a comparison, by the limit alone, and by the fixed p."""
    ours = alone = fixed = False
    for share in SHARES:
        scene = Scene(rps, share, bursty)
        failed = failures(draw, scene)
        judged = zip((failed, failed, *slow(draw, scene, (0.5, 0.95))), (ALONE, FAILED, P50, P95), strict=True)
        for counts, terms in judged:
            at = stopped(own(counts, terms), replace(terms, burst_s=burst_s))
            ours, alone = ours or (at is not None and not terms.alone), alone or (at is not None and terms.alone)
            fixed = fixed or (not terms.alone and stopped_by_z(counts, 0.0) is not None)
    return ours, alone, fixed


def healthy(rps: float, bursty: bool, releases: int, seed: int, burst_s: float = 20.0) -> int:
    """One row: how many of so many healthy releases are stopped; gives those that a comparison stops.

    In a burst of both slots more requests may fail for a while than a limit allows: who stops then blames nobody.
    """
    draw, began = np.random.default_rng([seed, int(rps), bursty]), time.process_time()
    ended = [release(draw, rps, bursty, burst_s) for _ in range(releases)]
    ours, alone, fixed = (sum(each[which] for each in ended) for which in range(3))
    kind, took = "bursty" if bursty else "iid", time.process_time() - began
    say(
        f"healthy {kind:<7} {rps:>6g} rps   stopped {ours:>3} of {releases}   "
        f"by the limit {alone:>3}   "
        f"fixed p {fixed:>3} of {releases}   ({took:.0f} s)"
    )
    return ours


def caught(fault: Fault, rps: float, late: bool, times: int, seed: int, burst_s: float = 20.0) -> float:
    """One row: the median second after its beginning at which a fault is caught in the first hold."""
    draw = np.random.default_rng([seed, int(rps), late, int(100 * fault.points)])
    took, fixed, before = [], [], 0
    for _ in range(times):
        begins = int(draw.integers(240, 360)) if late else 0
        scene = Scene(rps, 0.1, True, fault.points, fault.slower, begins)
        errors = ALONE if fault.alone else FAILED
        counts, terms = (failures(draw, scene), errors) if fault.points else (slow(draw, scene, (0.95,))[0], P95)
        at = stopped(own(counts, terms), replace(terms, burst_s=burst_s))
        by_z = stopped_by_z(counts, 0.005 if fault.alone else terms.allowed)
        before += at is not None and at <= begins
        took.append(inf if at is None else at - begins)
        fixed.append(inf if by_z is None else by_z - begins)
    early = sum(each <= 0 for each in fixed)
    when, share = "in mid-hold" if late else "at once", 100 * sum(each < inf for each in took) / times
    say(
        f"{fault.name:<18} {rps:>6g} rps   begins {when:<12} median {median(took):>4.0f} s "
        f"of {dict(fault.goals)[rps]:>3}, caught {share:>3.0f} %, before it {before}   "
        f"fixed p {median(fixed):>4.0f} s, before it {early} of {times}"
    )
    return median(took)


def say(line: str) -> None:
    """At once, since the next row takes its time."""
    print(line, flush=True)


def look(seconds: int) -> float:
    """Milliseconds of CPU for one look at a hold that has lasted so long, in the blocks that it is judged by."""
    block_s = max(1.0, seconds / 1200)
    blocks = failures(np.random.default_rng(1), Scene(1000.0))
    counts = (blocks * 2)[: round(seconds / block_s)]
    terms = replace(FAILED, hold_s=float(seconds), block_s=block_s)
    began, looks = time.process_time(), 50
    for _ in range(looks):
        evidence(counts, terms)
        dead(counts, terms)
    return 1000 * (time.process_time() - began) / looks


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=299)
    parser.add_argument("--faults", type=int, default=40)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--burst", type=float, default=20.0, help="release.burst_s, in seconds.")
    parser.add_argument("--only", choices=("healthy", "faults", "cost"), default=None)
    given = parser.parse_args()
    if given.only in (None, "cost"):
        for seconds in (60, 600, 3600):
            say(f"a look at {seconds:>5} s   {look(seconds):.1f} ms of CPU")
    if given.only in (None, "faults"):
        for fault in FAULTS:
            for rps, _ in fault.goals:
                for late in (False, True):
                    caught(fault, rps, late, given.faults, given.seed, given.burst)
    if given.only in (None, "healthy"):
        for bursty in (True, False):
            for rps in (10.0, 100.0, 1000.0):
                healthy(rps, bursty, given.releases, given.seed, given.burst)
    return 0


if __name__ == "__main__":
    sys.exit(main())

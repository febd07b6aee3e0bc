"""Writes `canary.jsonl`: a release by canary under load, then taken back. Invented, and the same at each run.

Run as `python -m tests.recordings.make`; the figures follow from a seeded generator and a few rules of thumb.
"""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import NormalDist

from core.domain.gates import Gate
from core.domain.histogram import Histogram
from core.domain.judging import judge
from core.domain.load_profile import LoadProfile
from core.domain.model import Observation, Reading, Replica, ReplicaState, Scaled, Version
from core.domain.plan import MODEL_WORK, Shift, title
from core.domain.sample import Sample
from core.domain.strategies import Rollout, canary
from core.state import events as ev
from core.state.codec import dumps

FILE = Path(__file__).parent / "canary.jsonl"
MOMENT = datetime(2026, 3, 12, 14, 2, 31, tzinfo=UTC).timestamp()
"""When v7 has held 10 % of the traffic for 41 s: the picture of the README."""
KEY = MOMENT + 40
"""When somebody presses R, at 50 %."""

RELEASE, ENDPOINT = "late-0007", "late"
LIVE = Version("late", "6", "run-6", "models:/late/6")
NEW = Version("late", "7", "run-7", "models:/late/7")
PROFILE = LoadProfile("background", 300, 3.0, None)
GATES = (
    Gate("failed_percent", "<", 5.0),
    Gate("success_percent", ">=", 95.0),
    Gate("p50_ms", "<", 500.0),
    Gate("p95_ms", "<", 2000.0),
    Gate("p95_ms", "<", 25.0, against="live", at_least=100, dry_run=True),
    Gate("p99_ms", "<", 3000.0, at_least=4000),
)
LIMITS = (Gate("failed_percent", "<", 1.0), Gate("p95_ms", "<", 2000.0))
TOOK = {"data": 0.4, "preprocess": 0.9, "train": 12.1, "evaluate": 0.6, "gate": 0.1, "register": 0.3, "check": 0.8}
FIGURE = {
    "data": "20k rows",
    "preprocess": "15 fields",
    "train": "20 of 20",
    "evaluate": "f1 .857",
    "gate": "+1.8 %",
    "register": "v7",
    "check": "20k equal",
    "deploy": "4 ready",
    "smoke": "50 of 50",
}
QUANTILES = [NormalDist().inv_cdf((at + 0.5) / 40) for at in range(40)]
Fact = tuple[float, str, ev.Body]


def users_at(s: float) -> int:
    """Users of the load, `s` seconds from the moment of the picture."""
    return round(min(300, max(20, 20 + 280 * (s + 180) / 135)))


def replicas_at(s: float) -> int:
    """Replicas of the live slot."""
    return 2 if s < -95 else 4 if s < -75 else 8


def strain(s: float) -> float:
    """How much longer answers take while there are too few replicas."""
    return 1.0 + max(0.0, (users_at(s) / replicas_at(s) - 32) / 22)


def sample(rng: random.Random, slot: str | None, s: float, share: float, mix: dict[str, int]) -> Sample:
    """One second of answers of one slot, or of all where `slot` is None."""
    count = max(1, round(users_at(s) * 1.37 * share * rng.uniform(0.96, 1.04)))
    quick = 0.83 if slot == "green" else 1.0
    middle = 33 * quick * strain(s) * rng.uniform(0.95, 1.05)
    spread = [middle * math.exp(0.62 * z * rng.uniform(0.96, 1.06)) for z in QUANTILES]
    each, more = divmod(count, len(spread))
    by_ms: dict[float, int] = {}
    for at, ms in enumerate(spread):
        by_ms[round(ms, 1)] = by_ms.get(round(ms, 1), 0) + each + (at < more)
    failed = {"503": 1} if rng.random() < (0.35 if slot is None else 0.1) else {}
    users = users_at(s) if slot is None else None
    ok = count - sum(failed.values())
    return Sample(slot, MOMENT + s, ok, failed, users, Histogram.of_counts(by_ms), mix)


def weight_at(s: float) -> float:
    """The share of the traffic that green has, in percent."""
    return 0.0 if s < -41 else 10.0 if s < 19 else 50.0 if s < 40.038 else 0.0


def telemetry(rng: random.Random, begin: int, end: int) -> Iterator[Fact]:
    """What the load and the router count, each second, and what the target's watch sees now and then."""
    for s in range(begin, end):
        green = weight_at(s) / 100
        requests = round(users_at(s) * 1.37)
        seven = round(requests * max(0.0, green + (rng.gauss(0, 0.004) if green else 0)))
        mix = {"version:6": requests - seven, **({"version:7": seven} if seven else {})}
        yield MOMENT + s, "load", ev.Sampled(ENDPOINT, sample(rng, None, s, 1.0, mix))
        if green < 1:
            blue = sample(rng, "blue", s, 1 - green, {"version:6": requests - seven})
            yield MOMENT + s + 0.02, "target", ev.Sampled(ENDPOINT, blue)
        if green:
            yield (
                MOMENT + s + 0.03,
                "target",
                ev.Sampled(ENDPOINT, sample(rng, "green", s, green, {"version:7": seven})),
            )
        if s % 5 == 0:
            for slot in ("blue", "green") if s >= -48 else ("blue",):
                yield MOMENT + s + 0.1, "target", ev.Observed(ENDPOINT, seen(rng, slot, s))
        if s % 15 == 10 and s >= -95:
            yield MOMENT + s + 0.2, "target", ev.Looked(ENDPOINT, looked(rng, s))


def seen(rng: random.Random, slot: str, s: float) -> Observation:
    """What the watch sees of a slot."""
    count = replicas_at(s) if slot == "blue" else 4
    weight = weight_at(s) if slot == "green" else 100 - weight_at(s)
    busy = 200 * min(1.0, users_at(s) * weight / 100 / count / 48)
    replicas = tuple(
        Replica(f"{slot}-{n}", ReplicaState.READY, busy * rng.uniform(0.9, 1.05), 61 + 3 * rng.random(), int(n == 3))
        for n in range(1, count + 1)
    )
    return Observation(slot, LIVE if slot == "blue" else NEW, count, count, weight, replicas)


def looked(rng: random.Random, s: float) -> Scaled:
    """One look of the autoscaler at the live slot."""
    before, after = {-95: (2, 4), -80: (4, 8)}.get(round(s), (replicas_at(s), replicas_at(s)))
    cpu = 151.0 if before != after else 58 + 6 * rng.random()
    said = f"cpu {cpu:.0f} % of 60 %"
    reason = (
        f"{said}; policy: at most {after} from {before} in one step" if before != after else f"{said}: within tolerance"
    )
    return Scaled("blue", MOMENT + s, before, after, reason, (Reading("cpu", cpu, 60.0),), 2, 15)


def story(rng: random.Random) -> Iterator[Fact]:
    """What the operator and the engine did."""
    rollout = Rollout(4, 50, 60.0, GATES, LoadProfile("test", 300, 10.0, 60.0), LIMITS, 86400.0)
    plan = canary(MODEL_WORK, rollout, (10, 50, 100))
    index = {title(step) if not isinstance(step, Shift) else step.percent: at for at, step in enumerate(plan.steps)}
    yield MOMENT - 300, "engine", ev.Opened(ENDPOINT, "http://127.0.0.1:8080", "prod", "local", production=True)
    yield MOMENT - 299, "target", ev.Observed(ENDPOINT, seen(rng, "blue", -299))
    yield MOMENT - 298, "engine", ev.Routed(ENDPOINT, {"blue": 100.0})
    yield MOMENT - 297, "engine", ev.Verified(ENDPOINT, {"blue": 100.0}, 3.0, 20)
    yield MOMENT - 190, "ops", ev.LoadStarted(ENDPOINT, "background", PROFILE, "locustfile.py · LateFlightUser")
    at = MOMENT - 64.0
    yield at, "ops", ev.Began(RELEASE, ENDPOINT, "prod", plan, production=True, ask_s=300.0)
    for name in (*MODEL_WORK, "deploy", "smoke"):
        yield at, "engine", ev.StepStarted(RELEASE, index[name])
        if name == "deploy":
            yield at, "engine", ev.Placed(RELEASE, "green", "blue", LIVE, 8)
            yield at + 1.0, "target", ev.Observed(ENDPOINT, seen(rng, "green", -45))
        if name == "train":
            yield at + 6, "work", ev.StepMoved(RELEASE, index[name], "11 of 20", 0.55)
            yield at + 11, "work", ev.Logged(ENDPOINT, "train", "best of 20: depth 6, eta 0.1, f1 .857")
        at += TOOK.get(name, 1.4)
        yield at, "engine", ev.StepDone(RELEASE, index[name], FIGURE[name])
        if name == "register":
            yield at, "engine", ev.Chose(RELEASE, NEW)
        at += 0.2
    yield from shifted(rng, MOMENT - 41, index[10.0], 10.0)
    yield from shifted(rng, MOMENT + 19, index[50.0], 50.0)
    yield from taken_back()


def shifted(rng: random.Random, at: float, step: int, percent: float) -> Iterator[Fact]:
    """A shift, proved, and the hold after it with its verdicts each second."""
    weights = {"blue": 100 - percent, "green": percent}
    yield at - 0.1, "engine", ev.StepStarted(RELEASE, step)
    yield at, "engine", ev.Routed(ENDPOINT, weights, RELEASE)
    yield at + 0.001, "engine", ev.StepAsked(RELEASE, step)
    yield at + 0.003, "engine", ev.Verified(ENDPOINT, weights, 3.0, 41, release=RELEASE)
    yield at + 0.01, "engine", ev.StepDone(RELEASE, step, f"{percent:g} %")
    yield at + 0.02, "engine", ev.StepStarted(RELEASE, step + 1)
    new = live = sample(rng, "green", -40, 0.01, {})
    for s in range(2, 60 if percent == 10 else 21):
        new += sample(rng, "green", at - MOMENT + s, percent / 100, {})
        live += sample(rng, "blue", at - MOMENT + s, 1 - percent / 100, {})
        yield at + s, "engine", ev.Judged(RELEASE, step + 1, tuple(judge(gate, new, live) for gate in GATES))
    if percent == 10:
        yield at + 59.9, "engine", ev.StepDone(RELEASE, step + 1, "6 gates hold")


def taken_back() -> Iterator[Fact]:
    """R, and what it led to."""
    weights = {"blue": 100.0, "green": 0.0}
    yield KEY, "ops", ev.TurnedBack(RELEASE, ev.Outcome.ROLLED_BACK, "rolled back", KEY)
    yield KEY + 0.009, "engine", ev.Routed(ENDPOINT, weights, RELEASE)
    yield KEY + 0.038, "engine", ev.Verified(ENDPOINT, weights, 38.0, 20, "key", RELEASE)
    yield KEY + 0.3, "engine", ev.Aliased(RELEASE, back=True)
    yield KEY + 0.4, "engine", ev.RetireDue(ENDPOINT, "green", KEY + 60)
    yield KEY + 0.5, "engine", ev.Ended(RELEASE, ev.Outcome.ROLLED_BACK, "by ops at 50 %", "runs/2026-03-12-late-0007")


def events() -> list[ev.Event]:
    """The whole recording in order."""
    rng = random.Random(7)
    facts = [*telemetry(rng, -186, 56), *story(rng)]
    ordered = sorted(facts, key=lambda fact: fact[0])
    return [ev.Event(seq, round(at, 3), who, body) for seq, (at, who, body) in enumerate(ordered, 1)]


if __name__ == "__main__":
    FILE.write_text("".join(dumps(event) + "\n" for event in events()), encoding="utf-8")

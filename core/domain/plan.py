"""The steps of a release, and what writes plans. A plan is data: `decide` walks it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from core.domain.gates import Gate, with_nothing_beside
from core.domain.model import LoadProfile


@dataclass(frozen=True, slots=True)
class Work:
    """Something that computes: data, preprocess, train, evaluate, gate, register, check, fetch, promote."""

    name: str


@dataclass(frozen=True, slots=True)
class Deploy:
    """The new version in the slot that is not live, until all replicas are ready."""

    replicas: int
    deadline_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Smoke:
    """Requests to the new slot while it takes no traffic; every answer must be right."""

    checks: int


@dataclass(frozen=True, slots=True)
class Shift:
    """This share of the traffic, in percent, to the new slot, until it is proved."""

    percent: float
    deadline_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay here while gates watch; after `patience_s` more without enough data a person is asked."""

    seconds: float
    gates: tuple[Gate, ...]
    patience_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Ask:
    """Go on when a person says so."""

    question: str


@dataclass(frozen=True, slots=True)
class Load:
    """A load test of the endpoint, judged by its limits when it is over."""

    profile: LoadProfile
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class Retire:
    """The slot that was live goes, `after_s` seconds from now."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Summarise:
    """Write the run folder."""


Step: TypeAlias = Work | Deploy | Smoke | Shift | Hold | Ask | Load | Retire | Summarise

MODEL_WORK = ("data", "preprocess", "train", "evaluate", "gate", "register", "check")
"""What makes a version out of data, in this order."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a release does, in order. `tolerance` is by how many percent points a target may miss a share."""

    strategy: str
    steps: tuple[Step, ...]
    tolerance: float = 0.01


def title(step: Step) -> str:
    """What a step is called in a list of stages."""
    match step:
        case Work(name):
            return name
        case Shift():
            return "traffic"
        case Load():
            return "load test"
        case _:
            return type(step).__name__.lower()


@dataclass(frozen=True, slots=True)
class Rollout:
    """What every strategy needs to know."""

    replicas: int
    smoke: int
    hold_s: float
    gates: tuple[Gate, ...]
    load: LoadProfile | None
    limits: tuple[Gate, ...]
    retire_after_s: float
    deadline_s: float = 60.0


def canary(work: Sequence[str], rollout: Rollout, percents: Sequence[float]) -> Plan:
    """Traffic in steps, each held and judged; 100 is added where it is missing."""
    steps: list[Step] = []
    for percent in [p for p in percents if p < 100]:
        steps += [Shift(percent), Hold(rollout.hold_s, rollout.gates)]
    return _plan("canary", work, rollout, [*steps, *_full(rollout)])


def blue_green(work: Sequence[str], rollout: Rollout) -> Plan:
    """All traffic at once to a slot that was tested at 0 %, then held and judged."""
    return _plan("blue-green", work, rollout, _full(rollout))


def all_at_once(work: Sequence[str], rollout: Rollout) -> Plan:
    """All traffic at once, nothing to compare with: what a first version gets."""
    return _plan("all-at-once", work, rollout, [Shift(100)])


def _full(rollout: Rollout) -> list[Step]:
    """All traffic, held and judged by what needs no comparison: the slot that was live gets nothing any more."""
    return [Shift(100), Hold(rollout.hold_s, with_nothing_beside(rollout.gates))]


def _plan(strategy: str, work: Sequence[str], rollout: Rollout, shifts: Sequence[Step]) -> Plan:
    before: list[Step] = [Work(name) for name in work]
    before.append(Deploy(rollout.replicas, rollout.deadline_s))
    if rollout.smoke:
        before.append(Smoke(rollout.smoke))
    after: list[Step] = [Work("promote")]
    if rollout.load is not None:
        after.append(Load(rollout.load, rollout.limits))
    after += [Retire(rollout.retire_after_s), Summarise()]
    return Plan(strategy, (*before, *shifts, *after))

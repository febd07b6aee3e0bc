"""Strategies: how traffic moves to a new version, as the steps of a plan. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from core.domain.errors import BadInput
from core.domain.gates import Gate, with_nothing_beside
from core.domain.load_profile import LoadProfile
from core.domain.model import Sticky
from core.domain.plan import (
    FULL,
    Ask,
    Deploy,
    Hold,
    Load,
    Mirror,
    Plan,
    Retire,
    Shift,
    Smoke,
    Step,
    Summarise,
    Work,
)

AB = "ab"
ROLLBACK = "rollback"
DRILL = "drill"
ARMED_S = 60.0
OUTAGE = Gate("failed_percent", "<", 50.0, at_least=20, failures=2)
"""What a slot that warms up is judged by: cold caches make it slow, they do not fail half of its answers."""
MIRROR_MOST = 50.0
"""Of more requests a copy would double what the machines have to carry."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """What every strategy needs to know. `retire_after_s` None: what served before stays until it is removed by hand.

    `question` is asked of a person before users' traffic moves; empty: nobody is asked.
    """

    replicas: int
    smoke: int
    hold_s: float
    gates: tuple[Gate, ...]
    load: LoadProfile | None
    limits: tuple[Gate, ...]
    retire_after_s: float | None
    deadline_s: float = 60.0
    question: str = ""


def canary(work: Sequence[str], rollout: Rollout, percents: Sequence[float]) -> Plan:
    """Traffic in steps, each held and judged; 100 is added where it is missing."""
    return _plan("canary", work, rollout, [*_asked(rollout), *_steps(rollout, percents)])


def blue_green(work: Sequence[str], rollout: Rollout) -> Plan:
    """All traffic at once to a slot that was tested at 0 %, then held and judged."""
    return _plan("blue-green", work, rollout, [*_asked(rollout), *_full(rollout)])


def gradual_blue_green(work: Sequence[str], rollout: Rollout, percents: Sequence[float]) -> Plan:
    """A slot that was tested at 0 % and approved takes the traffic in steps; what served before is kept a while."""
    return _plan("gradual-blue-green", work, rollout, [*_asked(rollout), *_steps(rollout, percents)])


def shadow(work: Sequence[str], rollout: Rollout, mirror: float, differing: Gate, percents: Sequence[float]) -> Plan:
    """A copy of so many percent of the requests first, judged pair by pair, then a canary."""
    copied: list[Step] = [Mirror(mirror), Hold(rollout.hold_s, (*rollout.gates, differing))]
    return _plan("shadow", work, rollout, [*copied, *_asked(rollout), *_steps(rollout, percents)])


def ab(
    work: Sequence[str],
    rollout: Rollout,
    split: float,
    hold_s: float,
    sticky: Sticky | None,
    beforehand: bool = False,
) -> Plan:
    """A fixed split for a time, by who calls where `sticky` says so; then a person chooses by what was measured.

    `beforehand`: a yes that was given before anything was measured is enough.
    """
    asked = Ask("the new version for all?", armed(rollout.gates), beforehand)
    sides = [*_asked(rollout), Shift(split, sticky=sticky), Hold(hold_s, rollout.gates), asked]
    return _plan(AB, work, rollout, [*sides, *_full(rollout)])


def all_at_once(work: Sequence[str], rollout: Rollout) -> Plan:
    """All traffic at once, nothing to compare with: what a first version gets."""
    return _plan("all-at-once", work, rollout, [*_asked(rollout), Shift(FULL)])


def way_back(rollout: Rollout, after_s: float) -> Plan:
    """All traffic at once to a version that served here before; what it replaces goes `after_s` seconds later."""
    return _plan(ROLLBACK, (), replace(rollout, smoke=0, load=None, retire_after_s=after_s), [Shift(FULL)])


def of_copy(plan: Plan) -> Plan:
    """The plan of a first release for a copy that is gone again soon: it serves, and nothing of the registry moves.

    The second version of a copy comes over the first one by the same steps.
    """
    kept = tuple(step for step in plan.steps if isinstance(step, Deploy | Smoke | Shift))
    return replace(plan, strategy=DRILL, steps=kept, first=False)


def written(work: Sequence[str], rollout: Rollout, steps: Sequence[Step]) -> Plan:
    """Steps that a person wrote, with the deployment before them and what ends a release after them.

    Raises BadInput for a plan that can't end, or that judges or sends traffic where nothing is.
    """
    _check(steps)
    first = next(at for at, step in enumerate(steps) if isinstance(step, Shift))
    asked = [] if any(isinstance(step, Ask) for step in steps[:first]) else _asked(rollout)
    judged = [_judged(step, rollout, at, steps) for at, step in enumerate(steps)]
    return _plan("written", work, replace(rollout, smoke=0), [*judged[:first], *asked, *judged[first:]])


def _check(steps: Sequence[Step]) -> None:
    """Raise BadInput where the steps, in this order, make no release."""
    shares = [step.percent for step in steps if isinstance(step, Shift)]
    if not shares or shares[-1] != FULL:
        raise BadInput("release.plan: does not come to all traffic; write 'shift 100' as its last shift")
    if any(after <= before for before, after in pairwise(shares)):
        raise BadInput(f"release.plan: shares rise; {' → '.join(f'{share:g}' for share in shares)} does not")
    moved = copied = False
    for step in steps:
        match step:
            case Shift():
                moved = True
            case Mirror(percent=percent) if moved:
                raise BadInput(f"release.plan: 'mirror {percent:g}' stands after a shift; a copy is judged before that")
            case Mirror():
                copied = True
            case Smoke() if moved or copied:
                raise BadInput("release.plan: 'smoke' tries the slot before it gets any request; put it first")
            case Hold(seconds=seconds) if not (moved or copied):
                raise BadInput(f"release.plan: 'hold {seconds:g}s' comes before any request: nothing could be judged")
            case _:
                pass


def _judged(step: Step, rollout: Rollout, at: int, steps: Sequence[Step]) -> Step:
    """A hold, and a question while traffic flows, with the project's gates; at full traffic without those against the
    other slot.
    """
    shares = [one.percent for one in steps[:at] if isinstance(one, Shift)]
    gates = with_nothing_beside(rollout.gates) if FULL in shares else rollout.gates
    if isinstance(step, Hold):
        return replace(step, gates=gates)
    return replace(step, gates=armed(gates)) if isinstance(step, Ask) and shares else step


def warmed(plan: Plan, seconds: float) -> Plan:
    """With some seconds before the first hold in which the slot, which has just got its first requests, warms up."""
    first = next((at for at, step in enumerate(plan.steps) if isinstance(step, Hold)), None)
    if first is None or not seconds:
        return plan
    warm = Hold(seconds, (OUTAGE,), warm_up=True)
    return replace(plan, steps=(*plan.steps[:first], warm, *plan.steps[first:]))


def armed(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """The gates for as long as a person is waited for: of the last minute, or an hour that was well would hide it.
    What is bet on begins anew by itself."""
    kept = [gate.compared or gate.alone or gate.window_s or gate.source for gate in gates]
    return tuple(gate if keep else replace(gate, window_s=ARMED_S) for gate, keep in zip(gates, kept, strict=True))


def _asked(rollout: Rollout) -> list[Step]:
    return [Ask(rollout.question)] if rollout.question else []


def _steps(rollout: Rollout, percents: Sequence[float]) -> list[Step]:
    steps: list[Step] = []
    for percent in [p for p in percents if p < FULL]:
        steps += [Shift(percent), Hold(rollout.hold_s, rollout.gates)]
    return [*steps, *_full(rollout)]


def _full(rollout: Rollout) -> list[Step]:
    """All traffic, held and judged by what needs no comparison: the slot that was live gets nothing any more."""
    return [Shift(FULL), Hold(rollout.hold_s, with_nothing_beside(rollout.gates))]


def _plan(strategy: str, work: Sequence[str], rollout: Rollout, shifts: Sequence[Step]) -> Plan:
    before: list[Step] = [*(Work(name) for name in work), Deploy(rollout.replicas, rollout.deadline_s)]
    if rollout.smoke:
        before.append(Smoke(rollout.smoke))
    after: list[Step] = [Work("alias")]
    if rollout.load is not None:
        after.append(Load(rollout.load, rollout.limits))
    if rollout.retire_after_s is not None:
        after.append(Retire(rollout.retire_after_s))
    return Plan(strategy, (*before, *shifts, *after, Summarise()))

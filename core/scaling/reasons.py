"""Why a slot is not of another size: a sentence with figures for each cause, and what to do about it. Pure.

What an autoscaler or its place met comes as obstacles (`core.scaling.sentences` words them); what follows from the
figures themselves is found here.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from core.domain.hints import typed
from core.domain.model import Replica, ReplicaState, Scaled
from core.domain.obstacles import Cause, Obstacle, bounded_by, cause_said
from core.scaling.facts import ScalingFacts
from core.scaling.sentences import ScalingReason, measure, sentence
from core.system.text import counted, rough

TOLERANCE = 0.1
"""A metric within so much of its target changes nothing; Kubernetes' own default."""
OF_SIZE = frozenset({Cause.MAXIMUM, Cause.WINDOW, Cause.POLICY, Cause.COOLDOWN, Cause.CORES})
"""What only holds of the size that the autoscaler looked at."""
IN_THE_WAY = frozenset({Cause.UNSCHEDULABLE, Cause.IMAGE, Cause.QUOTA, Cause.CORES})
"""Why replicas do not get ready: known better than that they do not."""
NO_SCALER = frozenset({Cause.UNSCALED, Cause.AWAITED, Cause.MISSING, Cause.UNWRITTEN})
"""Nothing scales it: what there would be between which bounds is no word on why."""
OLD_LOOKS = 2.0
"""A look is old after so many times as long as until its next one."""


def explain(facts: ScalingFacts) -> list[ScalingReason]:
    """Every reason there is, what somebody must act on first; none where all is as the metrics ask for."""
    look = facts.look
    found = []
    if look is not None:
        found = [sentence(one, look, facts.looked_s, facts.environment) for one in look.obstacles]
    if look is not None and look.after != facts.wanted:
        # Somebody asked for another size since: what stood in the way of the one before says nothing of this one.
        found = [reason for reason in found if reason.cause not in OF_SIZE]
    if any(reason.cause is Cause.CORES for reason in found):
        # A higher maximum is no help where this machine has no more to give.
        found = [reason for reason in found if reason.cause is not Cause.MAXIMUM]
    if facts.weight == 0:
        # Nobody waits for its answers.
        found = [replace(reason, calm=True) if reason.cause is Cause.ZERO else reason for reason in found]
    found += _own(facts, {reason.cause for reason in found})
    # That nothing scales it is the lesser matter where replicas are missing.
    return sorted(found, key=lambda reason: (reason.calm, reason.cause in NO_SCALER))


def _own(facts: ScalingFacts, known: set[Cause]) -> Iterator[ScalingReason]:
    """What follows from the figures themselves."""
    look = facts.look
    if facts.wanted == 0 and facts.weight > 0 and Cause.ZERO not in known:
        least = max(1, look.min) if look is not None else 1
        why = f"{facts.slot} was scaled to 0: nobody answers its {facts.weight:g} % of the traffic"
        yield ScalingReason(Cause.ZERO, why, f"{typed(f'scale {least}', facts.environment)} starts it again")
    if facts.ready < facts.wanted and not known & IN_THE_WAY:
        yield from [*_met(facts)] or [_late(facts)]
    if facts.held_by:
        why = f"{facts.slot} has no traffic, and {facts.held_by} keeps it at {counted(facts.wanted, 'replica')}"
        yield ScalingReason(Cause.HELD, why, "it is scaled while it has a share of the traffic", calm=True)
    if look is None:
        if facts.weight > 0:
            yield _unscaled(facts)
        return
    if facts.looked_s > OLD_LOOKS * look.next_look_s and Cause.UNREAD not in known:
        why = f"nobody has looked at it for {_age(facts.looked_s)}, and its figures are of then"
        todo = f"{typed('doctor', facts.environment)} says whether a watch runs and its place answers"
        yield ScalingReason(Cause.UNREAD, why, todo, calm=True)
    if look.min == look.max and not known & {Cause.HELD, *NO_SCALER}:
        why = f"minimum and maximum are both {look.max}: no metric can change that"
        yield ScalingReason(
            Cause.FIXED, why, f"set min and max of {bounded_by(look.obstacles)} apart, and release again"
        )
    if facts.busy and not known and look.after == facts.wanted and (enough := _enough(look)) is not None:
        yield enough


def _age(span_s: float) -> str:
    """A span in whole minutes, a short one in whole seconds."""
    return rough(60 * round(span_s / 60) if span_s >= 120 else round(span_s))


def _unscaled(facts: ScalingFacts) -> ScalingReason:
    why = f"no autoscaler has looked at {facts.slot} so far: it keeps {counted(facts.wanted, 'replica')}"
    by_hand = typed("scale N", facts.environment)
    todo = f"where endpoint.autoscaling is set it looks soon; else set it and release, or call {by_hand}"
    return ScalingReason(Cause.UNSCALED, why, todo, calm=True)


def _enough(look: Scaled) -> ScalingReason | None:
    """Why answers that are asked for bring no more replicas."""
    measured = [(one.value / one.target, one) for one in look.readings if one.value is not None]
    if not measured or look.after > look.before:
        return None
    ratio, most = max(measured, key=lambda pair: pair[0])
    if 1 < ratio <= 1 + TOLERANCE:
        why = f"{measure(most)} is within a tenth of its target: {counted(look.after, 'replica')} stay"
        return ScalingReason(Cause.TOLERANCE, why, f"more come above {most.target * (1 + TOLERANCE):g} %", calm=True)
    if ratio >= 1 - TOLERANCE:
        return None
    enough = "1 replica is enough" if look.after == 1 else f"{look.after} replicas are enough"
    why = f"{most.name} {most.value:.0f} % is below its target of {most.target:g} %: {enough}"
    todo = "if answers are slow all the same, look at what else runs there, and at who sends the load"
    return ScalingReason(Cause.BELOW_TARGET, why, todo, calm=True)


def _met(facts: ScalingFacts) -> Iterator[ScalingReason]:
    """What its place met with pods of a slot that no autoscaler has looked at: counted by what is wrong."""
    counts = Counter(filter(None, (cause_said(one.why) for one in facts.late)))
    if (missing := cause_said(facts.why)) is not None:
        counts[missing] = facts.missing
    look = Scaled(facts.slot, 0.0, facts.wanted, facts.wanted, "", (), facts.wanted, facts.wanted)
    for (cause, what), count in counts.items():
        yield sentence(Obstacle(cause, what, count), look)


def _late(facts: ScalingFacts) -> ScalingReason:
    """Replicas that do not serve; that they only start is as it should be."""
    worst = max(facts.late, key=_trouble, default=None)
    said = f": {worst.name} {worst.state.value}{', ' + worst.why if worst.why else ''}" if worst else ""
    ready = f"{facts.ready} of {counted(facts.wanted, 'replica')} of {facts.slot} ready"
    if facts.why and (worst is None or not worst.why):
        why = f"{ready}: {facts.why}"
        return ScalingReason(Cause.NOT_READY, why, "make room for it there; it is tried again by itself")
    why = f"{ready}{said}"
    calm = worst is not None and _trouble(worst) == (False, 0)
    if worst is None:
        doctor = typed("doctor", facts.environment)
        todo = f"none of them is known yet; where that lasts, {doctor} says what the place lacks"
    else:
        todo = "wait for it" if calm else "see its log: 4 on the deck, its line, l"
    return ScalingReason(Cause.NOT_READY, why, todo, calm)


def _trouble(one: Replica) -> tuple[bool, int]:
    """How much is wrong with a replica."""
    return bool(one.why) or one.state is not ReplicaState.STARTING, one.restarts

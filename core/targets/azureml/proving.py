"""What a proof of shares in Azure ML holds for, and how it is looked for."""

from collections.abc import Callable, Hashable, Mapping
from functools import partial

from core.domain.model import Observation, Slot
from core.targets.proving import Asker, ProofLook, prove

MOST, GIVE_UP_S, AGAIN_S = 600, 60.0, 1.0
"""So many answers are asked for at the most, for so long, and again so much later."""


def proof_key(slots: Mapping[Slot, Observation]) -> Hashable:
    """Weights, copies, and the versions that have a share."""
    weights = tuple(sorted((slot, seen.weight) for slot, seen in slots.items() if seen.weight > 0))
    mirror = tuple(sorted((slot, seen.mirror) for slot, seen in slots.items() if seen.mirror > 0))
    of = tuple(sorted((slot, seen.version.number) for slot, seen in slots.items() if seen.version and seen.weight))
    return (weights, mirror, of)


def proof_look(ask: Asker, slots: Mapping[Slot, Observation]) -> ProofLook:
    """Asks until the slots that have a share have answered, and nobody else."""
    served = {slot for slot, seen in slots.items() if seen.weight > 0}
    look: Callable[[Callable[[], bool]], int] = partial(prove, ask, served, most=MOST, within_s=GIVE_UP_S)
    return look

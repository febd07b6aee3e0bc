"""What every target refuses in the same words, whatever the place behind it."""

import re
from collections.abc import Iterable, Mapping

from core.domain.errors import BadInput, Refused
from core.domain.model import Slot, Sticky
from core.domain.scaling import outside
from core.domain.strategies import MIRROR_MOST

TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
"""What headers and cookies may be called: RFC 9110, 5.6.2."""
OURS = "x-quarterdeck-"
SLOT_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


def check_apply(slot: Slot, replicas: int) -> None:
    """Raise `BadInput` for a name or a number that no place can hold."""
    if not SLOT_NAME.fullmatch(slot):
        raise BadInput(f"slot {slot!r}: a slot is named with small letters, digits and dashes, such as blue")
    if not 0 <= replicas <= 1000:
        raise BadInput(f"{slot}: {replicas} replicas asked for; 0 to 1000 are possible")


def check_scale(slot: Slot, replicas: int, held: Iterable[Slot], bounds: tuple[int, int] | None = None) -> None:
    """Raise `BadInput` for a number that no place can hold, `Refused` for an empty slot and outside an autoscaler's
    bounds."""
    check_apply(slot, replicas)
    if slot not in set(held):
        raise Refused(f"{slot}: no version is in this slot; deploy one before it gets replicas")
    if why_not := outside(slot, replicas, bounds):
        raise Refused(why_not)


def check_weights(weights: Mapping[Slot, float], mirror: Mapping[Slot, float], held: Iterable[Slot]) -> None:
    """Raise `BadInput` for weights that don't make 100 percent and for a mirror that nobody could keep to,
    `Refused` for a slot that holds nothing."""
    wrong = {slot: weight for slot, weight in weights.items() if not 0 <= weight <= 100}
    if wrong or (weights and abs(sum(weights.values()) - 100) > 0.01):
        raise BadInput(f"traffic {dict(weights)}: weights are percent, 0 to 100 each and 100 together")
    if len(mirror) > 1:
        raise BadInput(f"mirror {', '.join(mirror)}: one slot gets a copy of the traffic; name one")
    for slot, percent in mirror.items():
        if not 0 < percent <= MIRROR_MOST:
            raise BadInput(f"mirror {slot} {percent:g} %: more than 0 and at most {MIRROR_MOST:g} % can be copied")
        if weights.get(slot, 0.0) > 0 or not weights:
            why = "gets traffic itself" if weights else "has nobody's traffic to copy"
            raise BadInput(f"mirror {slot}: it {why}; copy to a slot without traffic what another one gets")
    slots = set(held)
    for slot in [*(slot for slot, weight in weights.items() if weight > 0), *mirror]:
        if slot not in slots:
            raise Refused(f"{slot}: no version is in this slot; deploy one before traffic goes there")


def check_sticky(sticky: Sticky | None) -> None:
    """Raise `BadInput` for a header or a cookie that nobody can send."""
    if sticky is None:
        return
    if not TOKEN.fullmatch(sticky.name) or sticky.name.lower().startswith(OURS):
        raise BadInput(f"sticky {sticky.by} {sticky.name!r}: no {sticky.by} of callers is called so")


def check_remove(slot: Slot, weights: Mapping[Slot, float], mirror: Mapping[Slot, float]) -> None:
    """Raise `Refused` for a slot that still gets traffic, or a copy of it."""
    if weights.get(slot, 0.0) > 0:
        raise Refused(f"{slot}: it gets {weights[slot]:g} % of the traffic; move that away first")
    if slot in mirror:
        raise Refused(f"{slot}: it gets a copy of {mirror[slot]:g} % of the traffic; it can go once that has ended")

"""What an endpoint is called in a cluster: its name as people have it, turned into a DNS label by one rule."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from core.domain.model import Slot
from core.domain.plan import SLOTS

LONGEST = 63 - max(len(f"-{slot}") for slot in SLOTS)
"""Of an endpoint's label: a Service's name has 63 characters, and the slot's goes behind it."""
_NOT_IN_LABELS = re.compile(r"[^a-z0-9]+")
_DIGEST_LETTERS = 8


def dns_label(name: str) -> str:
    """`customer_churn_model` as `customer-churn-model`: small, begun by a letter, short enough for a slot behind it.

    A digest of the name stands for what is cut off, and for a name without a letter or digit that a label can hold.
    """
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    label = _NOT_IN_LABELS.sub("-", plain).strip("-")
    if label and not label[0].isalpha():
        label = f"model-{label}"
    if label and len(label) <= LONGEST:
        return label
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_DIGEST_LETTERS]
    kept = label[: LONGEST - _DIGEST_LETTERS - 1].rstrip("-") or "model"
    return f"{kept}-{digest}"


def slot_name(label: str, slot: Slot) -> str:
    """What the objects of one slot are called."""
    return f"{label}-{slot}"


def key_name(label: str) -> str:
    """What the Secret is called that holds the key of an endpoint's callers."""
    return f"{label}-key"


def meeting(names: Sequence[str]) -> str:
    """Which two endpoints would get into each other's way in one namespace, in a line; empty where none would."""
    taken: dict[str, str] = {}
    for name in dict.fromkeys(names):
        label = dns_label(name)
        wanted = (label, key_name(label), *(slot_name(label, slot) for slot in SLOTS))
        for one in wanted:
            if one in taken:
                return f"{taken[one]} and {name} would both have a {one} in the cluster; rename one of them"
        taken |= dict.fromkeys(wanted, name)
    return ""

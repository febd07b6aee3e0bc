"""What instances cost, from a table with its date: an idea, not a bill. What a project says itself comes first.

The shipped figure for `Standard_DS2_v2` is what teams that serve by it report, $0.10 to 0.20 an hour from the cheapest
to the dearest region; the others are reckoned from it by their cores, those of the F family at four fifths.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import floor, log10

from core.domain.model import Observation, Slot
from core.targets.azureml.settings import AzureMLSettings
from core.targets.azureml.view import AzureView, capacity

PRICED_ON = "2026-11"
CENT = 0.01
PRICES: Mapping[str, tuple[float, float]] = {
    "standard_ds1_v2": (0.05, 0.10),
    "standard_ds2_v2": (0.10, 0.20),
    "standard_ds3_v2": (0.20, 0.40),
    "standard_ds4_v2": (0.40, 0.80),
    "standard_d4s_v3": (0.20, 0.40),
    "standard_f2s_v2": (0.08, 0.16),
    "standard_f4s_v2": (0.16, 0.32),
}
"""Dollars an hour of one instance, in the cheapest and the dearest region."""


def price(place: AzureMLSettings, instance_type: str, location: str) -> tuple[float, float] | None:
    """Dollars an hour of one instance, at least and at most; None where nobody has said."""
    return _own(place, instance_type, location) or PRICES.get(instance_type.casefold())


def cost_line(place: AzureMLSettings, instance_type: str, instances: int, location: str = "") -> str:
    """So many instances, and what they cost an hour; where no price is known, that."""
    each = f"{instances} x {instance_type}"
    found = price(place, instance_type, location)
    if found is None:
        return f"{each}, price not known; write it into azureml.prices"
    return f"{each}, {_dollars(instances, found)} an hour ({_dated(place, instance_type, location)})"


def hourly(place: AzureMLSettings, instance_type: str, instances: int, location: str) -> str:
    """The same in a few cells: `$0.40–0.80/h`; empty where no price is known."""
    found = price(place, instance_type, location)
    return f"{_dollars(instances, found).replace(' to $', '–')}/h" if found is not None and instances else ""


def priced(found: Mapping[Slot, Observation], view: AzureView, place: AzureMLSettings) -> dict[Slot, Observation]:
    """Each slot with what its instances cost."""
    made = dict(found)
    for slot, body in view.deployments.items():
        if slot in made:
            kind = str((body.get("properties") or {}).get("instanceType") or "")
            where = str(body.get("location") or view.location)
            made[slot] = replace(made[slot], costs=hourly(place, kind, capacity(body), where))
    return made


def _dollars(instances: int, each: tuple[float, float]) -> str:
    low, high = (_plain(instances * one) for one in each)
    return f"${low}" if low == high else f"${low} to ${high}"


def _plain(dollars: float) -> str:
    """Cents, and of less than a cent as many digits as it takes to be no nothing."""
    if dollars >= CENT or dollars == 0:
        return f"{dollars:.2f}"
    return f"{dollars:.{1 - floor(log10(dollars))}f}".rstrip("0")


def _own(place: AzureMLSettings, instance_type: str, location: str) -> tuple[float, float] | None:
    """What the project says; where no region is known, the cheapest and the dearest of those that it names."""
    said = {name.casefold(): one for name, one in place.prices.items()}.get(instance_type.casefold())
    if said is None or isinstance(said, float):
        return None if said is None else (said, said)
    regions = {name.casefold(): one for name, one in said.items()}
    if location.casefold() in regions:
        return regions[location.casefold()], regions[location.casefold()]
    return (min(regions.values()), max(regions.values())) if regions and not location else None


def _dated(place: AzureMLSettings, instance_type: str, location: str) -> str:
    """Whose figure it is, and of when."""
    if _own(place, instance_type, location) is not None:
        return f"azureml.prices{f' of {place.priced_on}' if place.priced_on else ''}"
    return f"about, as of {PRICED_ON}; azureml.prices has yours"

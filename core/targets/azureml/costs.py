"""What instances cost, from a table with its date: what is shipped are list prices, a project's own come first."""

from collections.abc import Mapping

from core.targets.azureml.settings import AzureMLSettings

PRICED_ON = "2026-01"
PRICES: Mapping[str, tuple[float, float]] = {
    "standard_ds1_v2": (0.05, 0.10),
    "standard_ds2_v2": (0.10, 0.20),
    "standard_ds3_v2": (0.20, 0.40),
    "standard_ds4_v2": (0.40, 0.80),
    "standard_f2s_v2": (0.08, 0.16),
    "standard_f4s_v2": (0.16, 0.32),
}
"""Dollars an hour, the cheapest and the dearest region."""


def cost_line(place: AzureMLSettings, instance_type: str, instances: int) -> str:
    """So many instances, and what they cost an hour; where no price is known, that."""
    each = f"{instances} x {instance_type}"
    own = {name.casefold(): price for name, price in place.prices.items()}.get(instance_type.casefold())
    if own is not None:
        dated = f" ({place.priced_on})" if place.priced_on else ""
        return f"{each}, ${instances * own:.2f} an hour{dated}"
    if (known := PRICES.get(instance_type.casefold())) is not None:
        low, high = (instances * price for price in known)
        return f"{each}, ${low:.2f} to ${high:.2f} an hour (list prices of {PRICED_ON}, by region)"
    return f"{each}, price not known; write it into azureml.prices"

"""Amounts as Kubernetes writes them: `250m`, `512Mi`, `2`."""

from decimal import Decimal, InvalidOperation

_UNITS = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(10**3), "M": Decimal(10**6),
    "G": Decimal(10**9), "T": Decimal(10**12), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}  # fmt: skip


def quantity(text: object) -> Decimal:
    """The amount in whole units; what cannot be read is nothing."""
    said = str(text)
    for length in (2, 1):
        if said[-length:] in _UNITS:
            return Decimal(said[:-length]) * _UNITS[said[-length:]]
    try:
        return Decimal(said)
    except InvalidOperation:
        return Decimal(0)


def millis(amount: Decimal) -> str:
    """An amount of cores as text: `200m`, or whole ones."""
    thousandths = int(amount * 1000)
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"

"""Whether a namespace's quotas have room for one more slot. Pure; asks nobody."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation

from core.config.serving import EndpointSettings
from core.targets.kubernetes.api_errors import Json

_UNITS = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3")} | {
    unit: Decimal(base**power)
    for base, units in ((1000, ("k", "M", "G", "T", "P")), (1024, ("Ki", "Mi", "Gi", "Ti", "Pi")))
    for power, unit in enumerate(units, 1)
}
CPU = ("cpu", "requests.cpu", "limits.cpu")
MEMORY = ("memory", "requests.memory", "limits.memory")
PODS = ("pods", "count/pods")


def amount(text: str) -> Decimal:
    """`250m`, `512Mi`, `2` or `1e3` in whole units; raises ValueError."""
    number = text.rstrip("numkMGTPi") if not text[-1:].isdigit() else text
    try:
        return Decimal(number) * (_UNITS[text[len(number) :]] if len(number) < len(text) else 1)
    except (InvalidOperation, KeyError):
        raise ValueError(f"{text!r} is not an amount") from None


def short(quotas: Iterable[Json], endpoint: EndpointSettings, pods: int) -> Iterator[str]:
    """What so many more pods of an endpoint lack in each quota, in words; nothing where all fits."""
    for quota in quotas:
        status = quota.get("status") or {}
        hard: Mapping[str, str] = status.get("hard") or {}
        used: Mapping[str, str] = status.get("used") or {}
        for what, wanted in wants(endpoint, pods).items():
            if what in hard:
                left = amount(str(hard[what])) - amount(str(used.get(what, "0")))
                if wanted > left:
                    name = quota["metadata"]["name"]
                    yield f"{name}: {pods} pods more need {said(wanted)} of {what}, {said(left)} are left"


def wants(endpoint: EndpointSettings, pods: int) -> dict[str, Decimal]:
    """What so many pods count for, by each name that a quota may have for it."""
    cpu, memory = Decimal(endpoint.cpu_m or 0) / 1000, Decimal(endpoint.memory_bytes or 0)
    each = {**dict.fromkeys(CPU, cpu), **dict.fromkeys(MEMORY, memory), **dict.fromkeys(PODS, Decimal(1))}
    return {what: one * pods for what, one in each.items()}


def said(value: Decimal) -> str:
    """An amount as people write it: `250m`, `512Mi`, `3`."""
    mebi = Decimal(2**20)
    if abs(value) >= mebi:
        return f"{value / mebi:.0f}Mi"
    return f"{value:f}" if value == value.to_integral_value() else f"{value * 1000:.0f}m"

"""Whether a region has instances of a size, and a subscription cores for them. It only asks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.targets.azureml.api_errors import Json
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.view import AzureView, capacity
from core.targets.azureml.workspace import COMPUTE_API, SERVICE, AzureEndpoint

UPGRADES = 1.2
"""Azure wants a fifth more cores than the instances have, for its upgrades."""


@dataclass(frozen=True, slots=True)
class CoreQuota:
    """The cores of one family of sizes: so many may be used, and so many are free."""

    family: str
    limit: int
    free: int


@dataclass(frozen=True, slots=True)
class RegionSizes:
    """The sizes that a region has, as it lists them; a list without any says nothing."""

    region: str
    bodies: Sequence[Json]

    def lacks(self, instance_type: str) -> bool:
        """Whether the region has no such size."""
        return bool(self.bodies) and self._body(instance_type) is None

    def family(self, instance_type: str) -> str:
        """The family of a size; empty where it is not said."""
        return str((self._body(instance_type) or {}).get("family") or "")

    def cores(self, instance_type: str, instances: int) -> int:
        """How many cores so many instances are counted for; 0 where it is not said."""
        body = self._body(instance_type) or {}
        # Of some sizes with GPUs none are kept back, and nobody says of which.
        more = 1.0 if body.get("gpus") else UPGRADES
        return math.ceil(int(body.get("vCPUs") or 0) * instances * more)

    def held(self, view: AzureView, family: str, *, idle: bool = False) -> int:
        """The cores of a family that the deployments of an endpoint are counted for, or those without traffic."""
        sizes = {
            slot: (str((body.get("properties") or {}).get("instanceType") or ""), capacity(body))
            for slot, body in view.deployments.items()
            if not (idle and slot in view.weights)
        }
        return sum(self.cores(size, count) for size, count in sizes.values() if self.family(size) == family)

    def _body(self, instance_type: str) -> Json | None:
        wanted = instance_type.casefold()
        return next((one for one in self.bodies if str(one.get("name")).casefold() == wanted), None)


def sizes_of(calls: AzureCalls, at: AzureEndpoint, region: str, timeout_s: float | None = None) -> RegionSizes:
    """Raises as calls do."""
    page = calls.ask("GET", f"{_location(at, region)}/vmSizes", COMPUTE_API, timeout_s=timeout_s).body
    return RegionSizes(region, page.get("value") or [])


def quota_of(
    calls: AzureCalls, at: AzureEndpoint, region: str, family: str, timeout_s: float | None = None
) -> CoreQuota | None:
    """The cores of a family in a region; None where nobody says it. Raises as calls do."""
    page = calls.ask("GET", f"{_location(at, region)}/usages", COMPUTE_API, timeout_s=timeout_s).body
    for one in page.get("value") or []:
        name = one.get("name")
        called = str(name.get("value") if isinstance(name, dict) else name or "")
        if family and called.casefold() == family.casefold():
            limit, used = int(one.get("limit") or 0), int(one.get("currentValue") or 0)
            return CoreQuota(family, limit, max(0, limit - used))
    return None


def _location(at: AzureEndpoint, region: str) -> str:
    return f"/subscriptions/{at.place.subscription}/providers/{SERVICE}/locations/{region}"

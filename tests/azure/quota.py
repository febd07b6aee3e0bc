"""Sizes of machines, and how many cores of each family are left.

Never recorded: the lists of sizes and of usages. The refusal is as people reported it; managed endpoints want a fifth
more than the instances have, for upgrades, which is what Microsoft's article says.
"""

import json
import math
from dataclasses import dataclass, field

from tests.azure.calls import Json
from tests.azure.refusals import RestRefusal, invalid

SHARE_FOR_UPGRADES = 1.2
USUAL_LIMIT = 100


@dataclass(frozen=True, slots=True)
class VmSize:
    """A size of machine."""

    name: str
    family: str
    cores: int
    memory_gb: float


SIZES = tuple(
    VmSize(f"Standard_{name}", f"standard{family}Family", cores, memory)
    for name, family, cores, memory in (
        ("DS1_v2", "DSv2", 1, 3.5),
        ("DS2_v2", "DSv2", 2, 7),
        ("DS3_v2", "DSv2", 4, 14),
        ("DS4_v2", "DSv2", 8, 28),
        ("DS5_v2", "DSv2", 16, 56),
        ("F2s_v2", "FSv2", 2, 4),
        ("F4s_v2", "FSv2", 4, 8),
        ("F8s_v2", "FSv2", 8, 16),
        ("D2s_v3", "DSv3", 2, 8),
        ("D4s_v3", "DSv3", 4, 16),
        ("E2s_v3", "ESv3", 2, 16),
        ("E4s_v3", "ESv3", 4, 32),
        ("NC4as_T4_v3", "NCASv3_T4", 4, 28),
        ("NC6s_v3", "NCSv3", 6, 112),
    )
)
_BY_NAME = {one.name.lower(): one for one in SIZES}


@dataclass(slots=True)
class VmQuota:
    """Limits by family, and what deployments hold. A size that is not listed has four cores."""

    subscription: str
    limits: dict[str, int] = field(default_factory=dict)
    not_here: set[str] = field(default_factory=set)
    held: dict[str, VmSize] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def size(self, name: str) -> VmSize:
        """The size of a name."""
        return _BY_NAME.get(name.lower()) or VmSize(name, f"{name}Family", 4, 16)

    def refuse(self, name: str) -> None:
        """No core of this size's family is left."""
        self.limits[self.size(name).family] = 0

    def used(self, family: str, but: str = "") -> int:
        """Cores of a family that deployments hold."""
        return sum(
            one.cores * self.counts[name] for name, one in self.held.items() if one.family == family and name != but
        )

    def check(self, deployment: str, name: str, count: int) -> None:
        """Refuse a size that the region lacks, and more than is left."""
        if name.lower() in self.not_here:
            said = f"The requested VM size {name} is not available in the current region."
            raise self._refusal(said)
        size = self.size(name)
        needed, used = math.ceil(size.cores * count * SHARE_FOR_UPGRADES), self.used(size.family, deployment)
        limit = self.limits.get(size.family, USUAL_LIMIT)
        if used + needed > limit:
            more = "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota"
            where = f"Not enough quota available for {name} in SubscriptionId {self.subscription}."
            numbers = f"Current usage/limit: {used}/{limit}. Additional needed: {needed}"
            raise self._refusal(f"{where} {numbers} {more}")

    def _refusal(self, said: str) -> RestRefusal:
        errors = {"errors": {"VmSize": [said]}, "title": "One or more validation errors occurred.", "status": 400}
        return invalid("InferencingClientCreateDeploymentFailed", json.dumps({**errors, "traceId": "00-0a-0b-00"}))

    def hold(self, deployment: str, name: str, count: int) -> None:
        """A deployment has so many of a size."""
        self.held[deployment], self.counts[deployment] = self.size(name), count

    def free(self, deployment: str) -> None:
        """A deployment has gone."""
        self.held.pop(deployment, None)
        self.counts.pop(deployment, None)

    def usages(self) -> Json:
        """The list of usages of a location."""
        families = sorted({one.family for one in SIZES} | set(self.limits))
        rows = []
        for family in families:
            name = {"value": family, "localizedValue": f"{family} Cluster Dedicated vCPUs"}
            limit = self.limits.get(family, USUAL_LIMIT)
            rows.append({"name": name, "currentValue": self.used(family), "limit": limit, "unit": "Count"})
        return {"value": rows}

    def sizes(self) -> Json:
        """The list of sizes of a location."""
        shown = [one for one in SIZES if one.name.lower() not in self.not_here]
        rows = [
            {
                "name": one.name,
                "family": one.family,
                "vCPUs": one.cores,
                "gpus": 0,
                "osVhdSizeMB": 1047552,
                "maxResourceVolumeMB": 28672,
                "memoryGB": one.memory_gb,
                "lowPriorityCapable": True,
                "premiumIO": True,
                "supportedComputeTypes": ["AmlCompute", "ComputeInstance", "EndpointDeployment"],
            }
            for one in shown
        ]
        return {"value": rows}

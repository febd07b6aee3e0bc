"""The clock around the autoscaler's rule: one look every 15 s at a slot with traffic."""

import time
from collections.abc import Iterable, Mapping

from core.domain.model import ReplicaState, Scaled, Slot
from core.domain.obstacles import Cause, Obstacle
from core.system.cores import usable
from core.targets.local.hpa import Decision, Memory, Metric, Pod, Rules, Usage, look
from core.targets.local.member import Member
from core.targets.local.spec import EndpointSpec

LOOK_S = 15.0
FAST = 7.5
"""How many times as fast the clock runs for demonstrations: a look every 2 s, a window of 40 s on the way down."""
MOST = 0.6
"""So much of all cores in use by replicas is most of it: the router and whoever asks need some as well."""


class Autoscaler:
    """Looks at each slot in turn and remembers what the rule needs."""

    def __init__(self) -> None:
        self._memory: dict[Slot, Memory] = {}
        self._due_s: dict[Slot, float] = {}

    def due(self, spec: EndpointSpec, slot: Slot) -> bool:
        """Is it time to look at a slot? Its first look comes one interval after its first traffic."""
        now_s = time.monotonic()
        if spec.autoscaling is None:
            return False
        due_s = self._due_s.setdefault(slot, now_s + interval_s(spec))
        if now_s < due_s:
            return False
        # From when it was due, not from now: the looks don't drift apart.
        self._due_s[slot] = max(due_s + interval_s(spec), now_s)
        return True

    def forget(self, slot: Slot) -> None:
        """A slot has no traffic: its next look starts afresh."""
        self._memory.pop(slot, None)
        self._due_s.pop(slot, None)

    def look(
        self,
        spec: EndpointSpec,
        slot: Slot,
        wanted: int,
        members: Iterable[Member],
        usage: Mapping[str, tuple[Usage, Usage]],
    ) -> Scaled:
        """Look at a slot now."""
        scaling = spec.autoscaling
        if scaling is None:
            raise ValueError("no autoscaling is set")
        now_s = time.monotonic()
        rules = Rules(scaling.min, scaling.max, _metrics(spec), scaling.behavior, FAST if scaling.fast else 1.0)
        pods = [_pod(member, usage.get(member.name)) for member in members]
        decision = look(rules, wanted, pods, self._memory.get(slot, Memory()), now_s)
        self._memory[slot] = decision.memory
        return Scaled(
            slot=slot,
            at=time.time(),
            before=wanted,
            after=decision.after,
            reason=decision.reason,
            readings=decision.readings,
            min=scaling.min,
            max=scaling.max,
            next_look_s=interval_s(spec),
            fast=scaling.fast,
            proposed=decision.proposed,
            obstacles=(*decision.obstacles, *_crowded(spec, wanted, decision)),
        )


def _crowded(spec: EndpointSpec, wanted: int, decision: Decision) -> tuple[Obstacle, ...]:
    """Replicas that may use more cores than this machine has get no more done, once they use most of it."""
    request, cores = (spec.cpu_m or 0) / 1000, usable()
    percent = next((one.value for one in decision.readings if one.name == "cpu" and one.value is not None), 0.0)
    if decision.after * request <= cores or percent / 100 * request * wanted < MOST * cores:
        return ()
    return (Obstacle(Cause.CORES, f"{spec.cpu_m}m", decision.after * request, cores),)


def interval_s(spec: EndpointSpec) -> float:
    """Seconds from one look to the next; also the window that usage is averaged over."""
    return LOOK_S / FAST if spec.autoscaling and spec.autoscaling.fast else LOOK_S


def _metrics(spec: EndpointSpec) -> tuple[Metric, ...]:
    scaling = spec.autoscaling
    found = []
    if scaling and scaling.cpu_percent is not None and spec.cpu_m is not None:
        found.append(Metric("cpu", scaling.cpu_percent, spec.cpu_m))
    if scaling and scaling.memory_percent is not None and spec.memory_mb is not None:
        found.append(Metric("memory", scaling.memory_percent, spec.memory_mb))
    return tuple(found)


def _pod(member: Member, usage: tuple[Usage, Usage] | None) -> Pod:
    return Pod(
        name=member.name,
        started_s=member.started_s,
        ready=member.state is ReplicaState.READY,
        turned_s=member.turned_s,
        pending=member.state is not ReplicaState.READY,
        leaving=member.leaving,
        usage={"cpu": usage[0], "memory": usage[1]} if usage else {},
    )

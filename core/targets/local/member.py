"""A place in a pool for one replica, whichever process fills it."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import psutil

from core.domain.model import Replica, ReplicaState
from core.system.cpu_time import Family
from core.targets.local.child import Child


@dataclass(slots=True)
class Member:
    """One place. Times are the host's own clock, in seconds."""

    name: str
    state: ReplicaState = ReplicaState.STARTING
    port: int = 0
    restarts: int = 0
    why: str = ""
    started_s: float = 0.0
    turned_s: float = 0.0
    leaving: bool = False
    child: Child | None = None
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    @classmethod
    def found(cls, child: Child) -> "Member":
        """A place that a replica of an earlier host fills."""
        state = ReplicaState.READY if child.live.done() else ReplicaState.STARTING
        since_s = time.monotonic() - _age_s(child)
        return cls(child.name, state, child.port, child.restarts, "", since_s, since_s, child=child)

    @property
    def pid(self) -> int | None:
        """The process that fills it and serves."""
        child = self.child
        if child is None or child.process is None or not child.live.done() or child.ended.done():
            return None
        return child.process.pid

    @property
    def family(self) -> Family | None:
        """That process, and the one that works for it."""
        pid = self.pid
        return None if pid is None or self.child is None else (pid, self.child.worker)

    def turn(self, state: ReplicaState, why: str = "") -> None:
        """Go over to another state."""
        self.state, self.why, self.turned_s = state, why, time.monotonic()


def _age_s(child: Child) -> float:
    """For how long a process has run, as far as can be told."""
    try:
        return max(0.0, time.time() - psutil.Process(child.process.pid if child.process else 0).create_time())
    except psutil.Error:
        return 0.0


def with_figures(replicas: Iterable[Replica], figures: Mapping[str, tuple[float, float]]) -> tuple[Replica, ...]:
    """Replicas with their last cpu (thousandths of a core) and memory (MB)."""
    return tuple(
        replace(one, cpu_m=round(figures[one.name][0], 1), memory_mb=round(figures[one.name][1], 1))
        if one.name in figures and one.state in {ReplicaState.READY, ReplicaState.DRAINING}
        else one
        for one in replicas
    )

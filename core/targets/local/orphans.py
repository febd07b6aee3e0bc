"""Replicas whose parent has gone: watched by their process ids, and held to their CPU limits by the host meanwhile."""

import asyncio
import signal

from core.system.processes import send
from core.system.tasks import TaskGuard
from core.targets.local.child import Child
from core.targets.local.limits import CpuLimits

THROTTLE_S = 0.1


class Orphans:
    """The orphans of one pool, by name."""

    def __init__(self, pool: str) -> None:
        self._children: dict[str, Child] = {}
        self._limits = CpuLimits[str](self._signal)
        self._tasks = TaskGuard(f"orphans of {pool}")

    def take(self, children: list[Child], cpu_m: int | None) -> None:
        """Look after these from now on. One that its parent had stopped goes on first."""
        for child in children:
            if child.process is not None:
                self._children[child.name] = child
                send(child.process, signal.SIGCONT)
                self._limits.hold(child.name, (child.process.pid, child.worker), cpu_m)
                self._tasks.start(child.follow(), child.name)
        self._tasks.keep(self._hold, "limits")

    def resting(self, name: str) -> bool:
        """Whether one is stopped because it has used up its CPU for the moment."""
        return name in self._limits.resting

    def end(self, name: str) -> None:
        """Tell one to end. Its limit goes first: a resting process hears nothing."""
        self._limits.free(name)
        self._signal(name, signal.SIGTERM)

    def forget(self, name: str) -> None:
        """One has ended."""
        self._limits.forget(name)
        self._children.pop(name, None)

    async def close(self) -> None:
        """Look after nobody any more; nobody stays stopped."""
        await self._tasks.close()
        for name in list(self._children):
            self._limits.free(name)

    async def _hold(self) -> None:
        while True:
            wait_s = self._limits.throttle()
            await asyncio.sleep(THROTTLE_S if wait_s is None else min(THROTTLE_S, wait_s))

    def _signal(self, name: str, number: signal.Signals) -> None:
        child = self._children.get(name)
        if child is not None and child.process is not None:
            send(child.process, number)

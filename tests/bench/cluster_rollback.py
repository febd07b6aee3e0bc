"""How long the way back takes in a cluster: python -m tests.bench.cluster_rollback [ROUNDS].

Over the stand-in, whose API server answers at once or as late as is said. "accepted" is from the call to the answer to
its last patch, "proved" until answers show the traffic back. A new driver claims the lease first.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from core.targets.kubernetes.settings import Traffic
from tests.kubernetes.faults import FaultKind
from tests.targets.helpers import two_slots, watching
from tests.targets.kubernetes.places import ClusterPlace, serving_cluster

LATE_S = (0.0, 0.005, 0.05)
WAYS: tuple[Traffic, ...] = ("selector", "gateway")


async def _rounds(place: ClusterPlace, rounds: int, *, new: bool) -> list[tuple[float, float]]:
    """Milliseconds until each way back was accepted and proved."""
    token = 1
    target = place.target(token)
    found: list[tuple[float, float]] = []
    async with watching(target) as first:
        await two_slots(target, first, 1)
    for _ in range(rounds):
        async with watching(target) as watcher:
            await watcher.until(watcher.synced)
            await target.route({"green": 100})
            await watcher.weight("green", 100)
        if new:
            token += 1
            target = place.target(token)
        async with watching(target) as watcher:
            await watcher.until(lambda: watcher.slots.get("green") and watcher.slots["green"].proved_by)
            begun_s = time.perf_counter()
            await target.route({"blue": 100})
            accepted_ms = 1000 * (time.perf_counter() - begun_s)
            await watcher.until(lambda: watcher.slots["blue"].proved_by)
            found.append((accepted_ms, 1000 * (time.perf_counter() - begun_s)))
    return found


async def main(rounds: int) -> None:
    """The table."""
    sys.stdout.write("traffic   driver  API server   accepted p50 / max   proved p50 / max  (ms)\n")
    with serving_cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        for late_s in LATE_S:
            cluster.faults.clear()
            if late_s:
                cluster.fault(FaultKind.LATENCY, seconds=late_s)
            for way in WAYS:
                for new in (False, True):
                    place = ClusterPlace(cluster, Path(folder), way)
                    took = await _rounds(place, rounds, new=new)
                    figures = [f"{statistics.median(one):7.0f} / {max(one):5.0f}" for one in zip(*took, strict=True)]
                    driver, server = "new" if new else "same", f"{1000 * late_s:.0f} ms late"
                    sys.stdout.write(f"{way:<9} {driver:<7} {server:<12} {figures[0]:<20} {figures[1]}\n")
                    sys.stdout.flush()
                    await place.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))

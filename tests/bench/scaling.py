"""Throughput at 1, 2 and 4 replicas with a CPU limit, over the real target: `python -m tests.bench.scaling [CPU_M]`.

Each replica burns a fixed time of CPU for a request, so what it can answer is known: the limit over that time. The
last column says how far the throughput is from that of one replica times their number.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from core.model import Version
from core.targets.local.client import LocalTarget, stop
from tests.targets.helpers import loading, model_folder, spec_in, watching

BUSY_MS = 4.0
SETTLE_S = 2.0
MEASURE_S = 10.0
USERS_EACH = 8


async def measure(cpu_m: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="quarterdeck-bench-") as folder:
        model = model_folder(Path(folder) / "model", busy_ms=BUSY_MS)

        async def fetch(_: Version) -> Path:
            return model

        target = LocalTarget(spec_in(Path(folder) / "late", cpu_m=cpu_m), fetch)
        print(f"cpu: {cpu_m}m a replica, {BUSY_MS:g} ms of CPU a request, {MEASURE_S:g} s each")
        print("replicas   requests/s   failed   cpu of all   of one x replicas")
        try:
            async with watching(target) as watcher:
                one = 0.0
                for count in (1, 2, 4):
                    await target.apply("blue", Version("bench", "1"), count)
                    await watcher.ready("blue", count)
                    await target.route({"blue": 100})
                    await watcher.weight("blue", 100)
                    async with loading(await target.address(), users=USERS_EACH * count) as load:
                        await asyncio.sleep(SETTLE_S)
                        before = load.count
                        await asyncio.sleep(MEASURE_S)
                        rps = (load.count - before) / MEASURE_S
                    one = one or rps
                    used = sum(replica.cpu_m or 0 for replica in watcher.slots["blue"].replicas)
                    share = 100 * rps / (one * count)
                    print(f"{count:8}   {rps:10.1f}   {load.failed.total():6}   {used:9.0f}m   {share:15.1f} %")
        finally:
            await target.close()
            await stop(target.spec.folder)


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 200))

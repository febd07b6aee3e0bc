"""Throughput at 1, 2 and 4 replicas with a CPU limit, over the real target.

    python -m tests.bench.scaling                            a stand-in that burns 4 ms of CPU a request
    python -m tests.bench.scaling --model FOLDER --rows 200  the scoring service, so many rows a request

The work of a request is chosen so that four limited replicas, the router and the load fit on two cores. The last
column says how far the throughput is from that of one replica times their number.
"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from core.domain.model import Version
from core.targets.local.client import LocalTarget, stop
from tests.targets.helpers import Watcher, loading, model_folder, spec_in, watching

BUSY_MS = 4.0
SETTLE_S = 2.0
MEASURE_S = 10.0
USERS_EACH = 8


def rows_of(model: Path, count: int) -> bytes:
    """A request of the model's own example row, so many times."""
    example = json.loads((model / "model.json").read_text())["example"]
    return json.dumps({"dataframe_records": [example] * count}).encode()


async def throughput(target: LocalTarget, watcher: Watcher, count: int, body: bytes) -> tuple[float, int, float]:
    """Requests a second at so many replicas, how many failed, and the CPU that they used, in m."""
    await target.apply("blue", Version("bench", "1"), count)
    await watcher.ready("blue", count)
    await target.route({"blue": 100})
    await watcher.weight("blue", 100)
    async with loading(await target.address(), users=USERS_EACH * count, body=body) as load:
        await asyncio.sleep(SETTLE_S)
        before = load.count
        await asyncio.sleep(MEASURE_S)
        rps = (load.count - before) / MEASURE_S
    return rps, load.failed.total(), sum(replica.cpu_m or 0 for replica in watcher.slots["blue"].replicas)


async def measure(cpu_m: int, model: Path | None, rows: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="quarterdeck-bench-") as folder:
        served = model or model_folder(Path(folder) / "model", busy_ms=BUSY_MS)
        body = rows_of(model, rows) if model else b""

        async def fetch(_: Version) -> Path:
            return served

        service = "scoring" if model else "tests.targets.standin"
        target = LocalTarget(spec_in(Path(folder) / "late", cpu_m=cpu_m, service=service), fetch)
        work = f"{rows} rows" if model else f"{BUSY_MS:g} ms of CPU"
        print(f"cpu: {cpu_m}m a replica, {work} a request, {MEASURE_S:g} s each")
        print("replicas   requests/s   failed   cpu of all   of one x replicas")
        try:
            async with watching(target) as watcher:
                one = 0.0
                for count in (1, 2, 4):
                    rps, failed, used_m = await throughput(target, watcher, count, body)
                    one = one or rps
                    share = 100 * rps / (one * count)
                    print(f"{count:8}   {rps:10.1f}   {failed:6}   {used_m:9.0f}m   {share:15.1f} %")
        finally:
            await target.close()
            await stop(target.spec.folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Throughput at 1, 2 and 4 replicas with a CPU limit.")
    parser.add_argument("--cpu", type=int, default=200, help="thousandths of a core for each replica")
    parser.add_argument("--model", type=Path, help="a model folder for the scoring service")
    parser.add_argument("--rows", type=int, default=200, help="rows a request, with --model")
    chosen = parser.parse_args()
    asyncio.run(measure(chosen.cpu, chosen.model, chosen.rows))

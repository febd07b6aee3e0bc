"""A thousand callers of a thousand rows beside callers of one row, through the real router, with the default limits.

    python -m tests.many_rows [--model FOLDER] [--connections 1000] [--rows 1000] [--seconds 20]

By hand. It holds where no replica was ended, every answer is a 200 or one that names when to come again, and the 99th
percentile of one row is less than ten times what it is without the others. Callers run in processes of their own.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from core.domain.errors import Unreachable
from core.domain.model import Version
from core.targets.local.client import LocalTarget, stop
from core.targets.local.http import Connection
from tests.targets.helpers import Watcher, spec_in, watching, where

CPU_M, MEMORY_MB, REPLICAS = 500, 268, 2
ONE_ROW_CALLERS, PAUSE_S = 4, 0.05
TIMES = 10.0
CALM = {200, 429}
TRAINED = Path(__file__).parent / "scoring" / "make_models.py"

Asked = dict[str, Any]


async def caller(place: tuple[str, int], body: bytes, pause_s: float, until_s: float, asked: Asked) -> None:
    """One caller on a connection of its own; told to come again, it waits as long as it is told."""
    line: Connection | None = None
    while monotonic() < until_s:
        began_s = perf_counter()
        try:
            line = line or await Connection.open(place)
            answer = await line.ask("/predict", method="POST", body=body)
        except (OSError, Unreachable) as error:
            asked["failed"][str(error)] += 1
            line = None
            continue
        asked["took_ms"].append((perf_counter() - began_s) * 1000)
        asked["statuses"][answer.status] += 1
        again = answer.headers.get("retry-after")
        asked["unclear"] += answer.status != 200 and again is None
        if answer.headers.get("connection") == "close":
            line.close()
            line = None
        await asyncio.sleep(float(again) if again else pause_s)
    if line is not None:
        line.close()


async def call(place: tuple[str, int], count: int, body: bytes, pause_s: float, seconds: float) -> Asked:
    """So many callers at once for so long; all that they were told."""
    asked: Asked = {"took_ms": [], "statuses": Counter(), "failed": Counter(), "unclear": 0}
    until_s = monotonic() + seconds
    await asyncio.gather(*(caller(place, body, pause_s, until_s, asked) for _ in range(count)))
    return asked


async def elsewhere(place: tuple[str, int], count: int, body: Path, pause_s: float, seconds: float) -> Asked:
    """The same in another process, so that callers do not wait for each other's work."""
    words = [*place, count, body, pause_s, seconds]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.many_rows", "--call", *map(str, words)), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await child.communicate()
    asked: Asked = json.loads(told)
    return asked


def p99(took_ms: Sequence[float]) -> float:
    """The 99th percentile."""
    return sorted(took_ms)[int(len(took_ms) * 0.99)] if took_ms else float("inf")


async def most_memory(watcher: Watcher) -> float:
    """The most that a replica held, in MB, as seen until cancelled."""
    most = 0.0
    try:
        while True:
            most = max([most, *(one.memory_mb or 0.0 for one in watcher.slots["blue"].replicas)])
            await asyncio.sleep(0.2)
    except asyncio.CancelledError:
        return most


async def measure(model: Path, connections: int, rows: int, seconds: float) -> bool:
    """Serve, call, print what came of it; whether all held."""
    example = json.loads((model / "model.json").read_text())["example"]
    with tempfile.TemporaryDirectory(prefix="quarterdeck-rows-") as name:
        folder = Path(name)
        one, many = folder / "one.json", folder / "many.json"
        one.write_text(json.dumps({"data": [list(example.values())]}))
        many.write_text(json.dumps({"data": [list(example.values())] * rows}))

        async def fetch(_: Version) -> Path:
            return model

        spec = spec_in(folder / "late", cpu_m=CPU_M, memory_mb=MEMORY_MB, service="scoring")
        target = LocalTarget(spec, fetch)
        try:
            async with watching(target) as watcher:
                await target.apply("blue", Version("late", "1"), REPLICAS)
                await watcher.ready("blue", REPLICAS)
                await target.route({"blue": 100})
                await watcher.weight("blue", 100)
                place = where(await target.address())
                quiet = await elsewhere(place, ONE_ROW_CALLERS, one, PAUSE_S, seconds / 2)
                looking = asyncio.create_task(most_memory(watcher))
                crowd, beside = await asyncio.gather(
                    elsewhere(place, connections, many, 0.0, seconds),
                    elsewhere(place, ONE_ROW_CALLERS, one, PAUSE_S, seconds),
                )
                looking.cancel()
                restarts = sum(replica.restarts for replica in watcher.slots["blue"].replicas)
                return told(quiet, crowd, beside, restarts, await looking)
        finally:
            await target.close()
            await stop(spec.folder)


def told(quiet: Asked, crowd: Asked, beside: Asked, restarts: int, memory_mb: float) -> bool:
    """Print the figures; whether all held."""
    for name, asked in (("one row, quiet", quiet), ("many rows", crowd), ("one row beside", beside)):
        print(f"{name:16} {len(asked['took_ms']):>7} answers  p99 {p99(asked['took_ms']):8.1f} ms", end="  ")
        print(f"by status {asked['statuses']}  failed {asked['failed']}")
    ratio = p99(beside["took_ms"]) / p99(quiet["took_ms"])
    calls = (quiet, crowd, beside)
    odd = sum(count for asked in calls for status, count in asked["statuses"].items() if int(status) not in CALM)
    failed = sum(sum(asked["failed"].values()) for asked in calls)
    unclear = sum(asked["unclear"] for asked in calls)
    print(f"a replica held at most {memory_mb:.0f} of {MEMORY_MB} MB; {restarts} were ended")
    print(f"one row took {ratio:.1f} times as long as without the others, at the 99th percentile")
    print(f"{odd} answers other than {sorted(CALM)}, {unclear} without a word when to come again, {failed} failed")
    return not (restarts or odd or unclear or failed) and ratio < TIMES and memory_mb < MEMORY_MB


def trained(folder: Path) -> Path:
    """A model made for this."""
    subprocess.run([sys.executable, str(TRAINED), str(folder)], check=True, capture_output=True, timeout=120)
    return folder / "two"


def main() -> int:
    """Measure, or be the callers of one who does."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--model", type=Path)
    options.add_argument("--connections", type=int, default=1000)
    options.add_argument("--rows", type=int, default=1000)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--call", nargs=6, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.call:
        host, port, count, body, pause_s, seconds = chosen.call
        place = (host, int(port))
        asked = asyncio.run(call(place, int(count), Path(body).read_bytes(), float(pause_s), float(seconds)))
        print(json.dumps(asked))
        return 0
    with tempfile.TemporaryDirectory() as name:
        model = chosen.model or trained(Path(name))
        return 0 if asyncio.run(measure(model, chosen.connections, chosen.rows, chosen.seconds)) else 1


if __name__ == "__main__":
    sys.exit(main())

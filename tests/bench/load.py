"""What a sample a second costs Locust: pairs of runs, with the reporter and without, on a service that is quick.

    python -m tests.bench.load [pairs] [seconds]

Each user asks for one row and never waits, so Locust is as fast as the CPU time that it gets.
"""

import asyncio
import csv
import statistics
import subprocess
import sys
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.config.profiles import profile
from core.load.child import LoadRun
from core.load.command import ARTIFACTS, LocustSettings
from tests.load.conftest import SERVICE

USERS = 20
BUSY = """
from locust import FastHttpUser, constant, task

class Busy(FastHttpUser):
    wait_time = constant(0)

    @task
    def ask(self):
        self.client.post("/predict", data=b'{"carrier": "UA", "hour": 7}')
"""


@contextmanager
def service() -> Iterator[str]:
    """Where it answers."""
    call = [sys.executable, str(SERVICE), "", "0"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def without(url: str, folder: Path, seconds: int) -> None:
    """Locust as it comes."""
    call = ["-m", "locust", "-f", str(folder / "busy.py"), "--host", url, "--headless", "--only-summary"]
    call += ["--users", str(USERS), "--spawn-rate", str(USERS), "--run-time", f"{seconds}s"]
    call += ["--csv", str(folder / "load_test_results"), "--html", str(folder / "load_test_report.html")]
    # A session of its own as ours has: the kernel shares out the CPU by session.
    process = await asyncio.create_subprocess_exec(
        sys.executable, *call, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
    )
    async with asyncio.timeout(seconds + 60):
        assert await process.wait() == 0


async def beside(url: str, folder: Path, seconds: int) -> None:
    """The same with the reporter, and somebody who reads every sample."""
    settings = LocustSettings(url, folder, locustfile=folder / "busy.py")
    async with LoadRun(profile("custom", users=USERS, spawn_rate=USERS, duration_s=seconds), settings) as load:
        count = len([sample async for sample in load.samples()])
    assert count >= seconds - 1


def rps(folder: Path) -> float:
    """Requests a second as Locust's own file has them."""
    with (folder / ARTIFACTS[1]).open() as file:
        total = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    return float(total["Requests/s"])


async def pair(url: str, seconds: int) -> tuple[float, float]:
    """Both ways at once: whatever else the machine does, it does to both."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        for place in (one, two):
            (Path(place) / "busy.py").write_text(BUSY)
        await asyncio.gather(without(url, Path(one), seconds), beside(url, Path(two), seconds))
        return rps(Path(one)), rps(Path(two))


def main(pairs: int, seconds: int) -> int:
    """Print the table; exit code 1 where the reporter costs 5 % or more."""
    print(f"{pairs} pairs of {seconds} s, side by side, {USERS} users each that never wait; requests a second\n")
    print(f"{'pair':>4}  {'without':>8}  {'with':>8}  {'ratio':>6}")
    ratios = []
    with service() as url:
        for number in range(1, pairs + 1):
            bare, ours = asyncio.run(pair(url, seconds))
            ratios.append(ours / bare)
            print(f"{number:>4}  {bare:>8.0f}  {ours:>8.0f}  {ratios[-1]:>6.3f}", flush=True)
    cost = 1 - statistics.median(ratios)
    print(f"\nmedian ratio {1 - cost:.3f}: the reporter costs {100 * cost:.1f} % of the throughput")
    return int(cost >= 0.05)


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in (*sys.argv[1:], *("9", "6")[len(sys.argv) - 1 :]))))

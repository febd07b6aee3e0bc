"""Many rows and many columns: each step of a release beside a plain script that fits the same models.

    python -m tests.bench.tables                             100,000 x 50 and 300 x 2,000
    python -m tests.bench.tables 1000000x50 300x20000        others; both have the same --tries and --folds

For each step its seconds, those of all cores, the longest time without a word, and the most memory that its process
held meanwhile. On a machine that has other work too the seconds of the cores are what compares.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from pyarrow import csv

from core.config.settings import Settings
from core.work.child import Job, WorkChild

STEPS = ("data", "preprocess", "train", "evaluate", "gate", "register", "check")
LOOK_S = 0.02
CITIES = np.array(["Oslo", "Rome", "Lima", "Bonn", "Kyiv", "Doha"])


@dataclass(frozen=True, slots=True)
class Spent:
    """What one step, or the plain script, took."""

    seconds: float
    cpu_s: float
    silent_s: float
    peak_mb: float


def table(rows: int, columns: int, path: Path) -> None:
    """Numbers, whole numbers, amounts with thousands, texts and true/false in turn; the first eight matter."""
    draw = np.random.default_rng(5)
    made: dict[str, pa.Array] = {}
    score = np.zeros(rows)
    for at in range(columns):
        drawn = draw.normal(size=rows).astype(np.float32)
        if at < 8:
            score += drawn
        match at % 5:
            case 0 | 1:
                values = pa.array(np.round(drawn, 4))
            case 2:
                values = pa.array((drawn * 1000).astype(np.int64))
            case 3:
                values = pa.array(CITIES[np.clip(np.floor(drawn + 3), 0, 5).astype(int)])
            case _:
                values = pa.array(np.where(drawn > 0, "yes", "no"))
        made[f"c{at}"] = values
    made["y"] = pa.array(np.where(score + draw.normal(size=rows) > 0, "up", "down"))
    csv.write_csv(pa.table(made), path)


def settings(folder: Path, source: Path, tries: int, folds: int) -> Settings:
    """A project over the table."""
    values = {
        "folder": str(folder),
        "data": {"source": str(source), "target": "y"},
        "train": {"n_iter": tries, "cv_folds": folds},
        "thresholds": {"min_accuracy": 0.5},
        "endpoint": {"name": "bench"},
    }
    return Settings.model_validate_json(json.dumps(values))


async def ours(folder: Path, source: Path, tries: int, folds: int) -> dict[str, Spent]:
    """Each step in one work child, as a release runs them."""
    chosen = settings(folder, source, tries, folds)
    child = WorkChild(chosen)
    spent: dict[str, Spent] = {}
    try:
        await child.start()
        for step in STEPS:
            began = last = time.monotonic()
            worked = _cpu_s()
            silent = 0.0
            watching = asyncio.create_task(_peak_mb())
            async for _ in child.run(Job(step, folder / "run", chosen, "bench")):
                now = time.monotonic()
                silent, last = max(silent, now - last), now
            watching.cancel()
            peak = (await asyncio.gather(watching, return_exceptions=True))[0]
            took, cpu_s = time.monotonic() - began, _cpu_s() - worked
            spent[step] = Spent(took, cpu_s, silent, peak if isinstance(peak, float) else 0.0)
            print(f"  {step:<12} {_row(spent[step])}", flush=True)
    finally:
        await child.close()
    return spent


async def _peak_mb() -> float:
    """The most that the processes under this one hold together, until it is cancelled."""
    peak = 0.0
    try:
        while True:
            held = 0
            for one in psutil.Process().children(recursive=True):
                try:
                    held += one.memory_info().rss
                except psutil.Error:
                    continue
            peak = max(peak, held / 2**20)
            await asyncio.sleep(LOOK_S)
    except asyncio.CancelledError:
        return peak


def _cpu_s() -> float:
    """What the processes under this one have worked, those that are gone too."""
    gone = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = gone.ru_utime + gone.ru_stime
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = one.cpu_times()
            worked += times.user + times.system
    return worked


async def plain(source: Path, tries: int, folds: int) -> Spent:
    """The plain script in a process of its own."""
    began, worked = time.monotonic(), _cpu_s()
    watching = asyncio.create_task(_peak_mb())
    command = [sys.executable, "-m", "tests.bench.plain_script", str(source), str(tries), str(folds)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    said, _ = await process.communicate()
    took, cpu_s = time.monotonic() - began, _cpu_s() - worked
    watching.cancel()
    peak = (await asyncio.gather(watching, return_exceptions=True))[0]
    print(f"  {said.decode().strip()}", flush=True)
    return Spent(took, cpu_s, took, peak if isinstance(peak, float) else 0.0)


def _row(spent: Spent) -> str:
    silent = f"{spent.silent_s:>6.1f} s silent"
    return f"{spent.seconds:>8.1f} s {spent.cpu_s:>8.1f} s of cores {silent} {spent.peak_mb:>8.0f} MB"


async def measure(shapes: list[str], tries: int, folds: int) -> None:
    """Print the tables."""
    for shape in shapes:
        rows, columns = map(int, shape.lower().split("x"))
        with tempfile.TemporaryDirectory() as place:
            source = Path(place) / "rows.csv"
            table(rows, columns, source)
            print(f"{rows:,} rows x {columns:,} columns, {tries} tries of {folds} folds")
            spent = await ours(Path(place), source, tries, folds)
            whole = Spent(
                sum(each.seconds for each in spent.values()),
                sum(each.cpu_s for each in spent.values()),
                max(each.silent_s for each in spent.values()),
                max(each.peak_mb for each in spent.values()),
            )
            print(f"  {'all':<12} {_row(whole)}", flush=True)
            script = await plain(source, tries, folds)
            times = (
                f"{whole.seconds / script.seconds:.2f} times its time, {whole.cpu_s / script.cpu_s:.2f} of its cores'"
            )
            print(f"  {'plain script':<12} {_row(script)}: {times}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Many rows, many columns.")
    parser.add_argument("shapes", nargs="*", default=["100000x50", "300x2000"])
    parser.add_argument("--tries", type=int, default=4)
    parser.add_argument("--folds", type=int, default=3)
    asked = parser.parse_args()
    asyncio.run(measure(asked.shapes, asked.tries, asked.folds))

"""What a prediction costs to serve: this service beside what people use today, in one run on one core.

    python tests/bench/scoring.py [rounds] [seconds]

50 connections send one row a request. Servers share one core and the generator has another: `wrk` where it is on
the PATH, else one of our own. A figure counts where a second generator agrees with it. All serve the same XGBoost
model to the same row. Only ratios mean something: another machine, or a busy one, gives other figures. The CPU time
that a request costs hardly depends on what else runs.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[2]
# Started as a script, Python looks beside it first, where this file would pass for the service.
sys.path[0] = str(ROOT)

from tests.bench.contenders import FORK, TRAIN, Contender, contenders  # noqa: E402
from tests.bench.measure import SERVERS_CORE, Disagreement, Figures, generators, measure  # noqa: E402

OURS, CONSTANT, MLFLOW, AZURE = (
    "this service",
    "constant, body read",
    "mlflow models serve",
    "azureml-inference-server-http",
)


Rounds: TypeAlias = Mapping[str, Sequence[Figures | Disagreement]]


def measured(rounds: Sequence[Figures | Disagreement]) -> list[Figures]:
    """The rounds in which both generators agreed."""
    return [one for one in rounds if isinstance(one, Figures)]


def middle(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure."""
    columns = ([getattr(one, name) for one in rounds] for name in Figures.__slots__)
    return Figures(*(statistics.median(column) for column in columns))


def ready_by_fork_ms(folder: Path) -> float:
    """From the fork of a warmed parent to a child that takes predictions; the slowest of ten."""
    command = ["taskset", "-c", str(SERVERS_CORE), sys.executable, "-c", FORK, str(folder)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    return max(map(float, told.split()))


def times(taken: Rounds, name: str, figure: str) -> float | None:
    """A figure of this service over that of another, the median of rounds: both met the same minute."""
    pairs = zip(taken[OURS], taken[name], strict=True)
    ratios: list[float] = [
        getattr(ours, figure) / getattr(other, figure)
        for ours, other in pairs
        if isinstance(ours, Figures) and isinstance(other, Figures)
    ]
    return statistics.median(ratios) if ratios else None


def table(taken: Rounds) -> None:
    """Print one line a server."""
    print(f"{'':30} {'rps':>8} {'ours is':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8} {'RSS MB':>8} {'ready ms':>9}")
    for name, rounds in taken.items():
        if not measured(rounds):
            print(f"{name:30} {rounds[-1]}")
            continue
        one, ratio = middle(measured(rounds)), times(taken, name, "rps")
        over = f"{ratio:7.2f}x" if ratio is not None else f"{'?':>8}"
        print(
            f"{name:30} {one.rps:8.0f} {over} {one.p50_ms:8.2f} {one.p99_ms:8.2f}"
            f" {one.cpu_us:8.1f} {one.memory_mb:8.0f} {one.ready_ms:9.0f}"
        )


def promises(taken: Rounds, fork_ms: float) -> bool:
    """Print what is promised beside what was measured; whether all of it holds. What was not measured does not."""
    ours = middle(measured(taken[OURS])) if measured(taken[OURS]) else None
    rows: list[tuple[str, float | None, str, float]] = [
        ("requests a second over a constant answer's", times(taken, CONSTANT, "rps"), ">=", 0.9),
        ("requests a second over mlflow's", times(taken, MLFLOW, "rps"), ">=", 40),
        ("p99 over mlflow's", times(taken, MLFLOW, "p99_ms"), "<=", 0.1),
        ("memory of a replica, MB", ours.memory_mb if ours else None, "<=", 80),
        ("ready by fork, ms", fork_ms, "<=", 300),
        ("ready by exec, ms", ours.ready_ms if ours else None, "<=", 1000),
    ]
    if AZURE in taken:
        rows.insert(2, ("requests a second over azureml's", times(taken, AZURE, "rps"), ">=", 25))
    held = True
    for text, value, sign, limit in rows:
        if value is None:
            held = False
            print(f"?      {text:44} not measured  {sign} {limit:g}")
            continue
        holds = value >= limit if sign == ">=" else value <= limit
        held &= holds
        print(f"{'holds' if holds else 'FAILS'}  {text:44} {value:8.3g}  {sign} {limit:g}")
    shares = {name: times(taken, name, "cpu_us") for name in taken if name != OURS}
    per_request = ", ".join(f"{1 / share:.2f}x {name}" for name, share in shares.items() if share)
    print(f"of the CPU time of a request, which a busy machine hardly changes: {per_request or 'not measured'}")
    return held


def main(rounds: int, seconds: float) -> int:
    """All rounds, taken in turn so that a busy minute of the machine hits every server."""
    print("generators: {}, checked by {}".format(*generators()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-c", TRAIN, name], check=True, capture_output=True, timeout=300)
        taken: dict[str, list[Figures | Disagreement]] = {}
        servers: list[Contender] = contenders(folder)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            for server in servers:
                taken.setdefault(server.name, []).append(measure(server, seconds))
        fork_ms = ready_by_fork_ms(folder)
    table(taken)
    return 0 if promises(taken, fork_ms) else 1


if __name__ == "__main__":
    sys.exit(main(*(int(sys.argv[1]) if sys.argv[1:] else 3, float(sys.argv[2]) if sys.argv[2:] else 5.0)))

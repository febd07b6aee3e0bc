"""Other people's models, from their scripts to answers: ours beside those of `mlflow models serve`.

    python -m tests.strangers_models [--seconds 3] [NAME…]

Ten models are logged to a real `mlflow server` by scripts of their own, with packages of their own; each is looked at
and fetched as a release does, served, and asked the same rows as MLflow's own server. One line a model: how it is
served or why it is refused, whether all answers are equal, and the requests a second of one row on eight connections
of both.
Ends with 1 where an answer differs or a model is refused that should serve. Needs an index of packages.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from math import isclose
from pathlib import Path
from typing import Any

from core.config.settings import Settings
from core.domain.errors import QuarterdeckError
from core.images.needs import needs_of
from core.system.processes import child_environment
from core.work.child import QUIET, Job, WorkChild
from core.work.environment import build
from core.work.job import Report
from scoring.service import free_port

PACKAGES = ("mlflow==3.17.2", "scikit-learn", "pandas", "xgboost-cpu", "lightgbm", "onnx", "onnxruntime", "skl2onnx")
SCRIPT = Path(__file__).with_name("strangers_scripts.py")
REFUSED = frozenset({"code, unsigned"})
CONNECTIONS = 8
START_S = 120.0
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One model. Without `how` it was refused, and `why` says it."""

    how: str = ""
    why: str = ""
    equal: int = 0
    rows: int = 0
    ours_rps: float = 0.0
    theirs_rps: float = 0.0


def main() -> int:
    """Log, serve, ask; a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    needs = needs_of("\n".join(PACKAGES), f"{sys.version_info.major}.{sys.version_info.minor}", "")
    python = build(needs, True, Report(lambda said: None))
    with tempfile.TemporaryDirectory(prefix="strangers-") as place, server(python, Path(place)) as uri:
        os.environ["MLFLOW_TRACKING_URI"] = uri
        env = {**os.environ, **QUIET, "PYTHONWARNINGS": "ignore"}
        done = subprocess.run([python, SCRIPT, uri], env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.stderr.write(done.stderr)
            return 1
        logged: Mapping[str, Sequence[Row]] = json.loads(done.stdout.splitlines()[-1])
        sys.stdout.write(f"{'model':26} {'served':34} {'equal':>9} {'rps':>7} {'mlflow':>7}\n")
        chosen = {name: rows for name, rows in logged.items() if not options.names or name in options.names}
        return asyncio.run(each(chosen, python, Path(place), options.seconds))


async def each(chosen: Mapping[str, Sequence[Row]], python: Path, place: Path, seconds: float) -> int:
    """One after the other, a line each; 1 where one is not as it should be."""
    code = 0
    values = {"folder": place, "data": {"source": "iris", "target": "species"}, "endpoint": {"name": "theirs"}}
    settings = Settings.model_validate(values)
    child = WorkChild(settings)
    try:
        for name, rows in chosen.items():
            outcome = await tried(child, settings, name, rows, python, seconds)
            sys.stdout.write(line(name, outcome))
            sys.stdout.flush()
            good = outcome.equal == outcome.rows if outcome.how else name in REFUSED
            code = code if good else 1
    finally:
        await child.close()
    return code


def line(name: str, outcome: Outcome) -> str:
    """As it stands in the table."""
    if not outcome.how:
        return f"{name:26} refused: {outcome.why}\n"
    equal = f"{outcome.equal}/{outcome.rows}"
    return f"{name:26} {outcome.how:34} {equal:>9} {outcome.ours_rps:7.0f} {outcome.theirs_rps:7.0f}\n"


async def tried(
    child: WorkChild, settings: Settings, name: str, rows: Sequence[Row], python: Path, seconds: float
) -> Outcome:
    """One model by its name in the registry."""
    model = name.replace(", ", "-").replace(" ", "-")
    uri = f"models:/{model}/1"
    try:
        fetched: Mapping[str, Any] = {}
        for step in ("look", "fetch"):
            async for said in child.run(Job(step, settings.folder / model, settings, "", {"uri": uri})):
                fetched = getattr(said, "result", fetched)
    except QuarterdeckError as error:
        return Outcome(why=str(error).removeprefix(f"{uri}: "))
    folder = Path(fetched["folder"])
    about = json.loads((folder / "model.json").read_text())
    how = "fast path" if about["task"] == "classification" else f"{about['flavour']} by its packages"
    how += ", together" if about.get("batched") else ""
    with served([sys.executable, "-P", "-m", "scoring", str(folder)], "/health/ready") as port:
        ours = [asked(port, [row])[0] for row in rows] + asked(port, rows)
        ours_rps = rate(port, rows, seconds)
    command = [str(python), "-m", "mlflow", "models", "serve", "-m", uri, "--env-manager", "local"]
    with served(command, "/ping") as port:
        theirs = [asked(port, [row])[0] for row in rows] + asked(port, rows)
        theirs_rps = rate(port, rows, seconds)
    equal = sum(same(one, two) for one, two in zip(ours, theirs, strict=True))
    return Outcome(how, "", equal, len(theirs), ours_rps, theirs_rps)


def same(one: Any, two: Any) -> bool:
    """Equal, numbers to what a float32 holds."""
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, float) or isinstance(two, float):
        return isclose(one, two, rel_tol=1e-6, abs_tol=1e-7)
    return bool(one == two)


def body(rows: Sequence[Row]) -> bytes:
    """The form that both take; rows without names as a tensor."""
    if not isinstance(rows[0], dict):
        return json.dumps({"inputs": rows}).encode()
    return json.dumps({"dataframe_records": rows}).encode()


def asked(port: int, rows: Sequence[Row]) -> list[Any]:
    """The answers, several outputs as a record for each row. Ends where there is none."""
    http = HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(http):
        http.request("POST", "/invocations", body(rows), {"content-type": "application/json"})
        reply = http.getresponse()
        text = reply.read()
    if reply.status != 200:
        return [f"{reply.status} {text[:200].decode(errors='replace')}"] * len(rows)
    found = json.loads(text)["predictions"]
    if isinstance(found, dict):
        found = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
    return list(found)


def rate(port: int, rows: Sequence[Row], seconds: float) -> float:
    """Requests of one row that are answered in a second."""
    text, until_s, counts = body(rows[:1]), time.monotonic() + seconds, [0] * CONNECTIONS

    def one(place: int) -> None:
        http = HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(http):
            while time.monotonic() < until_s:
                http.request("POST", "/invocations", text, {"content-type": "application/json"})
                reply = http.getresponse()
                reply.read()
                counts[place] += reply.status == 200

    threads = [threading.Thread(target=one, args=(place,)) for place in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


@contextlib.contextmanager
def server(python: Path, place: Path) -> Iterator[str]:
    """A real `mlflow server`, its files in a folder."""
    store = f"sqlite:///{place}/server.db"
    command = [str(python), "-m", "mlflow", "server", "--backend-store-uri", store, "--workers", "1"]
    with served([*command, "--artifacts-destination", str(place / "files")], "/health") as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def served(command: Sequence[str], ready: str) -> Iterator[int]:
    """A server on a free port, once it answers."""
    port = free_port("127.0.0.1", 0)
    with tempfile.TemporaryFile() as log:
        # MLflow's own server looks for uvicorn on the path.
        path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
        env = {**child_environment(), **QUIET, "PATH": path}
        process = subprocess.Popen(
            [*command, "--port", str(port)], stdout=log, stderr=log, env=env, start_new_session=True
        )
        try:
            until_s = time.monotonic() + START_S
            while not answers(port, ready):
                if process.poll() is not None or time.monotonic() > until_s:
                    log.seek(0)
                    raise SystemExit(f"{command[:5]} did not start: {log.read()[-800:].decode(errors='replace')}")
                time.sleep(0.2)
            yield port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(port: int, path: str) -> bool:
    """Whether somebody says yes there."""
    http = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        http.request("GET", path)
        return http.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        http.close()


if __name__ == "__main__":
    sys.exit(main())

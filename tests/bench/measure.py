"""One round of tests/bench/scoring.py: start a server on its core, put it under load, read its figures."""

import http.client
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.contenders import Contender
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 50
START_S = 90.0
SERVERS_CORE, GENERATOR_CORE = 0, 1


AGREE = 1.2
"""Two generators whose requests a second differ by more than this measured themselves, or a busy machine."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one server in one round."""

    rps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    memory_mb: float
    ready_ms: float


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two generators that did not agree, so that nothing is known; each with its requests a second."""

    said: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        return f"not measured: generators disagree ({', '.join(f'{name} {rps:.0f} rps' for name, rps in self.said)})"


@dataclass(frozen=True, slots=True)
class Load:
    """What one generator says of a server."""

    requests: int
    rps: float
    p50_ms: float
    p99_ms: float


@contextmanager
def running(contender: Contender) -> Iterator[tuple[int, psutil.Process, float]]:
    """The server on a port of its own and on its core, once it answers; with the milliseconds that this took."""
    port = free_port()
    command = [part.replace("PORT", str(port)) for part in contender.command]
    # Some start their workers by name, from the environment that they are installed in.
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PATH": path} | dict(contender.environment)
    began = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            ["taskset", "-c", str(SERVERS_CORE), *command],
            cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            wait_until_ready(child, port, contender, began + START_S)
            yield port, psutil.Process(child.pid), (time.perf_counter() - began) * 1000
        except NotReadyError as error:
            log.seek(0)
            raise SystemExit(f"{error}; it wrote:\n{log.read()[-2000:].decode(errors='replace')}") from None
        finally:
            stop(child)


def stop(child: "subprocess.Popen[bytes]") -> None:
    """End a server and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is None:
            os.killpg(child.pid, number)
            with suppress(subprocess.TimeoutExpired):
                child.wait(10)


class NotReadyError(Exception):
    """A server that ended, or took too long to answer."""


def wait_until_ready(child: "subprocess.Popen[bytes]", port: int, contender: Contender, until: float) -> None:
    """Ask every few milliseconds, as a probe would."""
    while True:
        if child.poll() is not None:
            raise NotReadyError(f"{contender.name} ended with {child.returncode} before it was ready")
        if time.perf_counter() > until:
            raise NotReadyError(f"{contender.name} was not ready within {START_S:g} s")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("POST" if contender.ready_path == contender.path else "GET", contender.ready_path)
            if connection.getresponse().status < 500:
                return
        except OSError:
            time.sleep(0.005)
        finally:
            connection.close()


def measure(contender: Contender, seconds: float) -> Figures | Disagreement:
    """One round: started afresh, asked once to see that it predicts, warmed for a second, then measured twice."""
    with running(contender) as (port, process, ready_ms):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", contender.path, contender.body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"{contender.name} answered {answer.status}: {answer.read()[:200]!r}")
        connection.close()
        first, second = generators()
        load(first, port, contender, 1)
        family = [process, *process.children(recursive=True)]
        before = cpu_s(family)
        one = load(first, port, contender, seconds)
        used_s = cpu_s(family) - before
        memory_mb = sum(each.memory_info().rss for each in family) / 1e6
        two = load(second, port, contender, seconds)
    if one.requests == 0 or max(one.rps, two.rps) > AGREE * min(one.rps, two.rps):
        return Disagreement(((first, one.rps), (second, two.rps)))
    return Figures(one.rps, one.p50_ms, one.p99_ms, used_s / one.requests * 1e6, memory_mb, ready_ms)


def generators() -> tuple[str, str]:
    """Whose figures count, and who must agree: wrk where there is one, and two of our own that share no code."""
    return ("wrk", "generator") if shutil.which("wrk") else ("generator", "second_generator")


def cpu_s(family: Sequence[psutil.Process]) -> float:
    """The CPU time that processes have used so far."""
    return sum(sum(each.cpu_times()[:2]) for each in family)


def load(generator: str, port: int, contender: Contender, seconds: float) -> Load:
    """So many seconds of one generator on its core."""
    if generator == "wrk":
        return load_by_wrk(port, contender, seconds)
    command = [sys.executable, "-m", f"tests.bench.{generator}", str(port), contender.path, str(seconds)]
    pinned = ["taskset", "-c", str(GENERATOR_CORE), *command]
    told = subprocess.run(
        pinned, cwd=ROOT, input=contender.body, capture_output=True, check=False, timeout=seconds + 60
    )
    if told.returncode:
        raise SystemExit(f"{contender.name}: {generator} failed: {told.stderr.decode(errors='replace')[-500:]}")
    latencies_ms = sorted(json.loads(told.stdout))
    quantile = statistics.quantiles(latencies_ms, n=100) if len(latencies_ms) > 1 else [float("nan")] * 99
    return Load(len(latencies_ms), len(latencies_ms) / seconds, quantile[49], quantile[98])


def load_by_wrk(port: int, contender: Contender, seconds: float) -> Load:
    """The same by wrk."""
    script = f"wrk.method='POST' wrk.headers['Content-Type']='application/json' wrk.body=[[{contender.body.decode()}]]"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(script.replace("[[{", "[==[{").replace("}]]", "}]==]"))
        lua.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--timeout", "20s", "--latency", "-s", lua.name]
        url = f"http://127.0.0.1:{port}{contender.path}"
        pinned = ["taskset", "-c", str(GENERATOR_CORE), *command, url]
        told = subprocess.run(pinned, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    if "Non-2xx" in told:
        raise SystemExit(f"{contender.name} refused requests:\n{told}")
    requests, rps = re.search(r"(\d+) requests in", told), re.search(r"Requests/sec:\s+([\d.]+)", told)
    if requests is None or rps is None:
        raise SystemExit(f"wrk said something else than usual:\n{told}")
    return Load(int(requests[1]), float(rps[1]), wrk_ms(told, "50%"), wrk_ms(told, "99%"))


def wrk_ms(told: str, percent: str) -> float:
    """One of wrk's percentiles, which it gives in us, ms or s."""
    found = re.search(rf"{percent}\s+([\d.]+)(us|ms|s)\b", told)
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]] if found else float("nan")

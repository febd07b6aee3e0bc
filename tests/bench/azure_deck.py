"""Whether the deck stands still while calls to Azure hang: `python -m tests.bench.azure_deck`.

A workspace in this process, an endpoint with one deployment there; a child drives it and shows the deck of 120x36 on a
pseudo-terminal, all in one process, which is the worst case: with a watch beside it the deck calls nobody. The child
wakes up every 5 ms and notes how late. First while Azure answers, then while every call hangs for half a minute, one of
traffic and the polls among them; then, in each, while keys open and close a page over the whole screen, whose painting
holds the loop for some 40 ms whatever Azure does: calls that hang may add nothing to that. Also what a process weighs
that attends the endpoint and shows nothing.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.bench.deck import Terminal, terminal

NAME, SECONDS, WAKES_S, HANGS_S = "late", 15, 0.005, 30.0
LIMIT_MS = 20.0
PHASES = ("Azure answers", "every call hangs")
KEYS = ", pages open"


async def look_on(folder: Path, *, shows: bool) -> None:
    """An engine over the journal that drives the endpoint in Azure, and shows it or does not."""
    from core.engine.engine import Engine
    from core.journal.journal import Journal
    from core.state import events as ev
    from core.targets.azureml.client import AzureMLTarget
    from core.targets.azureml.credentials import AccessToken
    from core.targets.fake.place import FakePlace
    from core.targets.protocol import Target
    from tests.environments import FakeEnvironment
    from tui.app import DeckApp

    at, token = endpoint(folder), (folder / "token").read_text()

    async def models(_: Any) -> Path:
        return folder / "model"

    class Workspace(FakeEnvironment):
        """The endpoint whose target is the real one."""

        def target(self, number: int) -> Target:
            """The target over the workspace beside."""
            return AzureMLTarget(at, models, number, source=lambda _: AccessToken(token, time.time() + 3600))

    def environment(name: str, _: ev.Result) -> FakeEnvironment:
        return Workspace(FakePlace(), folder, name, None)

    lags: dict[str, list[float]] = {}
    async with Engine(Journal(folder / "journal.db"), environment, "bench") as engine:
        await engine.emit(ev.Opened(NAME, "http://127.0.0.1:80", "prod", "azureml", production=True))
        engine.attend(NAME)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(wakes(folder, lags))
            if shows:
                tasks.create_task(DeckApp(engine, NAME, now=engine.now).run_async())


async def wakes(folder: Path, lags: dict[str, list[float]]) -> None:
    """Note how late each waking is, by what the parent says is going on; written down each second."""
    written_s = 0.0
    while True:
        begun_s = time.perf_counter()
        await asyncio.sleep(WAKES_S)
        now_s = time.perf_counter()
        phase = (folder / "phase").read_text() if now_s - written_s > 1 else ""
        if phase:
            written_s, current = now_s, phase
            lags.setdefault(current, [])
            (folder / "lags.new").write_text(json.dumps(lags))
            (folder / "lags.new").replace(folder / "lags.json")
        else:
            lags[current].append(1000 * (now_s - begun_s - WAKES_S))


def endpoint(folder: Path) -> Any:
    """The endpoint as its project says it."""
    from core.config.config import load
    from core.targets.azureml.workspace import azure_endpoint

    return azure_endpoint(load(folder / "quarterdeck.yaml", "prod", environ={}), {"SSL_CERT_FILE": str(folder / "ca")})


@contextmanager
def workspace(folder: Path) -> Iterator[Any]:
    """A stand-in with one deployment that has all traffic, and the project that names it."""
    from core.domain.model import Version
    from tests.azure.blobs import DOMAIN
    from tests.azure.instances import Instances
    from tests.azure.standin import AzureStandIn
    from tests.images.small import linear
    from tests.targets.azureml_scenes import project

    (folder / "azure").mkdir()
    Instances.plan = lambda self, _: self.pretended()  # type: ignore[method-assign,assignment]
    with AzureStandIn(folder / "azure") as azure:
        cloud = {"resource_manager": azure.url, "storage": DOMAIN}
        project(folder, {"name": NAME, "cloud": cloud, "poll_s": 1, "look_s": 2, "call_s": 10})
        (folder / "token").write_text(azure.token)
        (folder / "ca").write_bytes(azure.ca.read_bytes())
        linear(folder / "model")
        asyncio.run(served(folder, azure.token, Version(NAME, "1", "run1", f"models:/{NAME}/1")))
        yield azure


async def served(folder: Path, token: str, version: Any) -> None:
    """One deployment with all traffic."""
    from core.targets.azureml.client import AzureMLTarget
    from core.targets.azureml.credentials import AccessToken
    from tests.targets.helpers import watching

    async def models(_: Any) -> Path:
        return folder / "model"

    target = AzureMLTarget(endpoint(folder), models, 0, source=lambda _: AccessToken(token, time.time() + 3600))
    async with watching(target) as watcher:
        await target.apply("blue", version, 1)
        await watcher.ready("blue", 1)
        await target.route({"blue": 100.0})
        await watcher.weight("blue", 100)
    await target.close()


def percentiles(values: list[float]) -> tuple[float, float, float]:
    """The middle, 99 of 100, and the most."""
    found = sorted(values) or [0.0]
    return found[len(found) // 2], found[int(len(found) * 0.99)], found[-1]


def keys_ms(one: Terminal) -> list[float]:
    """From a key to what it opens, five times."""
    found = []
    for _ in range(5):
        sent = one.press(b"?")
        found.append(1000 * (one.until(b"any other key closes") - sent))
        one.press(b"x")
        one.until(b"stages")
        one.drain(0.5)
    return sorted(found)


def main() -> int:
    """The table; 1 where the deck stood still for longer than it may."""
    from tests.kubernetes.faults import FaultKind

    keys: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name, workspace(Path(name)) as azure:
        folder = Path(name)
        (folder / "phase").write_text("start")
        print(f"load of this machine before: {os.getloadavg()[0]:.1f}")
        with terminal([sys.executable, "-m", "tests.bench.azure_deck", "deck", name]) as one:
            one.until(b"endpoint")
            one.drain(5)
            for phase in PHASES:
                if phase == PHASES[1]:
                    azure.fault(FaultKind.HANG, seconds=HANGS_S)
                (folder / "phase").write_text(phase)
                one.drain(SECONDS)
                (folder / "phase").write_text(phase + KEYS)
                one.drain(2)
                keys[phase] = keys_ms(one)
                one.drain(2)
            size = psutil.Process(one.process.pid).memory_info().rss / 1e6
        lags = json.loads((folder / "lags.json").read_text())
        azure.take_back()
        watch = attended_mb(folder)
    worst = {phase: late(phase, lags[phase]) for one in PHASES for phase in (one, one + KEYS)}
    for phase in PHASES:
        print(f"{phase}: key to paint {keys[phase][2]:.0f} ms, {keys[phase][-1]:.0f} at the most")
    print(f"memory: deck and target {size:.0f} MB; a process that attends alone {watch:.0f} MB")
    print(f"load of this machine after: {os.getloadavg()[0]:.1f}")
    more = worst[PHASES[1] + KEYS] - worst[PHASES[0] + KEYS]
    return int(worst[PHASES[1]] > LIMIT_MS or more > LIMIT_MS)


def late(phase: str, lags: list[float]) -> float:
    """How late at the most; all of it is printed."""
    middle, most, worst = percentiles(lags)
    print(f"{phase} ({len(lags)} wakings)")
    print(f"  late by {middle:.1f} ms in the middle, {most:.1f} at 99 of 100, {worst:.1f} at the most")
    return worst


def attended_mb(folder: Path) -> float:
    """What a process weighs that attends the endpoint, after a while."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.azure_deck", "watch", str(folder)], stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(SECONDS)
        return float(psutil.Process(process.pid).memory_info().rss / 1e6)
    finally:
        process.kill()
        process.wait(10)


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(look_on(Path(sys.argv[2]), shows=sys.argv[1] == "deck"))
    else:
        sys.exit(main())

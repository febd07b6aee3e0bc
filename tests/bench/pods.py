"""What a thousand pods cost, of which a hundred a second change: `python -m tests.bench.pods [PODS] [EVENTS_A_SECOND]`.

A cluster in a process of its own tells of them over real HTTP; the target's real watch reports them, an engine writes
them down, and a deck of 120x36 on a pseudo-terminal shows them with its list of replicas open. Once as for a person,
with the watch in a process beside the deck, and once all in one.
"""

import asyncio
import itertools
import os
import random
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

SECONDS = 20
LIMITS = {"deck, share of one core": 25.0, "key to paint, slowest of ten": 100.0}
NAME = "late"


def serve(folder: Path, pods: int, events: float) -> None:
    """A cluster with so many pods, of which so many a second become something else; until it is ended."""
    from tests.targets.kubernetes.played import ours, service
    from tests.targets.kubernetes.told_server import ToldCluster

    cluster = ToldCluster()
    numbers = itertools.count(1)
    names = [f"late-blue-6d9fb6656b-{next(numbers):05}" for _ in range(pods)]
    cluster.answers, cluster.rate = "6", 4.0
    cluster.put("services", service("blue"))
    cluster.put("deployments", ours({"metadata": {"name": "late-blue"}, "spec": {"replicas": pods}, "status": {}}))
    cluster.put("horizontalpodautoscalers", ours(autoscaler(pods)))
    for name in names:
        cluster.put("pods", pod(name, ready=True))
    cluster.usage = [usage(name) for name in names]
    cluster.start()
    cluster.kubeconfig(folder)
    (folder / "ready").touch()
    begun, told = time.monotonic(), 0
    while True:
        while told < events * (time.monotonic() - begun):
            told += 1
            change(cluster, names, next(numbers))
        time.sleep(0.005)


def change(cluster: Any, names: list[str], number: int) -> None:
    """One pod starts, is ready, fails, goes; or another one comes in its place."""
    at = random.randrange(len(names))
    said = random.random()
    if said < 0.05:
        cluster.remove("pods", names[at])
        names[at] = f"late-blue-6d9fb6656b-{number:05}"
    cluster.put("pods", pod(names[at], ready=said > 0.2, crashed=0.05 < said < 0.1))


def pod(name: str, *, ready: bool, crashed: bool = False) -> dict[str, Any]:
    """A pod as a cluster has it, as large as they are."""
    from tests.targets.kubernetes.played import ours

    waits = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}
    state: dict[str, Any] = {"waiting": waits} if crashed else {"running": {"startedAt": "2026-11-21T09:14:19Z"}}
    status = "True" if ready else "False"
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    body = {
        "metadata": {"name": name, "uid": name, "creationTimestamp": "2026-11-21T09:14:19Z"},
        "spec": {"nodeName": f"node-{hash(name) % 40}", "filler": "x" * 2500},
        "status": {
            "phase": "Running",
            "conditions": [{"type": one, "status": status if "Ready" in one else "True"} for one in kinds],
            "containerStatuses": [{"name": "server", "ready": ready, "restartCount": int(crashed), "state": state}],
        },
    }
    return ours(body)


def autoscaler(pods: int) -> dict[str, Any]:
    """One that has looked, and asks for more than there may be."""
    target = {"type": "Utilization", "averageUtilization": 60}
    current = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 80}}}]
    said = {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"}
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}
    return {
        "metadata": {"name": "late-blue"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "late-blue"},
            "minReplicas": 2,
            "maxReplicas": pods,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
        "status": {
            "currentReplicas": pods,
            "desiredReplicas": pods,
            "currentMetrics": current,
            "conditions": [said, limited],
        },
    }


def usage(name: str) -> dict[str, Any]:
    """What the metrics API says of a pod."""
    return {
        "metadata": {"name": name},
        "containers": [{"usage": {"cpu": f"{random.randint(10, 300)}m", "memory": "180000Ki"}}],
    }


async def look_on(folder: Path, *, attends: bool, shows: bool) -> None:
    """An engine over the journal: it watches the cluster, shows it, or both."""
    from core.engine.engine import Engine
    from core.journal.journal import Journal
    from core.state import events as ev
    from core.targets.fake.place import FakePlace
    from core.targets.kubernetes.client import KubernetesTarget
    from core.targets.protocol import Target
    from tests.environments import FakeEnvironment
    from tests.targets.kubernetes.played import AT
    from tui.app import DeckApp

    class Cluster(FakeEnvironment):
        """The endpoint whose target is the real one."""

        def target(self, token: int) -> Target:
            """The target over the cluster beside."""
            return KubernetesTarget(AT, folder, token, kubeconfig=str(folder / "kubeconfig"))

    def environment(endpoint: str, _: ev.Result) -> FakeEnvironment:
        return Cluster(FakePlace(), folder, endpoint, None)

    journal = Journal(folder / "journal.db", read_only=not attends)
    async with Engine(journal, environment, "bench", read_only=not attends) as engine:
        if attends:
            await engine.emit(ev.Opened(NAME, "http://10.96.1.2:80", "prod", "kubernetes", production=True))
            await engine.emit(ev.Routed(NAME, {"blue": 100.0}))
            engine.attend(NAME)
            (folder / "attended").touch()
        if shows:
            await DeckApp(engine, NAME, now=engine.now).run_async()
        else:
            await asyncio.Event().wait()


@contextmanager
def child(role: str, folder: Path, *rest: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of this bench that is gone afterwards."""
    with (folder / f"{role}.log").open("wb") as log:
        command = [sys.executable, "-m", "tests.bench.pods", role, str(folder), *rest]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


def until(path: Path, seconds: float = 60.0) -> None:
    """Wait until a child has said so; raises TimeoutError."""
    end = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{path.name}: not within {seconds:g} s")
        time.sleep(0.1)


def busy_percent(processes: dict[str, psutil.Process], one: Terminal) -> dict[str, float]:
    """Each one's share of a core while the deck paints."""
    before = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
    begun = time.perf_counter()
    one.drain(SECONDS)
    took = time.perf_counter() - begun
    return {name: 100 * (sum(process.cpu_times()[:2]) - before[name]) / took for name, process in processes.items()}


def keys_ms(one: Terminal, count: int = 10) -> list[float]:
    """From a key to what it opens. The next one comes once that is gone again, however slow the machine is."""
    found = []
    for _ in range(count):
        sent = one.press(b"?")
        found.append(1000 * (one.until(b"any other key closes") - sent))
        one.press(b"x")
        one.until(b"4 endpoint")
        one.drain(0.5)
    return sorted(found)


def measured(folder: Path, role: str, others: dict[str, psutil.Process]) -> list[tuple[str, float, str]]:
    """The figures of a deck, and of the processes beside it."""
    with terminal([sys.executable, "-m", "tests.bench.pods", role, str(folder)]) as one:
        one.until(b"endpoint")
        one.press(b"4")
        one.drain(1)
        one.press(b"4")
        one.until(b"late-blue-6d9fb6656b")
        one.drain(3)
        deck = psutil.Process(one.process.pid)
        shares = busy_percent({"deck": deck, **others}, one)
        keys = keys_ms(one)
        size = deck.memory_info().rss / 1e6
    rows = [(f"{name}, share of one core", share, "%") for name, share in shares.items()]
    keyed = [("key to paint", keys[len(keys) // 2], "ms"), ("key to paint, slowest of ten", keys[-1], "ms")]
    return [*rows, *keyed, ("deck, memory", size, "MB")]


def main(pods: int, events: float) -> int:
    """The tables; 1 when a figure of a deck beside a watch is over its limit."""
    over = 0
    with tempfile.TemporaryDirectory() as name, child("serve", Path(name), str(pods), str(events)):
        folder = Path(name)
        until(folder / "ready")
        load = os.getloadavg()[0]
        print(f"{pods:,} pods, {events:g} changes a second; load of this machine before: {load:.1f}")
        with child("watch", folder) as watch:
            until(folder / "attended")
            print("\nthe watch beside the deck")
            for what, value, unit in measured(folder, "deck", {"watch": psutil.Process(watch.pid)}):
                limit = LIMITS.get(what)
                over += limit is not None and value > limit
                print(f"  {what:<32}{value:8.1f} {unit:<5}" + (f" under {limit:g}" if limit is not None else ""))
        print("\nall in the deck")
        for what, value, unit in measured(folder, "alone", {}):
            print(f"  {what:<32}{value:8.1f} {unit}")
        print(f"\nload of this machine after: {os.getloadavg()[0]:.1f}")
    return int(over > 0)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", where, many, often]:
            serve(Path(where), int(many), float(often))
        case [("watch" | "deck" | "alone") as role, where]:
            asyncio.run(look_on(Path(where), attends=role != "deck", shows=role != "watch"))
        case given:
            sys.exit(main(int(given[0]) if given else 1000, float(given[1]) if len(given) > 1 else 100.0))

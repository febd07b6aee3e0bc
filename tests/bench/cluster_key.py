"""From the key to the traffic's patch in a cluster, through the watch: python -m tests.bench.cluster_key [ROUNDS].

The stand-in is a process of its own, the watch that drives is the real one, users ask all along, and an engine presses
the key as the deck does. "calls" are those that came between the key and the patch, as the server saw them, but for
watches, signs of life and what pods counted; "patch" is until the server had accepted it, "proved" until answers showed
the traffic back. Afterwards a route of a release hangs and lands after the way back: it must be refused.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from core.domain.plan import Hold, Shift
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import commands as c
from core.state.release import Release
from tests.kubernetes.kinds import Json
from tests.ports import free_port
from tests.story.cluster_faults import TRAFFIC
from tests.story.cluster_scene import ClusterScene, TrafficWay, image
from tests.story.stand_in import StandIn
from tests.story.users import Users
from tui import headless

LATE_MS = (0, 5, 50)
BESIDE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "pods' figures": {"method": "GET", "path": "/proxy/", "times": 4},
    "the Lease": {"method": "PATCH", "path": "leases/iris", "times": 1},
}
"""What of ours hangs for 30 s meanwhile."""
HANGS_S, WAIT_S, LOOK_S = 30.0, 180.0, 0.05
HEAD = "API server   hangs beside   rounds calls  patch p50 / max  proved p50 / max  (ms from the key)"
NOT_COUNTED = ("/proxy/", "/version", "/metrics.k8s.io/", "/stand-in/")


@dataclass(slots=True)
class KeyRow:
    """What was seen of one kind of round."""

    calls: list[int] = field(default_factory=list)
    patch_ms: list[float] = field(default_factory=list)
    proved_ms: list[float] = field(default_factory=list)


T = TypeVar("T")


async def soon(true: Callable[[], T | None], what: str) -> T:
    """Look again and again on the loop, which the journal's connection belongs to; what was found is given."""
    until_s = time.monotonic() + WAIT_S
    while not (found := true()):
        assert time.monotonic() < until_s, f"did not come within {WAIT_S:g} s: {what}"
        await asyncio.sleep(LOOK_S)
    return found


async def patched(cluster: StandIn, way: TrafficWay, asked_at: float) -> tuple[int, float]:
    """How many calls came until the traffic's patch, that one counted; ms from the key until it was accepted."""
    name = f"/{'httproutes' if way.traffic == 'gateway' else 'services'}/{way.endpoint}"

    def landed() -> Json | None:
        calls = [one for one in cluster.calls(asked_at) if one["method"] == "PATCH" and one["path"].endswith(name)]
        return next((one for one in calls if one["status"] == 200 and one["came_at"] >= asked_at), None)

    patch = await soon(landed, "the patch")
    calls = [
        one
        for one in cluster.calls(asked_at)
        if asked_at <= one["came_at"] <= patch["came_at"] and not any(part in one["path"] for part in NOT_COUNTED)
    ]
    return len(calls), 1000 * (patch["answered_at"] - asked_at)


class KeyBench:
    """One endpoint whose second version is released again and again, and taken back."""

    def __init__(self, scene: ClusterScene, way: TrafficWay, engine: Engine) -> None:
        self.scene = scene
        self.way = way
        self.engine = engine

    async def holding(self) -> Release:
        """A release of version 2 that holds with half of the traffic."""
        seen = set(self.scene.snapshot.releases)
        asked = ("release", "--env", self.way.env, "--skip", "load", "--model-uri", "models:/iris/2")
        call = self.scene.call(*asked, sets=(*self.scene.sets, "release.hold_s=120", f"kubernetes.image={image('2')}"))

        def holds() -> Release | None:
            new = [one for name, one in self.scene.snapshot.releases.items() if name not in seen]
            assert not new or new[0].live, f"{new[0].why}\n{call.text}"
            reached = bool(new) and new[0].current is not None and isinstance(new[0].current.step, Hold)
            return new[0] if reached else None

        return await soon(holds, f"the hold of {call.lines[:1]}")

    async def back(self, late_ms: int, beside: str, row: KeyRow) -> None:
        """One way back, and what it cost."""
        cluster, release = self.scene.cluster, await self.holding()
        if late_ms:
            cluster.tell("fault", kind="latency", seconds=late_ms / 1000)
        if hang := BESIDE[beside]:
            cluster.tell("fault", kind="hang", seconds=HANGS_S, **hang)
            met = lambda: any(one["kind"] == "hang" and one["met"] for one in cluster.state()["faults"])  # noqa: E731
            await soon(met, f"a call to hang: {beside}")
        asked_at = time.time()
        await self.engine.do(c.Rollback(self.way.endpoint, asked_at=asked_at))
        calls, ms = await patched(cluster, self.way, asked_at)
        row.calls.append(calls)
        row.patch_ms.append(ms)
        ended: Callable[[], bool] = lambda: not self.scene.snapshot.releases[release.id].live  # noqa: E731
        await soon(ended, "the end of the way back")
        cluster.tell("clear")
        proof = self.scene.snapshot.endpoints[self.way.endpoint].verified
        row.proved_ms.append(proof.took_ms if proof is not None and proof.took_ms is not None else -1.0)
        self.scene.end_calls()

    async def late(self) -> str:
        """A release whose shift hangs is taken back at once; what became of the shift when it landed."""
        cluster, seen = self.scene.cluster, set(self.scene.snapshot.releases)
        hang = {"method": "PATCH", "path": TRAFFIC, "seconds": HANGS_S, "times": 1}
        cluster.tell("fault", kind="hang", **hang)
        began = time.time()
        asked = ("release", "--env", self.way.env, "--skip", "load", "--model-uri", "models:/iris/2")
        self.scene.call(*asked, sets=(*self.scene.sets, f"kubernetes.image={image('2')}"))
        met = lambda: bool(cluster.state()["faults"][0]["met"])  # noqa: E731
        await soon(met, "the shift to hang")
        at = time.time()
        release = next(one for name, one in self.scene.snapshot.releases.items() if name not in seen)
        assert release.current is not None
        assert isinstance(release.current.step, Shift)
        await self.engine.do(c.Rollback(self.way.endpoint, asked_at=at))
        _, ms = await patched(cluster, self.way, at)
        await asyncio.sleep(HANGS_S + 2 - (time.time() - at))
        hung = [one for one in cluster.calls(began) if one["answered_at"] - one["came_at"] > HANGS_S - 1]
        answers = ", ".join(f"{one['method']} {one['status']}" for one in hung)
        so = self.scene.wrong(self.way, "1") or "traffic as it was"
        return f"a shift that hung {HANGS_S:g} s: patch {ms:.0f} ms after the key; it landed with {answers}: {so}"


def show(late_ms: int, beside: str, row: KeyRow) -> None:
    """A line of the table."""
    figures = [f"{statistics.median(one):6.0f} / {max(one):6.0f}" for one in (row.patch_ms, row.proved_ms)]
    head = f"{late_ms:>3} ms away  {beside:<14} {len(row.calls):>3} {max(row.calls):>6}"
    print(f"{head}  {figures[0]}  {figures[1]}", flush=True)


def served(scene: ClusterScene, way: TrafficWay, numbers: Sequence[str]) -> None:
    """Train and release these versions, all at once."""
    for number in numbers:
        sets = (*scene.sets, f"kubernetes.image={image(number)}", "release.strategy=all-at-once")
        made = scene.call("release", "--env", way.env, "--skip", "load", sets=sets)
        assert made.ends(WAIT_S) == 0, made.text


async def main(rounds: int) -> None:
    """The table."""
    way = TrafficWay("gateway", "dev", "iris-dev", free_port())
    with tempfile.TemporaryDirectory(prefix="key-") as folder, StandIn(Path(folder)) as cluster:
        os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
        with ClusterScene(Path(folder) / "iris", cluster, [way]) as scene:
            scene.furnish()
            served(scene, way, "12")
            back = scene.call("rollback", "--env", way.env, sets=())
            assert back.ends(WAIT_S) == 0, back.text
            with Users(way.port, 5, 0.03) as users:
                async with headless.opened(Project(scene.folder, way.env)) as engine:
                    bench = KeyBench(scene, way, engine)
                    print(HEAD, flush=True)
                    for late_ms in LATE_MS:
                        for beside in BESIDE if late_ms == 5 else ("nothing",):
                            row = KeyRow()
                            for _ in range(rounds):
                                await bench.back(late_ms, beside, row)
                            show(late_ms, beside, row)
                    print(await bench.late())
                failed = users.failed()
                print(f"{len(failed)} of {len(users.answers):,} requests failed")
            down = scene.call("down", sets=())
            assert down.ends(WAIT_S) == 0, down.text


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))

"""What the target reports of a cluster that was recorded: the real watch over real HTTP, of what a server said."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.domain.model import Observation, ReplicaState, Scaled
from core.domain.obstacles import Cause
from core.targets.kubernetes.client import KubernetesTarget
from core.targets.protocol import Report
from tests.targets.kubernetes.played import AT, VERSIONS, Recording, told
from tests.targets.kubernetes.told_server import ToldCluster

MISSING = "image can't be pulled: registry.example/missing:1: not found"
LACKS = "no node takes it: cpu is lacking on 3 of 3 nodes"
FULL = "quota late: requests.cpu 400m of 500m used, 200m more asked for"


@pytest.fixture
def cluster() -> Iterator[ToldCluster]:
    """A server for each test."""
    with told() as one:
        yield one


class Reports:
    """What a watch said, and the newest word on each slot."""

    def __init__(self) -> None:
        self.all: list[Report] = []
        self.slots: dict[str, Observation] = {}
        self.looks: dict[str, Scaled] = {}
        self._more = asyncio.Event()

    def causes(self, slot: str) -> list[Cause] | None:
        """What is in the way of a slot's autoscaler; None where nothing was said of it."""
        return [one.cause for one in self.looks[slot].obstacles] if slot in self.looks else None

    async def read(self, target: KubernetesTarget) -> None:
        """All of it, until cancelled."""
        async for report in target.watch():
            self.all.append(report)
            if isinstance(report, Observation):
                self.slots[report.slot] = report
            if isinstance(report, Scaled):
                self.looks[report.slot] = report
            self._more.set()

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until something was reported; it fails with what was said last."""
        try:
            async with asyncio.timeout(20):
                while not true():
                    await self._more.wait()
                    self._more.clear()
        except TimeoutError:
            raise AssertionError(f"never reported; last: {self.slots}, {self.looks}") from None


@asynccontextmanager
async def watched(cluster: ToldCluster, folder: Path) -> AsyncIterator[Reports]:
    """A target that watches it."""
    target = KubernetesTarget(AT, folder, kubeconfig=str(cluster.kubeconfig(folder)))
    reports = Reports()
    reading = asyncio.create_task(reports.read(target))
    try:
        yield reports
    finally:
        reading.cancel()
        await target.close()


async def test_two_pods_become_fifteen_and_two_again(cluster: ToldCluster, tmp_path: Path) -> None:
    playing = Recording(cluster, "scaling")
    playing.to(0.3)
    async with watched(cluster, tmp_path) as reports:
        await reports.until(lambda: "blue" in reports.slots and reports.slots["blue"].proved_by)
        blue = reports.slots["blue"]
        assert (blue.version, blue.wanted, blue.ready, blue.weight) == (VERSIONS["blue"], 2, 2, 100.0)
        assert {one.node for one in blue.replicas} == {"node-1", "node-2"}
        playing.to(100)
        await reports.until(lambda: (reports.slots["blue"].wanted, reports.slots["blue"].ready) == (15, 15))
        await reports.until(lambda: reports.causes("blue") == [Cause.MAXIMUM])
        assert reports.looks["blue"].max == 15
        playing.to(playing.seconds)
        await reports.until(lambda: len(reports.slots["blue"].replicas) == 2)
        await reports.until(lambda: (reports.slots["blue"].wanted, reports.slots["blue"].ready) == (2, 2))


async def test_what_pods_use_is_told_with_them(cluster: ToldCluster, tmp_path: Path) -> None:
    Recording(cluster, "scaling").to(0.3)
    async with watched(cluster, tmp_path) as reports:
        await reports.until(lambda: "blue" in reports.slots and reports.slots["blue"].replicas[0].cpu_m)
        one = reports.slots["blue"].replicas[0]
        assert one.cpu_m == 30.5
        assert one.memory_mb == 185.3
        assert one.node == "node-1"


@pytest.mark.parametrize(
    ("name", "at_s", "slot", "wanted", "states", "why"),
    [
        ("image-pull", 40, "green", 2, [ReplicaState.BACKOFF] * 2, MISSING),
        ("unschedulable", 20, "green", 1, [ReplicaState.PENDING], LACKS),
        ("quota", 24, "blue", 4, [ReplicaState.READY] * 2, ""),
    ],
)
async def test_why_pods_are_not_ready_is_told_of_each(
    cluster: ToldCluster,
    tmp_path: Path,
    name: str,
    at_s: float,
    slot: str,
    wanted: int,
    states: list[ReplicaState],
    why: str,
) -> None:
    Recording(cluster, name, serves="").to(at_s)
    async with watched(cluster, tmp_path) as reports:
        await reports.until(lambda: slot in reports.slots)
        seen = reports.slots[slot]
        assert (seen.wanted, [one.state for one in seen.replicas]) == (wanted, states)
        assert {one.why for one in seen.replicas} == {why}
        assert seen.why == (FULL if name == "quota" else "")


async def test_a_pull_that_fails_and_rests_in_turn_is_one_trouble(cluster: ToldCluster, tmp_path: Path) -> None:
    playing = Recording(cluster, "image-pull", serves="")
    playing.to(5)
    async with watched(cluster, tmp_path) as reports:
        await reports.until(lambda: reports.slots and reports.slots["green"].replicas[0].why == MISSING)
        before = len(reports.all)
        for second in range(6, 40, 2):
            playing.to(second)
        playing.to(playing.seconds)
        await reports.until(lambda: reports.slots["green"].ready == 2)
        between = [one for one in reports.all[before:] if isinstance(one, Observation)]
        assert all({each.why for each in one.replicas} <= {MISSING, ""} for one in between)


async def test_an_autoscaler_without_figures_says_who_does_not_measure(cluster: ToldCluster, tmp_path: Path) -> None:
    playing = Recording(cluster, "metrics-missing", serves="")
    playing.to(30)
    async with watched(cluster, tmp_path) as reports:
        await reports.until(lambda: "blue" in reports.looks)
        assert reports.causes("blue") == [Cause.METRICS_ABSENT]
        playing.to(48)
        await reports.until(lambda: reports.causes("blue") == [])
        playing.to(playing.seconds)
        await reports.until(lambda: reports.causes("blue") == [Cause.METRICS_DEAD])

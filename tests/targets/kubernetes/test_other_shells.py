"""A way back whose release named a kubeconfig that is gone, asked for in a shell that names another."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster
from tests.targets import kubernetes_scenes
from tests.targets.helpers import two_slots, watching
from tests.targets.kubernetes.places import ClusterPlace, serving_cluster
from tests.targets.other_shells import back_from_another_shell


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One whose pods answer."""
    with serving_cluster() as one:
        yield one


async def test_a_way_back_from_a_good_shell_needs_no_kubeconfig_that_its_release_named(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ClusterPlace(cluster, tmp_path)
    config = kubernetes_scenes.project(tmp_path, {"namespace": place.namespace, "service": {"type": "ClusterIP"}})
    target = place.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, 1)
        await target.route({"green": 100.0})
        await watcher.weight("green", 100)
        await target.close()
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "gone"))
        await back_from_another_shell(config, "KUBECONFIG", place.kubeconfig, monkeypatch)
    again = place.target()
    async with watching(again) as watcher:
        await watcher.weight("blue", 100)
    await place.close()

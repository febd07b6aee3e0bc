"""A model goes to a cluster and back by the real command: released, promoted, by canary under users, taken back, ended.

The cluster is a stand-in whose pods are the real service.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.images import registry
from tests.kubernetes.caller import Caller
from tests.kubernetes.cluster import Cluster, running
from tests.kubernetes.images import PodImage, ProjectImages
from tests.kubernetes.kinds import Json, resource
from tests.ports import free_port
from tests.story.shop import HOME, Shop, quarterdeck

NAMESPACE = "flights"
AT_ONCE = "release.strategy=all-at-once"
NO_LOAD = ("--set", "release.background.users=0")


def _image(number: int) -> str:
    return f"registry.example/iris@sha256:{number:064d}"


def _with_image(number: int) -> tuple[str, str]:
    return "--set", f"kubernetes.image={_image(number)}"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One whose load balancers give addresses; probes and ends are quick."""
    with running() as one:
        one.kubelet.speed = 10.0
        one.plane.balancers = True
        yield one
        assert one.troubles == []


@pytest.fixture(scope="module")
def shop(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A project that serves in the cluster; each version's image holds what was registered."""
    home = tmp_path_factory.mktemp("cluster")
    cluster.kubeconfig(home)
    shop = Shop(home / "iris", "iris", "species", ("--set", "train.n_iter=2", "--set", "train.cv_folds=3"))
    told = quarterdeck("init", str(shop.folder), "--sample", "iris", cwd=home)
    assert told.code == 0, told.err
    path = shop.folder / "quarterdeck.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["target"] = "kubernetes"
    place = {"context": "stand-in", "namespace": NAMESPACE, "create_namespace": True, "service": {"type": "ClusterIP"}}
    settings["kubernetes"] = place
    balancer = {"service": {"type": "LoadBalancer", "port": free_port()}}
    settings["environments"]["prod"]["kubernetes"] = balancer
    settings["release"] |= {"steps": [25, 100], "hold_s": 4}
    path.write_text(yaml.safe_dump(settings))
    for number in (1, 2):
        model = shop.folder / ".quarterdeck" / "models" / f"iris-{number}"
        words = {"python": sys.executable, "/model": str(model)}
        cluster.kubelet.images[_image(number)] = PodImage(("python",), words, {"PYTHONPATH": str(HOME)})
    yield shop
    _run(shop, "down")


def _run(shop: Shop, *arguments: str) -> list[str]:
    """What a command said, which went well."""
    told = shop.run(*arguments, env={"KUBECONFIG": str(shop.folder.parent / "kubeconfig")})
    assert told.code == 0, told.out + told.err
    return told.lines


def _listed(cluster: Cluster, plural: str) -> list[Json]:
    return cluster.do(lambda: list(cluster.store.items(resource(plural).store, NAMESPACE)))


@pytest.mark.slow
def test_a_model_goes_to_a_cluster_and_back(shop: Shop, cluster: Cluster) -> None:
    first = (*shop.flags, *_with_image(1), *NO_LOAD)
    assert "done: iris v1 on iris-staging" in _run(shop, "release", "--env", "staging", "--skip", "load", *first)
    promoted = _run(shop, "promote", "--to", "prod", "--confirm", "prod", "--skip", "load", *_with_image(1), *NO_LOAD)
    assert any("v1 on iris" in line for line in promoted)
    url = shop.snapshot().endpoints["iris"].url
    row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}

    def answers(count: int = 20) -> set[str]:
        with httpx.Client(base_url=url, trust_env=False, timeout=10, headers={"connection": "close"}) as client:
            return {client.post("/predict", json=row).headers["x-model-version"] for _ in range(count)}

    assert answers() == {"1"}
    canary = _run(shop, "release", "--env", "prod", "--skip", "load", *shop.flags, *_with_image(2))
    assert any("blue 75 %, green 25 %, verified" in line for line in canary)
    assert any("errors 0 % is < 5 %" in line for line in canary)
    assert "done: iris v2 on iris" in canary
    assert answers() == {"2"}
    back = _run(shop, "rollback", "--env", "prod", "--reason", "late answers")
    assert any("blue 100 %, verified" in line and "after the key" in line for line in back)
    assert answers() == {"1"}
    status = _run(shop, "status")
    assert any(line.split()[:5] == ["blue", "iris", "v1", "100.0", "%"] for line in status)
    assert any("costs" in line and "a load balancer" in line for line in status)
    _run(shop, "down")
    for plural in ("deployments.apps", "services", "leases.coordination.k8s.io", "pods"):
        assert _listed(cluster, plural) == []
    assert any("nothing" in line for line in _run(shop, "status"))


@pytest.mark.slow
def test_a_deleted_autoscaler_and_an_image_of_another_version_are_said(shop: Shop, cluster: Cluster) -> None:
    release = ("release", "--env", "staging", "--skip", "load", *NO_LOAD, *_with_image(1), "--set", AT_ONCE)
    path = shop.folder / "quarterdeck.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["environments"]["staging"] = {"endpoint": {"replicas": 1, "autoscaling": {"min": 1, "max": 2, "cpu": 60}}}
    path.write_text(yaml.safe_dump(settings))
    _run(shop, *release, "--model-uri", "models:/iris/1")
    caller = Caller(cluster, NAMESPACE)
    autoscaler = ("horizontalpodautoscalers.autoscaling", "iris-staging-blue")
    assert caller.delete(*autoscaler).status_code == 200
    said = _run(shop, "explain", "--env", "staging")
    lacks = "! it has no autoscaler, though endpoint.autoscaling asks for one: it stays at 1"
    assert any(lacks in line for line in said), said
    assert any("→ 'quarterdeck scale 1 --slot blue --env staging' makes it anew" in line for line in said)
    scaled = _run(shop, "scale", "1", "--slot", "blue", "--env", "staging")
    assert any("iris-staging: blue has 1 replica ready" in line for line in scaled)
    assert caller.read(*autoscaler)["spec"]["maxReplicas"] == 2
    # Two trainings on the same rows give the same model; another project's is another one.
    theirs = Path(shutil.copytree(shop.folder / ".quarterdeck" / "models" / "iris-1", shop.folder.parent / "theirs"))
    about = theirs / "model.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "example": {}}))
    words = {"python": sys.executable, "/model": str(theirs)}
    cluster.kubelet.images[_image(9)] = PodImage(("python",), words, {"PYTHONPATH": str(HOME)})
    login = {"KUBECONFIG": str(shop.folder.parent / "kubeconfig")}
    told = shop.run(*release, "--model-uri", "models:/iris/2", *_with_image(9), env=login)
    assert told.code != 0
    assert "what answers as iris v2 holds another model" in told.out + told.err
    caller.client.close()
    _run(shop, "down")


@pytest.mark.slow
async def test_a_release_packs_and_pushes_what_it_trained(shop: Shop, cluster: Cluster) -> None:
    """No image is named: the release makes one of its version, and what the registry holds is what the pods run."""
    cluster.kubelet.images = ProjectImages(shop.folder, cluster.kubelet.images)
    async with registry.running(registry.Registry()) as images:
        place = f"{images.host}/team/iris"
        sets = ("--set", f"image.repository={place}", "--set", "image.builder=quarterdeck", "--set", AT_ONCE)
        release = ("release", "--env", "dev", "--skip", "load", *shop.flags, *NO_LOAD, *sets)
        lines = await asyncio.to_thread(_run, shop, *release)
        assert any("image" in line and "done" in line for line in lines), lines
        assert any(line.startswith("done: iris v") for line in lines)
        (deployment,) = _listed(cluster, "deployments.apps")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        name, _, digest = container["image"].partition("@")
        assert name == place
        assert any(digest in path for _, path in images.asked)
        assert images.count("PUT", "manifests") == 1
        again = await asyncio.to_thread(_run, shop, *release, "--model-uri", "models:/iris/latest")
        # The same version is the same image: nothing is built or sent anew.
        assert any("image" in line and "done" in line for line in again)
        assert images.count("PUT", "manifests") == 1
        await asyncio.to_thread(_run, shop, "down")

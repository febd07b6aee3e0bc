"""What Azure Monitor makes of a slot, by the real command: reasons of its size, another by hand, its cost, its end."""

import time
from collections.abc import Iterator

import pytest
import yaml

from core.targets.azureml.autoscale_bodies import METRICS
from tests.azure.blobs import DOMAIN
from tests.azure.standin import AzureStandIn
from tests.story.shop import Shop, quarterdeck

WITHIN_S = 60.0
SLOW = {"p50_ms": 5000, "p95_ms": 20000, "p99_ms": 20000}


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    """A workspace that is quick."""
    with AzureStandIn(tmp_path_factory.mktemp("azure")) as one:
        yield one
        assert one.troubles == []


@pytest.fixture(scope="module")
def shop(azure: AzureStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A project whose version 1 serves there, scaled by cpu between one and three instances."""
    home = tmp_path_factory.mktemp("story")
    shop = Shop(home / "iris", "iris", "species", ("--set", "train.n_iter=2", "--set", "train.cv_folds=3"))
    told = quarterdeck("init", str(shop.folder), "--sample", "iris", cwd=home)
    assert told.code == 0, told.err
    path = shop.folder / "quarterdeck.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["target"] = "azureml"
    cloud = {"resource_manager": azure.url, "storage": DOMAIN}
    prices = {"Standard_DS2_v2": 0.14}
    # One instance answers the whole smoke test.
    served = {"request_timeout_s": 10, "max_concurrent_requests": 50}
    settings["azureml"] = {"cloud": cloud, "poll_s": 0.2, "look_s": 1, "prices": prices, **served}
    settings["endpoint"] = {**settings["endpoint"], "replicas": 1, "autoscaling": {"min": 1, "max": 3, "cpu": 70}}
    settings["release"] |= {"steps": [100], "hold_s": 2, "smoke_limits": SLOW}
    path.write_text(yaml.safe_dump(settings))
    _run(shop, azure, "release", "--env", "dev", "--skip", "load", *shop.flags)
    yield shop
    _run(shop, azure, "down")


def _run(shop: Shop, azure: AzureStandIn, *arguments: str, code: int = 0) -> list[str]:
    """What a command said."""
    environment = {**azure.environment(), "GITHUB_RUN_NUMBER": "31"}
    told = quarterdeck(*arguments, cwd=shop.folder, env=environment, deadline_s=300)
    assert told.code == code, told.out + told.err
    return told.lines


def _explained(shop: Shop, azure: AzureStandIn, what: str) -> list[str]:
    """What `explain` says, once a line of it has these words."""
    ends_at = time.monotonic() + WITHIN_S
    while True:
        said = _run(shop, azure, "explain", "--env", "dev")
        if any(what in line for line in said):
            return said
        assert time.monotonic() < ends_at, f"not said: {what}\n" + "\n".join(said)


@pytest.mark.slow
def test_a_slot_is_scaled_and_its_size_explained(shop: Shop, azure: AzureStandIn) -> None:
    blue = azure.endpoints.held["iris-dev"].deployments["blue"]
    assert blue.properties["model"].endswith("/models/iris/versions/31")
    _explained(shop, azure, "no cpu of any ready replica was measured: the size stays at 1")
    azure.metrics.use(blue.path, **{METRICS["cpu"]: 91.0})
    _explained(
        shop, azure, "cpu 91 % of 70 % asks for 2 replicas, and it waits for up to 5 min more whether that lasts"
    )
    azure.do(lambda: azure.autoscale.wanted("ws-iris-dev-blue", 2))
    said = _explained(shop, azure, "it changes nothing for 300 s after a change")
    assert any("blue 1 → 2: cpu 91 % of 70 %" in line for line in said)
    status = _run(shop, azure, "status", "--env", "dev")
    assert any("2/2 ready  $0.28/h" in line for line in status)
    assert any("costs    blue: 2 x Standard_DS2_v2, $0.28 an hour (azureml.prices)" in line for line in status)


@pytest.mark.slow
def test_a_size_by_hand_stays_within_the_bounds(shop: Shop, azure: AzureStandIn) -> None:
    assert any("blue has 3 replicas ready" in line for line in _run(shop, azure, "scale", "3", "--env", "dev"))
    said = _explained(shop, azure, "asks for 4 replicas, the maximum is 3")
    assert any("raise endpoint.autoscaling.max" in line for line in said)
    (refused,) = [line for line in _run(shop, azure, "scale", "4", "--env", "dev", code=3) if "refused" in line]
    assert refused.startswith("refused: iris-dev: blue: its autoscaler stays between 1 and 3 replicas, 4 are outside")


@pytest.mark.slow
def test_a_slot_without_traffic_goes_to_none_and_comes_back(shop: Shop, azure: AzureStandIn) -> None:
    _run(shop, azure, "release", "--env", "dev", "--skip", "load", "--set", "release.retire_after_s=never", *shop.flags)
    deployments = azure.endpoints.held["iris-dev"].deployments
    assert set(deployments) == {"blue", "green"}
    (refused,) = [line for line in _run(shop, azure, "scale", "0", "--env", "dev", code=3) if "refused" in line]
    assert "green: it gets 100 % of the traffic" in refused
    _run(shop, azure, "scale", "0", "--slot", "blue", "--env", "dev")
    assert azure.do(lambda: set(deployments)) <= {"blue", "green"}
    status = _run(shop, azure, "status", "--env", "dev")
    assert any(line.split()[:3] == ["blue", "iris", "v1"] and "0/0 ready" in line for line in status)
    assert not any("costs" in line and "blue" in line for line in status)
    said = _explained(shop, azure, "it was scaled to 0, which switches its autoscaler off")
    assert any("'quarterdeck scale 1 --slot blue --env dev' switches it on" in line for line in said)
    assert any("blue" in line and "0 replicas, 0 ready" in line for line in said)
    _run(shop, azure, "scale", "1", "--slot", "blue", "--env", "dev")
    assert azure.do(lambda: deployments["blue"].state) == "Succeeded"


@pytest.mark.slow
def test_what_costs_money_is_said_and_ends(shop: Shop, azure: AzureStandIn) -> None:
    said = _run(shop, azure, "down", "--env", "dev")
    assert any("what it costs ends: " in line and "blue: 1 x Standard_DS2_v2, $0.14 an hour" in line for line in said)
    assert azure.do(lambda: (list(azure.endpoints.held), list(azure.autoscale.held))) == ([], [])

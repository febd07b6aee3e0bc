"""Which number a model's version gets in a workspace: that of the run of CI where there is one, else the registry's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.model import Observation, Version
from core.targets.azureml.client import AzureMLTarget
from core.targets.azureml.names import ci_run
from core.targets.azureml.view import version_of
from tests.azure.standin import AzureStandIn
from tests.targets.azureml_places import AzurePlaceOf, serving_workspace

V1, V2 = Version("late", "1"), Version("late", "2")


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    """One for all of them."""
    with pytest.MonkeyPatch.context() as patch, serving_workspace(tmp_path_factory.mktemp("azure")) as one:
        patch.setenv("SSL_CERT_FILE", str(one.ca))
        yield one


@pytest.fixture
async def place(azure: AzureStandIn, tmp_path: Path) -> AsyncIterator[AzurePlaceOf]:
    """An endpoint that run 42 of CI releases to."""
    made = AzurePlaceOf(azure, tmp_path)
    made.at = replace(made.at, run="42")
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("environ", "run"),
    [
        ({}, ""),
        ({"GITHUB_RUN_NUMBER": "42"}, "42"),
        ({"BUILD_BUILDID": "20261127"}, "20261127"),
        ({"GITHUB_RUN_NUMBER": "", "BUILD_BUILDID": "7"}, "7"),
        ({"GITHUB_RUN_NUMBER": "../../7"}, ""),
    ],
)
def test_the_run_of_ci_is_said_by_its_variables(environ: dict[str, str], run: str) -> None:
    assert ci_run(environ) == run


async def test_a_version_has_the_number_of_its_run_and_a_second_one_of_that_run_its_own_behind_it(
    azure: AzureStandIn, place: AzurePlaceOf
) -> None:
    target = place.target(1)
    await ready(target, "blue", V1)
    await ready(target, "green", V2)
    held = {name: azure.endpoints.known(place.name).deployments[name].properties["model"] for name in ("blue", "green")}
    assert {slot: model.rpartition("/models/")[2] for slot, model in held.items()} == {
        "blue": "late/versions/42",
        "green": "late/versions/42-2",
    }
    # The same version once more is the one that is there.
    await target.remove("green")
    await gone(target, "green")
    before = len(azure.front.seen)
    await ready(target, "green", V2)
    put = [one.path for one in list(azure.front.seen)[before:] if one.method == "PUT" and "/models/" in one.path]
    assert put == []
    body = azure.endpoints.known(place.name).deployments["green"].asked
    assert version_of("green", body) == V2


async def ready(target: AzureMLTarget, slot: str, version: Version) -> None:
    """Deploy it and see that it is."""
    await target.apply(slot, version, 1)
    async with asyncio.timeout(60):
        async for report in target.watch():
            if isinstance(report, Observation) and (report.slot, report.version, report.ready) == (slot, version, 1):
                return


async def gone(target: AzureMLTarget, slot: str) -> None:
    """See that a slot is empty."""
    async with asyncio.timeout(60):
        async for report in target.watch():
            if isinstance(report, Observation) and report.slot == slot and report.version is None:
                return

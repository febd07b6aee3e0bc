"""The doctor's line on the registry to which a release pushes: asked over HTTP, with docker's login of this machine."""

import asyncio
import json
from pathlib import Path

import pytest

from core.domain.diagnosis import Condition, Diagnosis
from core.images import image_registry
from core.targets.kubernetes.doctor_registry import registry
from core.targets.kubernetes.labels import cluster_endpoint
from tests.images.registry import BASIC, PASSWORD, Registry, running
from tests.ports import free_port
from tests.targets.kubernetes_scenes import IMAGE, settings_of


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that knows no login, and asks a registry that is away again at once."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "ECR_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(image_registry, "AGAIN_S", 0.0)


async def told(folder: Path, repository: str | None, image: str | None = None) -> list[Diagnosis]:
    """What is found of a project that pushes there."""
    settings = settings_of(folder, {"image": image}, image={"repository": repository})
    return await asyncio.to_thread(lambda: list(registry(cluster_endpoint(settings), settings)))


def logged_in(folder: Path, host: str) -> None:
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": BASIC.removeprefix("Basic ")}}}))


async def test_without_a_repository_a_release_that_trains_has_nowhere_to_push(tmp_path: Path) -> None:
    (line,) = await told(tmp_path, None)
    assert (line.condition, "image.repository is not set" in line.text) == (Condition.WARN, True)
    assert "write image.repository: registry.example.com/late" in line.do


async def test_where_an_image_is_named_nothing_is_pushed(tmp_path: Path) -> None:
    assert await told(tmp_path, None, IMAGE) == []


async def test_a_registry_that_is_silent_is_in_the_way(tmp_path: Path) -> None:
    (line,) = await told(tmp_path, f"127.0.0.1:{free_port()}/team/late")
    assert (line.condition, "can't be reached" in line.text) == (Condition.FAIL, True)
    assert "image.repository" in line.do


@pytest.mark.parametrize("way", ["basic", "bearer"])
async def test_one_that_wants_another_login_is_in_the_way(tmp_path: Path, way: str) -> None:
    async with running(Registry(login=way)) as there:  # type: ignore[arg-type]
        (line,) = await told(tmp_path, f"{there.host}/team/late")
        assert (line.condition, "no login of it is known here" in line.text) == (Condition.FAIL, True)
        logged_in(tmp_path, there.host)
        (line,) = await told(tmp_path, f"{there.host}/team/late")
        assert (line.condition, line.text) == (Condition.OK, f"{there.host}/team/late answers, as ada")
        assert PASSWORD not in line.text
        assert {method for method, path in there.asked if path != "/token"} == {"HEAD"}


async def test_one_that_may_not_push_there_is_in_the_way(tmp_path: Path) -> None:
    async with running(Registry(faults=[("HEAD", "/manifests/", 403)])) as there:
        (line,) = await told(tmp_path, f"{there.host}/team/late")
    assert (line.condition, "may not push to team/late (403)" in line.text) == (Condition.FAIL, True)


async def test_one_that_asks_nobody_who_he_is_is_fine(tmp_path: Path) -> None:
    async with running(Registry()) as there:
        (line,) = await told(tmp_path, f"{there.host}/team/late")
        assert (line.condition, line.text) == (Condition.OK, f"{there.host}/team/late answers, without a login")

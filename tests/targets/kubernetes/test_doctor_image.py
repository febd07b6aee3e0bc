"""A registry asked whether it has an image, as a node would ask: over HTTP, with what a pull secret holds."""

import base64
import json

import pytest

from core.domain.errors import Failed, Unreachable
from core.domain.image_reference import parse
from core.images import image_registry
from core.images.credentials import Credentials, credentials_in
from core.targets.kubernetes.doctor_image import in_registry
from tests.images.registry import PASSWORD, USER, Registry, running

DIGEST = f"sha256:{'7c' * 32}"
AUTH = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


async def asked(registry: Registry, known: Credentials | None = None) -> bool:
    return await in_registry(parse(f"{registry.host}/team/late"), DIGEST, known)


async def test_it_has_it_or_has_it_not() -> None:
    async with running(Registry(manifests={DIGEST: b"{}"})) as registry:
        assert await asked(registry)
        registry.manifests.clear()
        assert not await asked(registry)
        assert {method for method, _ in registry.asked} == {"HEAD"}


async def test_who_may_not_read_it_hears_so_and_the_pull_secret_may() -> None:
    async with running(Registry(login="basic", manifests={DIGEST: b"{}"})) as registry:
        with pytest.raises(Failed, match="401") as error:
            await asked(registry)
        assert PASSWORD not in str(error.value)
        document = json.dumps({"auths": {registry.host: {"auth": AUTH}}}).encode()
        assert await asked(registry, credentials_in(document, registry.host))


async def test_a_registry_that_is_away_ends_within_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_registry, "AGAIN_S", 0.0)
    async with running(Registry()) as registry:
        pass
    with pytest.raises(Unreachable):
        await asked(registry)


@pytest.mark.parametrize(
    ("document", "user"),
    [
        ({"auths": {"https://registry.example/v1/": {"auth": AUTH}}}, USER),
        ({"auths": {"registry.example": {"username": "bob", "password": "x"}}}, "bob"),
        ({"auths": {"other.example": {"auth": AUTH}}}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_pull_secret_is_read_as_docker_writes_it(document: object, user: str | None) -> None:
    found = credentials_in(json.dumps(document).encode(), "registry.example")
    assert (found.user if found else None) == user
    assert credentials_in(b"", "registry.example") is None

"""Who we are to a registry, out of what docker, podman and their helpers keep."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import Failed
from core.domain.image_reference import DOCKER_HUB
from core.images import credentials as module
from core.images.challenges import Challenge, challenge_in
from core.images.credentials import Credentials, credentials

HOST = "registry.example.com:5000"
AUTH = base64.b64encode(b"ada:pa55:word").decode()
ADA = Credentials("ada", "pa55:word")


def found(folder: Path, document: Any, registry: str = HOST, **environ: str) -> Credentials | None:
    (folder / "config.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return credentials(registry, {"DOCKER_CONFIG": str(folder), "HOME": str(folder / "home"), **environ})


@pytest.mark.parametrize(
    ("registry", "written"),
    [
        (HOST, HOST),
        (HOST, f"https://{HOST}"),
        (HOST, f"https://{HOST}/v2/"),
        (DOCKER_HUB, "https://index.docker.io/v1/"),
        (DOCKER_HUB, "docker.io"),
    ],
)
def test_a_login_is_found_however_its_host_is_written(tmp_path: Path, registry: str, written: str) -> None:
    assert found(tmp_path, {"auths": {"other.example.com": {"auth": "eDp5"}, written: {"auth": AUTH}}}, registry) == ADA


def test_a_login_of_another_host_is_not_ours(tmp_path: Path) -> None:
    auths = {"example.com:5000": {"auth": AUTH}, "registry.example.com": {"auth": AUTH}, f"x{HOST}": {"auth": AUTH}}
    assert found(tmp_path, {"auths": auths}) is None
    assert found(tmp_path, {}) is None
    assert found(tmp_path, {"auths": {HOST: {}}}) is None


def test_a_login_may_be_a_token_or_stand_in_clear(tmp_path: Path) -> None:
    token = found(tmp_path, {"auths": {HOST: {"auth": AUTH, "identitytoken": "t0ken"}}})
    assert token is not None
    assert (token.secret, token.identity) == ("t0ken", True)
    assert found(tmp_path, {"auths": {HOST: {"username": "ada", "password": "pa55:word"}}}) == ADA


def test_podmans_file_is_read_too_and_the_one_that_is_named_first(tmp_path: Path) -> None:
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers" / "auth.json").write_text(json.dumps({"auths": {HOST: {"auth": AUTH}}}))
    assert found(tmp_path, {}, XDG_RUNTIME_DIR=str(tmp_path)) == ADA
    eve = base64.b64encode(b"eve:x").decode()
    (tmp_path / "named.json").write_text(json.dumps({"auths": {HOST: {"auth": eve}}}))
    named = found(tmp_path, {}, XDG_RUNTIME_DIR=str(tmp_path), REGISTRY_AUTH_FILE=str(tmp_path / "named.json"))
    assert named == Credentials("eve", "x")


@pytest.mark.parametrize("text", ["{", "\xff", '{"auths": {"registry.example.com:5000": {"auth": "?secret?"}}}'])
def test_a_file_that_cannot_be_read_is_named_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(Failed, match=r"config.json: (can't be read|holds an auth that can't be read)") as error:
        found(tmp_path, text)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "document", ["[]", '{"auths": [], "credHelpers": 3}', '{"auths": {"registry.example.com:5000": 1}}']
)
def test_a_file_of_another_shape_knows_nothing(tmp_path: Path, document: str) -> None:
    assert found(tmp_path, document) is None


def helper(folder: Path, script: str) -> dict[str, str]:
    path = folder / "docker-credential-safe"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize("key", [{"credsStore": "safe"}, {"credHelpers": {HOST: "safe"}}])
def test_a_helper_is_asked_for_the_host_alone(tmp_path: Path, key: dict[str, Any]) -> None:
    script = f'test "$1" = get && test "$(cat)" = {HOST} && echo \'{{"Username": "ada", "Secret": "pa55:word"}}\''
    assert found(tmp_path, key, **helper(tmp_path, script)) == ADA


def test_a_helper_may_have_a_token_or_nothing(tmp_path: Path) -> None:
    token = found(
        tmp_path, {"credsStore": "safe"}, **helper(tmp_path, 'echo \'{"Username": "<token>", "Secret": "t"}\'')
    )
    assert token is not None
    assert token.identity
    nothing = helper(tmp_path, "echo 'credentials not found in native keychain'; exit 1")
    assert found(tmp_path, {"credsStore": "safe"}, **nothing) is None
    assert found(tmp_path, {"credsStore": "safe", "auths": {HOST: {"auth": AUTH}}}, **nothing) == ADA


def test_a_helper_that_does_not_do_is_named_and_what_it_says_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for script, why in (
        ("echo pa55:word; exit 3", "docker-credential-safe ended with 3"),
        ("echo pa55:word", "docker-credential-safe did not answer as helpers do"),
        ("exec sleep 60", "docker-credential-safe gave no answer within 0.2 s"),
    ):
        monkeypatch.setattr(module, "HELPER_S", 0.2 if "sleep" in script else 30.0)
        with pytest.raises(Failed, match=why) as error:
            found(tmp_path, {"credsStore": "safe"}, **helper(tmp_path, script))
        assert "pa55" not in str(error.value)
    (tmp_path / "docker-credential-safe").unlink()
    with pytest.raises(Failed, match=f"docker-credential-safe is not on the PATH, .* asks it for {HOST}; install it"):
        found(tmp_path, {"credsStore": "safe"}, PATH="/nowhere")


def test_no_secret_stands_in_what_is_printed_of_credentials() -> None:
    assert "pa55" not in repr(ADA)


@pytest.mark.parametrize(
    ("headers", "means"),
    [
        (['Bearer realm="https://a/token",service="s",scope="x"'], Challenge("bearer", "https://a/token", "s")),
        (['bearer realm="https://a/token"'], Challenge("bearer", "https://a/token")),
        (["Basic realm=here"], Challenge("basic", "here")),
        (["Basic"], Challenge("basic")),
        (['Basic realm="a, Bearer b", Bearer realm="https://a/t\\"x"'], Challenge("bearer", 'https://a/t"x')),
        (['Basic realm="x"', 'Bearer realm="https://a/token"'], Challenge("bearer", "https://a/token")),
        (["Negotiate", "Bearer"], None),
        ([], None),
    ],
)
def test_a_challenge_is_read_as_servers_write_it(headers: list[str], means: Challenge | None) -> None:
    assert challenge_in(headers) == means

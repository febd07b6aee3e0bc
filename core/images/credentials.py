"""Who we are to a registry, as docker and podman have it written down. No secret reaches a text or an argument."""

import base64
import binascii
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.errors import Failed
from core.domain.image_reference import DOCKER_HUB
from core.system.files import read_regular

HELPER_S = 30.0
HUB_NAMES = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")
TOKEN_USER = "<token>"  # noqa: S105 - what a helper says in place of a name
_NOT_THERE = "credentials not found"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and its password; with `identity` the secret is a token that is changed for others."""

    user: str
    secret: str = field(repr=False)
    identity: bool = False

    @property
    def basic(self) -> str:
        """The value of a header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


def credentials(registry: str, environ: Mapping[str, str] | None = None) -> Credentials | None:
    """What is known of a registry; None where nothing is. Raises Failed where a helper does not answer.

    Blocks as long as a helper does.
    """
    given = os.environ if environ is None else environ
    names = (registry, *(HUB_NAMES if registry == DOCKER_HUB else ()))
    for path in _files(given):
        if found := _in_file(path, names, given):
            return found
    return None


def credentials_in(document: bytes, registry: str) -> Credentials | None:
    """What a docker config, as a pull secret holds it, says of a registry; None where it says nothing."""
    try:
        auths = _part(json.loads(document), "auths")
    except (ValueError, AttributeError):
        return None
    hosts = {_host(name) for name in (registry, *(HUB_NAMES if registry == DOCKER_HUB else ()))}
    entries = (entry for written, entry in auths.items() if _host(written) in hosts)
    return next((found for entry in entries if (found := _written(Path("the pull secret"), entry))), None)


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environ.get("HOME") or "~").expanduser()
    if told := environ.get("REGISTRY_AUTH_FILE"):
        yield Path(told)
    yield Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"


def _in_file(path: Path, names: tuple[str, ...], environ: Mapping[str, str]) -> Credentials | None:
    try:
        document = json.loads(read_regular(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
        raise Failed(f"{path}: can't be read ({why}); mend or remove it") from None
    if not isinstance(document, dict):
        return None
    helpers, auths = _part(document, "credHelpers"), _part(document, "auths")
    helper = next((helpers[name] for name in names if name in helpers), None) or document.get("credsStore")
    if helper:
        for name in names:
            if found := _helped(str(helper), name, environ):
                return found
    for written, entry in auths.items():
        if _host(written) in {_host(name) for name in names} and (found := _written(path, entry)):
            return found
    return None


def _part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = document.get(key)
    return part if isinstance(part, dict) else {}


def _host(name: str) -> str:
    """Docker writes hosts with and without a scheme and a path."""
    return name.partition("://")[2].partition("/")[0] if "://" in name else name.partition("/")[0]


def _written(path: Path, entry: object) -> Credentials | None:
    if not isinstance(entry, dict):
        return None
    if entry.get("identitytoken"):
        return Credentials(TOKEN_USER, str(entry["identitytoken"]), identity=True)
    if entry.get("username") and entry.get("password"):
        return Credentials(str(entry["username"]), str(entry["password"]))
    if not entry.get("auth"):
        return None
    try:
        user, _, secret = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Failed(f"{path}: holds an auth that can't be read; docker login writes it anew") from None
    return Credentials(user, secret.rstrip("\0"))


def _helped(helper: str, name: str, environ: Mapping[str, str]) -> Credentials | None:
    """Ask a program that keeps them. What it says of an error may hold anything, and is not repeated."""
    program = f"docker-credential-{helper}"
    where = shutil.which(program, path=environ.get("PATH"))
    if where is None:
        raise Failed(f"{program} is not on the PATH, and docker's config.json asks it for {name}; install it")
    try:
        told = subprocess.run(
            [where, "get"], input=name, capture_output=True, text=True, timeout=HELPER_S, env=dict(environ), check=False
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{program} gave no answer within {HELPER_S:g} s; try 'echo {name} | {program} get'") from None
    except OSError as error:
        raise Failed(f"{program}: {error.strerror or error}; install it again") from None
    if told.returncode != 0:
        if _NOT_THERE in told.stdout + told.stderr:
            return None
        raise Failed(f"{program} ended with {told.returncode}; try 'echo {name} | {program} get'")
    try:
        said = json.loads(told.stdout)
        user, secret = str(said["Username"]), str(said["Secret"])
    except (ValueError, KeyError, TypeError):
        raise Failed(f"{program} did not answer as helpers do; install it again") from None
    return Credentials(user, secret, identity=user == TOKEN_USER)

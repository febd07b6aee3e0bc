"""Tokens of whoever is logged in, in memory only. The login's package is imported with the first token, in a thread."""

import base64
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import certifi

from core.domain.errors import BadInput
from core.targets.azureml.failures import login_failure
from core.targets.azureml.settings import AzureMLSettings

SPARE_S = 300.0
PATIENT = {"connection_timeout": 5, "read_timeout": 10, "retry_connect": 1, "retry_read": 1}
"""The library alone would wait for minutes for a host that is mute."""
TokenSource: TypeAlias = Callable[[str], "AccessToken"]
"""From a scope to a token; raises Unreachable, BadInput."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token and when it ends, in seconds since the epoch."""

    text: str
    until: float

    def __repr__(self) -> str:
        return f"AccessToken(until={self.until:.0f})"


@dataclass(frozen=True, slots=True)
class Account:
    """Who is logged in, as the token says it."""

    name: str
    tenant: str

    def __str__(self) -> str:
        return f"{self.name} of tenant {self.tenant}"


class AzureLogin:
    """One login for one target; a token is asked for anew some minutes before it ends.

    `ca` is the file of authorities of whoever gives tokens, where it is another than this process's variables name.
    """

    def __init__(self, place: AzureMLSettings, source: TokenSource | None = None, ca: str = "") -> None:
        self._place = place
        self._source = source
        self._ca = ca
        self._lock = threading.Lock()
        self._held: dict[str, AccessToken] = {}
        self._credential: Any = None
        self._leaving = False

    def token(self, scope: str) -> str:
        """A token for a scope; raises Unreachable with what to do where none is to be had."""
        try:
            with self._lock:
                held = self._held.get(scope)
                if held is None or held.until - time.time() < SPARE_S:
                    held = self._held[scope] = self._fetched(scope)
                return held.text
        finally:
            if self._leaving:
                self.close()

    def forget(self) -> None:
        """What was held is refused: the next one is asked for anew."""
        with self._lock:
            self._held.clear()

    def close(self) -> None:
        """Let go of its connections, now or once the token that is asked for has come; it can be asked again."""
        self._leaving = True
        if not self._lock.acquire(blocking=False):
            return  # Who asks for a token now lets go once it has come, or has not.
        try:
            self._leaving, credential, self._credential = False, self._credential, None
        finally:
            self._lock.release()
        if credential is not None:
            credential.close()

    def account(self) -> Account:
        """Who it is; asks for a token where there is none yet."""
        claims = _claims(self.token(self.management))
        name = claims.get("upn") or claims.get("unique_name") or claims.get("appid") or claims.get("oid") or "unknown"
        return Account(str(name), str(claims.get("tid") or "unknown"))

    @property
    def management(self) -> str:
        """The scope of the resource manager."""
        return f"{self._place.cloud.resource_manager.rstrip('/')}/.default"

    def _fetched(self, scope: str) -> AccessToken:
        if self._source is not None:
            return self._source(scope)
        if self._credential is None:
            self._credential = _credential(self._place.cloud.authority, self._ca)
        return _token(self._place, self._credential, scope)


def login_of(place: AzureMLSettings, environ: Mapping[str, str] | None) -> TokenSource | None:
    """The login that the variables of a release's shell are, where this process has others; else None."""
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
    if environ is None or not all(environ.get(name) for name in names):
        return None
    if all(environ.get(name) == os.environ.get(name) for name in names):
        return None
    tenant, client, secret = (environ[name] for name in names)
    held: list[Any] = []
    options = {**PATIENT, **_verified(login_ca(environ))}

    def fetched(scope: str) -> AccessToken:
        if not held:
            held.append(
                _package().ClientSecretCredential(tenant, client, secret, authority=place.cloud.authority, **options)
            )
        return _token(place, held[0], scope)

    return fetched


def login_ca(environ: Mapping[str, str] | None) -> str:
    """The file of authorities that a release's variables name for the login's package, where this process's name
    another; empty where it finds the right one by itself."""
    if environ is None:
        return ""
    named, here = (one.get("REQUESTS_CA_BUNDLE") or one.get("CURL_CA_BUNDLE") or "" for one in (environ, os.environ))
    return "" if named == here else named or certifi.where()


def _verified(ca: str) -> dict[str, str]:
    return {"connection_verify": ca} if ca else {}


def _credential(authority: str, ca: str) -> Any:
    options = {**PATIENT, **_verified(ca)}
    return _package().DefaultAzureCredential(
        authority=authority, exclude_interactive_browser_credential=True, **options
    )


def _package() -> Any:
    try:
        import azure.identity
    except ImportError as error:
        raise BadInput("target azureml needs a package more: pip install 'quarterdeck[azure]'") from error
    # It tells each failed try to the log, with what every one of its ways said.
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    return azure.identity


def _token(place: AzureMLSettings, credential: Any, scope: str) -> AccessToken:
    try:
        found = credential.get_token(scope)
    except Exception as error:
        # What the package raises has a tree of its own, and texts of many lines.
        raise login_failure(place.workspace, str(error), place.cloud.authority) from None
    return AccessToken(str(found.token), float(found.expires_on))


def _claims(token: str) -> dict[str, Any]:
    """What a token says of its owner; nothing where it is no JWT."""
    try:
        part = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

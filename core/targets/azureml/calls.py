"""Calls to Azure, made in threads: plain HTTPS with a login's token, and each call has an end.

The official client is not used: its waits are threads that nobody ends, and it prints to the screen. What is sent is
held against it in the tests.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from core.domain.errors import Unreachable
from core.targets.azureml.api_errors import AzureRequest, Json, NotSent, refusal
from core.targets.azureml.credentials import AzureLogin
from core.targets.azureml.failures import unreached
from core.targets.azureml.https_client import HttpsClient
from core.targets.azureml.settings import AzureMLSettings

CONNECT_S = 5.0
FEW_READS = 60
"""Fewer reads left than these, and looks come further apart."""


@dataclass(frozen=True, slots=True)
class AzureAnswer:
    """A good answer. `operation` is where a change that goes on can be followed; it is signed and shown to nobody."""

    status: int
    body: Json = field(default_factory=dict)
    operation: str = field(default="", repr=False)


class AzureCalls:
    """One workspace's resource manager. Any thread may call; none waits for another.

    Raises AzureMissing, AzureBusy, AzureThrottled, Refused, BadInput or Unreachable, each with one line.
    """

    def __init__(self, place: AzureMLSettings, login: AzureLogin, ca: str = "") -> None:
        self._place = place
        self.login = login
        self._client = HttpsClient(ca)
        self.reads_left: int | None = None
        self.heard_s = time.monotonic()

    def ask(
        self,
        method: str,
        path: str,
        api: str = "",
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> AzureAnswer:
        """One call. `path` begins with a slash, or is an address that the service gave and is used as it is."""
        asked = AzureRequest(self._place.workspace, method, what(path))
        url = path if path.startswith("https://") else self._place.cloud.resource_manager.rstrip("/") + path
        params = {**({"api-version": api} if api else {}), **(query or {})}
        answer = self._sent(asked, url, params, body, timeout_s or self._place.call_s)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self.login.forget()
            answer = self._sent(asked, url, params, body, timeout_s or self._place.call_s)
        self._counted(answer.headers)
        found = _json(answer)
        if answer.status_code >= 300:
            raise refusal(asked, answer.status_code, found, _small(answer.headers))
        return AzureAnswer(answer.status_code, found, answer.headers.get("azure-asyncoperation", ""))

    def close(self) -> None:
        """Let go of the connections, the login's too; a call in use breaks off."""
        self._client.close()
        self.login.close()

    @property
    def few_left(self) -> bool:
        """Whether the subscription's reads are nearly used up."""
        return self.reads_left is not None and self.reads_left < FEW_READS

    def _sent(
        self, asked: AzureRequest, url: str, params: Mapping[str, str], body: Any, timeout_s: float
    ) -> httpx.Response:
        headers = {"accept": "application/json", "authorization": f"Bearer {self.login.token(self.login.management)}"}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["content-type"] = "application/json"
        try:
            return self._client.request(
                asked.method,
                httpx.URL(url, params=params) if params else url,
                content=content,
                headers=headers,
                timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL) as error:
            raise NotSent(f"{asked}: {_host(url)} is not to be reached{unreached(error)}") from None
        except (httpx.HTTPError, RuntimeError) as error:
            raise Unreachable(f"{asked}: no answer from {_host(url)} ({type(error).__name__})") from None

    def _counted(self, headers: httpx.Headers) -> None:
        self.heard_s = time.monotonic()
        left = headers.get("x-ms-ratelimit-remaining-subscription-reads", "")
        if left.isdecimal():
            self.reads_left = int(left)


def what(path: str) -> str:
    """The last parts of a path, as people name things: `onlineEndpoints/late`, of what is in no workspace
    `resourceGroups/rg`; of an operation no name at all."""
    plain = path.partition("?")[0].rstrip("/")
    if "mfeOperation" in plain:
        return "an operation"
    parts = plain.split("/")
    inside = parts[parts.index("workspaces") + 2 :] if "workspaces" in parts else []
    return "/".join(inside or parts[-2:])


def _json(answer: httpx.Response) -> Json:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _small(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _host(url: str) -> str:
    try:
        return httpx.URL(url).netloc.decode()
    except (httpx.InvalidURL, UnicodeDecodeError):
        return "there"

"""Files into a workspace's blob store, by whatever right it gives: a signed address, an account's key, or the login."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from core.domain.errors import BadInput
from core.targets.azureml.api_errors import Json
from core.targets.azureml.blob_errors import blob_refusal, unreached
from core.targets.azureml.calls import CONNECT_S, AzureCalls
from core.targets.azureml.https_client import HttpsClient
from core.targets.azureml.settings import AzureMLSettings
from core.targets.azureml.workspace import DATASTORE_API

STORE = "workspaceblobstore"
STORAGE_SCOPE = "https://storage.azure.com/.default"
VERSION = "2023-11-03"
UPLOAD_S = 300.0


@dataclass(frozen=True, slots=True)
class BlobRight:
    """Where files go and by what right; `sas` is a query, `key` an account's; with neither the login's own token.

    `doubt` is why the address may be wrong.
    """

    account: str
    container: str
    url: str
    sas: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    doubt: str = ""

    @property
    def by(self) -> str:
        """What lets files in: `sas`, `key` or `login`."""
        return "sas" if self.sas else "key" if self.key else "login"


def default_store(calls: AzureCalls, workspace: str, place: AzureMLSettings, name: str = STORE) -> BlobRight:
    """One of the workspace's own stores, with what may be used to write to it."""
    path = f"{workspace}/datastores/{name}"
    held = calls.ask("GET", path, DATASTORE_API).body.get("properties") or {}
    account, container = str(held.get("accountName") or ""), str(held.get("containerName") or "")
    url = f"{held.get('protocol') or 'https'}://{account}.blob.{place.cloud.storage}/{container}"
    secret: dict[str, Any] = {}
    if (held.get("credentials") or {}).get("credentialsType") != "None":
        try:
            asked = {"expirableSecret": True, "expireAfterHours": 1}
            secret = calls.ask("POST", f"{path}/listSecrets", DATASTORE_API, asked).body
        except BadInput as error:
            if "No secrets" not in str(error):
                raise
    sas, key = str(secret.get("sasToken") or "").lstrip("?"), str(secret.get("key") or "")
    return BlobRight(account, container, url, sas, key, _doubt(held, place))


def store_doubt(calls: AzureCalls, workspace: str, place: AzureMLSettings, timeout_s: float) -> str:
    """Why the settings' address of the stores may be wrong; empty where nothing says so. Raises as calls do."""
    held = calls.ask("GET", f"{workspace}/datastores/{STORE}", DATASTORE_API, timeout_s=timeout_s).body
    return _doubt(held.get("properties") or {}, place)


def _doubt(held: Json, place: AzureMLSettings) -> str:
    named = str(held.get("endpoint") or "")
    if not named or named.casefold() == place.cloud.storage.casefold():
        return ""
    return f"azureml.cloud.storage is {place.cloud.storage}, and the workspace's own store is at {named}; write that"


def given_store(sas_uri: str) -> BlobRight:
    """A container at a signed address, as the service hands it out for one upload."""
    parts = urlsplit(sas_uri)
    url = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return BlobRight(parts.netloc.partition(".")[0], parts.path.strip("/"), url, parts.query)


class BlobUploads:
    """Uploads of one target, one file after the other."""

    def __init__(self, calls: AzureCalls, ca: str) -> None:
        self._calls = calls
        self._client = HttpsClient(ca)

    def put(self, right: BlobRight, path: str, content: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """One file; raises Refused or BadInput where it is not taken, Unreachable where nobody answers."""
        marks = {f"x-ms-meta-{name}": value for name, value in (metadata or {}).items()}
        headers = {
            "x-ms-blob-type": "BlockBlob",
            "x-ms-version": VERSION,
            "x-ms-date": formatdate(usegmt=True),
            **marks,
        }
        url = f"{right.url}/{quote(path)}"
        headers["content-type"] = "application/octet-stream"
        if right.sas:
            url = f"{url}?{right.sas}"
        elif right.key:
            headers["authorization"] = shared_key(right, "PUT", path, headers, len(content))
        else:
            headers["authorization"] = f"Bearer {self._calls.login.token(STORAGE_SCOPE)}"
        timeout = httpx.Timeout(UPLOAD_S, connect=CONNECT_S)
        try:
            answer = self._client.request("PUT", url, content=content, headers=headers, timeout=timeout)
        except (httpx.HTTPError, RuntimeError) as error:
            raise unreached(right.account, right.url, error, right.doubt) from None
        if answer.status_code != httpx.codes.CREATED:
            status, told = answer.status_code, answer.headers
            raise blob_refusal(right.account, right.url, right.by, status, told, right.doubt)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


def shared_key(right: BlobRight, method: str, path: str, headers: Mapping[str, str], length: int) -> str:
    """The header that an account's key makes, by the documentation's rule ("Authorize with Shared Key")."""
    ours = sorted((name.lower(), value) for name, value in headers.items() if name.lower().startswith("x-ms-"))
    size = str(length) if length else ""
    lines = [method, "", "", size, "", headers.get("content-type", ""), *[""] * 6]
    resource = f"/{right.account}/{right.container}/{quote(path)}"
    text = "\n".join([*lines, *(f"{name}:{value}" for name, value in ours), resource])
    made = hmac.new(base64.b64decode(right.key), text.encode(), hashlib.sha256).digest()
    return f"SharedKey {right.account}:{base64.b64encode(made).decode()}"

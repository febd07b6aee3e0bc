"""The end of the log that the build of an image left in a store of the workspace's."""

import re
from email.utils import formatdate
from urllib.parse import quote

import httpx

from core.domain.errors import Refused, Unreachable
from core.system.text import clean_line
from core.targets.azureml.api_errors import Json
from core.targets.azureml.blobs import STORAGE_SCOPE, STORE, VERSION, BlobRight, default_store, shared_key
from core.targets.azureml.calls import CONNECT_S, AzureCalls
from core.targets.azureml.failures import BUILD_LOG
from core.targets.azureml.https_client import HttpsClient
from core.targets.azureml.workspace import AzureEndpoint

STORES = ("workspaceartifactstore", STORE)
END_BYTES = 8192
LINES = 3
READ_S = 30.0
_PASSWORD = re.compile(r"(?<=//)[^/@\s]+@")


def build_log_end(at: AzureEndpoint, calls: AzureCalls, body: Json) -> str:
    """The last lines of the log that a failed operation's body names, in one; empty where it names none.

    Raises QuarterdeckError where it can't be read.
    """
    named = BUILD_LOG.search(str((body.get("error") or {}).get("message") or ""))
    if named is None:
        return ""
    container, _, path = named[2].strip("/").partition("/")
    rights = (default_store(calls, at.workspace, at.place, name) for name in STORES)
    right = next((one for one in rights if one.container == container), None)
    if right is None:
        raise Refused(f"azureml {at.place.workspace}: no store of the workspace holds {named[2]}")
    client = HttpsClient(at.ca)
    try:
        size = int(_asked(client, calls, right, "HEAD", path).headers.get("content-length") or 0)
        text = _asked(client, calls, right, "GET", path, max(0, size - END_BYTES)).content.decode(errors="replace")
    finally:
        client.close()
    lines = [line for line in _PASSWORD.sub("", text).splitlines() if line.strip()]
    return " | ".join(clean_line(line) for line in lines[-LINES:])


def _asked(
    client: HttpsClient, calls: AzureCalls, right: BlobRight, method: str, path: str, begin: int = 0
) -> httpx.Response:
    """A file's head, or what it holds from a byte on: a store knows no range from the end."""
    url, headers = f"{right.url}/{quote(path)}", {"x-ms-version": VERSION, "x-ms-date": formatdate(usegmt=True)}
    if begin:
        headers["x-ms-range"] = f"bytes={begin}-"
    if right.sas:
        url = f"{url}?{right.sas}"
    elif right.key:
        headers["authorization"] = shared_key(right, method, path, headers, 0)
    else:
        headers["authorization"] = f"Bearer {calls.login.token(STORAGE_SCOPE)}"
    try:
        timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
        answer = client.request(method, url, headers=headers, timeout=timeout)
    except (httpx.HTTPError, RuntimeError) as error:
        raise Unreachable(f"azureml: no answer from the blobs of {right.account} ({type(error).__name__})") from None
    if answer.status_code not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
        raise Refused(f"azureml: {path} can't be read from the blob store {right.account}: {answer.status_code}")
    return answer

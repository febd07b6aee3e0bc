"""Jobs of a workspace over its REST: begun, looked at, cancelled, their run and their log read. Called in threads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import httpx

from core.domain.errors import BadInput, Failed, Unreachable
from core.targets.azureml.api_errors import AzureMissing, Json, clipped
from core.targets.azureml.blobs import STORAGE_SCOPE, VERSION, BlobRight, shared_key
from core.targets.azureml.calls import CONNECT_S, AzureCalls
from core.targets.azureml.https_client import HttpsClient
from core.targets.azureml.workspace import COMPUTE_API, WORKSPACE_API, AzureEndpoint, no_cluster

PUT_API, READ_API, CANCEL_API = "2025-01-01-preview", "2024-01-01-preview", "2023-04-01-preview"
LOG = "user_logs/std_log.txt"
READ_S = 60.0
FETCH_S = 600.0


@dataclass(frozen=True, slots=True)
class JobLook:
    """A job as its history tells of it. `log` is an address that is signed and shown to nobody."""

    state: str
    error: str = ""
    log: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ClusterLook:
    """How many nodes a cluster has of how many it may have, how many of them come up, and what hinders it."""

    nodes: int
    most: int
    coming: int = 0
    hindered: str = ""

    def __str__(self) -> str:
        more = f", {self.coming} coming up" if self.coming else ""
        return f"{self.nodes} of {self.most} nodes{more}{f'; Azure says: {self.hindered}' if self.hindered else ''}"


class AzureJobs:
    """Of one workspace. Raises what AzureCalls raises."""

    def __init__(self, at: AzureEndpoint, calls: AzureCalls, client: HttpsClient) -> None:
        self._at = at
        self._calls = calls
        self._client = client
        self._history = ""

    def cluster(self) -> ClusterLook:
        """The cluster that trains; raises Failed where there is none."""
        try:
            found = self._calls.ask("GET", self.compute, COMPUTE_API).body
        except AzureMissing:
            raise Failed(no_cluster(self._at)) from None
        return cluster_look(found)

    @property
    def compute(self) -> str:
        """The cluster's id."""
        return f"{self._at.workspace}/computes/{self._at.place.cluster.name}"

    def begin(self, name: str, body: Json) -> None:
        """Ask for a job; one of this name that is there already is this one."""
        path = f"{self._at.workspace}/jobs/{name}"
        try:
            self._calls.ask("PUT", path, PUT_API, body)
        except BadInput:
            if not self.there(name):
                raise

    def there(self, name: str) -> bool:
        """Whether the workspace knows the job."""
        try:
            self._calls.ask("GET", f"{self._at.workspace}/jobs/{name}", READ_API)
        except AzureMissing:
            return False
        return True

    def look(self, name: str) -> JobLook:
        """How the job is, by the history of runs."""
        body = self._calls.ask(
            "GET", f"{self._api()}/history/v1.0{self._at.workspace}/runs/{name}/details", query={"api-version": "v1.0"}
        ).body
        error = (body.get("error") or {}).get("error") or {}
        log = str((body.get("logFiles") or {}).get(LOG) or "")
        return JobLook(str(body.get("status") or "Unknown"), clipped(str(error.get("message") or "")), log)

    def cancel(self, name: str) -> bool:
        """Ask for its end; False where it had ended before."""
        try:
            self._calls.ask("POST", f"{self._at.workspace}/jobs/{name}/cancel", CANCEL_API)
        except BadInput as error:
            if "terminal" not in str(error):
                raise
            return False
        return True

    def run(self, name: str) -> Mapping[str, Any]:
        """The job's own run from the workspace's tracking server: `params`, and `metrics` as steps and values."""
        job = self._calls.ask("GET", f"{self._at.workspace}/jobs/{name}", READ_API).body
        services = (job.get("properties") or {}).get("services") or {}
        address = str((services.get("Tracking") or {}).get("endpoint") or "").partition("?")[0]
        if not address.startswith("azureml://"):
            raise Failed(f"azureml {self._at.place.workspace}: the job {name} names no tracking server")
        server = f"https://{address.removeprefix('azureml://')}/api/2.0/mlflow"
        known = self._calls.ask("GET", f"{server}/runs/get", query={"run_id": name}).body
        data = (known.get("run") or {}).get("data") or {}
        params = {str(one["key"]): one["value"] for one in data.get("params") or ()}
        measured = [str(one["key"]) for one in data.get("metrics") or ()]
        metrics = {metric: self._history_of(server, name, metric) for metric in measured}
        return {"job": name, "params": params, "metrics": metrics}

    def _history_of(self, server: str, name: str, metric: str) -> Sequence[tuple[int, float]]:
        query = {"run_id": name, "metric_key": metric}
        found = self._calls.ask("GET", f"{server}/metrics/get-history", query=query).body.get("metrics") or ()
        return [(int(one.get("step") or 0), float(one["value"])) for one in found]

    def log(self, address: str, begin: int) -> bytes:
        """What of a log came after so many bytes; nothing where there is nothing yet."""
        answer = self._get(address, {"range": f"bytes={begin}-"}, READ_S, "the job's log")
        if answer.status_code in {404, 416}:
            return b""
        # Whoever knows no ranges gives all of it.
        return answer.content if answer.status_code == httpx.codes.PARTIAL_CONTENT else answer.content[begin:]

    def blob(self, right: BlobRight, path: str) -> bytes:
        """A file of the workspace's store."""
        url, headers = f"{right.url}/{quote(path)}", {"x-ms-version": VERSION, "x-ms-date": formatdate(usegmt=True)}
        if right.sas:
            url = f"{url}?{right.sas}"
        elif right.key:
            headers["authorization"] = shared_key(right, "GET", path, headers, 0)
        else:
            headers["authorization"] = f"Bearer {self._calls.login.token(STORAGE_SCOPE)}"
        answer = self._get(url, headers, FETCH_S, f"the blob store {right.account}")
        if answer.status_code != httpx.codes.OK:
            raise Failed(f"azureml: {path} can't be read from the blob store {right.account}: {answer.status_code}")
        return answer.content

    def _get(self, url: str, headers: Mapping[str, str], timeout_s: float, what: str) -> httpx.Response:
        timeout = httpx.Timeout(timeout_s, connect=CONNECT_S)
        try:
            answer = self._client.request("GET", url, headers=headers, timeout=timeout)
        except (httpx.HTTPError, RuntimeError) as error:
            raise Unreachable(f"azureml: no answer from {what} ({type(error).__name__})") from None
        if answer.status_code >= 500 or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Unreachable(f"azureml: {what} answers {answer.status_code}")
        return answer

    def _api(self) -> str:
        """The host of what is no resource: history and tracking."""
        if not self._history:
            known = self._calls.ask("GET", self._at.workspace, WORKSPACE_API).body.get("properties") or {}
            address = str(known.get("discoveryUrl") or "")
            found = self._calls.ask("GET", address).body.get("api") if address.startswith("https://") else ""
            if not str(found or "").startswith("https://"):
                raise Failed(f"azureml {self._at.place.workspace}: the workspace names no address of its runs")
            self._history = str(found).rstrip("/")
        return self._history


def cluster_look(found: Json) -> ClusterLook:
    """A compute's document in our words."""
    own = (found.get("properties") or {}).get("properties") or {}
    counts, errors = own.get("nodeStateCounts") or {}, own.get("errors") or ()
    told = next((one.get("error") or one for one in errors if isinstance(one, dict)), {})
    said = ": ".join(str(told[key]) for key in ("code", "message") if told.get(key))
    most = int((own.get("scaleSettings") or {}).get("maxNodeCount") or 0)
    return ClusterLook(
        int(own.get("currentNodeCount") or 0), most, int(counts.get("preparingNodeCount") or 0), clipped(said)
    )

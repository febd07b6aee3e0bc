"""A plain HTTPS caller of the stand-in, as tests use it."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx

from tests.azure.calls import Json
from tests.azure.serving import OnlineEndpoint
from tests.azure.standin import AzureStandIn

T = TypeVar("T")
ENDPOINTS, DEPLOYMENTS, ASSETS, CODES = "2022-02-01-preview", "2023-04-01-preview", "2023-08-01-preview", "2023-04-01"
SIZE = "Standard_DS3_v2"


def until(question: Callable[[], T | Literal[False] | None], what: str, seconds: float = 30) -> T:
    """Ask again and again until the answer is true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := question():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what}")


class AzureCaller:
    """Calls to the workspace, as its user or with another token."""

    def __init__(self, azure: AzureStandIn, token: str = "") -> None:
        self.azure = azure
        self.trust = ssl.create_default_context(cafile=str(azure.ca))
        headers = {"Authorization": f"Bearer {token or azure.token}"}
        self.client = httpx.Client(base_url=azure.url, headers=headers, verify=self.trust, timeout=60, trust_env=False)

    def send(
        self, method: str, *parts: str, body: Any = None, version: str = ENDPOINTS, **query: str
    ) -> httpx.Response:
        """One call below the workspace."""
        path = self.azure.place.path(*parts)
        return self.client.request(method, path, json=body, params={"api-version": version, **query})

    def finish(self, answer: httpx.Response) -> Json:
        """The last status of the operation that an answer began."""
        assert answer.status_code in {200, 201, 202}, answer.text
        address = answer.headers["azure-asyncoperation"]

        def ended() -> Json | None:
            found: Json = self.client.get(address).json()
            return found if found["status"] != "Updating" else None

        return until(ended, "the operation has ended")

    def succeed(self, answer: httpx.Response) -> None:
        """Wait for the operation's success."""
        found = self.finish(answer)
        assert found["status"] == "Succeeded", found

    def put_endpoint(
        self, name: str, traffic: dict[str, int] | None = None, mirror: dict[str, int] | None = None, mode: str = "Key"
    ) -> httpx.Response:
        """Make or change an endpoint."""
        settings = {"authMode": mode, "properties": {}, "traffic": traffic or {}, "mirrorTraffic": mirror or {}}
        body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "tags": {}, "properties": settings}
        return self.send("PUT", "onlineEndpoints", name, body=body)

    def put_deployment(self, endpoint: str, name: str, count: int = 1, size: str = SIZE, **rest: Any) -> httpx.Response:
        """Make or change a deployment; without more it pretends."""
        settings = {"endpointComputeType": "Managed", "instanceType": size, **rest}
        sku = {"name": "Default", "capacity": count}
        body = {"location": "westeurope", "tags": {}, "sku": sku, "properties": settings}
        path = ("onlineEndpoints", endpoint, "deployments", name)
        return self.send("PUT", *path, body=body, version=DEPLOYMENTS)

    def endpoint(self, name: str) -> Json:
        """What is shown of an endpoint."""
        found: Json = self.send("GET", "onlineEndpoints", name).json()["properties"]
        return found

    def deployment(self, endpoint: str, name: str) -> httpx.Response:
        """GET of a deployment."""
        return self.send("GET", "onlineEndpoints", endpoint, "deployments", name, version=DEPLOYMENTS)

    def ready(self, endpoint: str, *deployments: str, **rest: Any) -> OnlineEndpoint:
        """An endpoint with such deployments; the first one has all traffic."""
        self.succeed(self.put_endpoint(endpoint))
        for one in deployments:
            self.succeed(self.put_deployment(endpoint, one, **rest))
        if deployments:
            self.succeed(self.put_endpoint(endpoint, {deployments[0]: 100}))
        return self.azure.endpoint(endpoint)

    def score(self, endpoint: str, body: Any = None, pin: str = "", key: str = "") -> httpx.Response:
        """A request to an endpoint's own host, with its key."""
        held = self.azure.endpoint(endpoint)
        headers = {"Authorization": f"Bearer {key or held.keys.primary}"}
        if pin:
            headers["azureml-model-deployment"] = pin
        return self.client.post(f"{held.url}/score", json=body or {}, headers=headers)

    def upload(self, folder: Path, below: str) -> None:
        """Put the files of a folder into the workspace's store, under `below` and the folder's name."""
        store = self.send("GET", "datastores", "workspaceblobstore").json()["properties"]
        home = f"https://{store['accountName']}.blob.{store['endpoint']}/{store['containerName']}"
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            url = f"{home}/{below}/{folder.name}/{path.relative_to(folder).as_posix()}"
            answer = self.client.put(url, content=path.read_bytes(), headers={"x-ms-blob-type": "BlockBlob"})
            assert answer.status_code == 201, answer.text

    def model(self, name: str, version: str, folder: Path) -> str:
        """Upload a model's folder and register it; its id."""
        below = f"LocalUpload/{name}{version}"
        self.upload(folder, below)
        uri = f"azureml:/{self.azure.place.scope}/workspaces/{self.azure.place.name}/datastores/workspaceblobstore"
        settings = {"modelType": "custom_model", "modelUri": f"{uri}/paths/{below}/{folder.name}", "isAnonymous": False}
        body = {"properties": {**settings, "tags": {}, "properties": {}}}
        answer = self.send("PUT", "models", name, "versions", version, body=body, version=ASSETS)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

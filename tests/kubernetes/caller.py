"""A plain HTTP caller of the stand-in, as tests use it."""

import json
from typing import Any, Protocol

import httpx

from tests.kubernetes.kinds import Json, resource
from tests.kubernetes.registry import APPLY_PATCH, MERGE_PATCH


class Reached(Protocol):
    """An API server, and who calls it: a cluster of this process, or another's."""

    @property
    def address(self) -> str:
        """Where it is."""

    @property
    def token(self) -> str:
        """The administrator's."""


class Caller:
    """Calls in one namespace, as the administrator or with another token."""

    def __init__(self, cluster: Reached, namespace: str = "flights", token: str = "") -> None:
        self.namespace = namespace
        headers = {"Authorization": f"Bearer {token or cluster.token}"}
        self.client = httpx.Client(base_url=cluster.address, headers=headers, timeout=30, trust_env=False)

    def path(self, plural: str, name: str = "", sub: str = "") -> str:
        """Where a kind (by its qualified name) or one object of it is."""
        of = resource(plural)
        root = f"/apis/{of.group_version}" if of.group else "/api/v1"
        home = f"/namespaces/{self.namespace}" if of.namespaced else ""
        return "/".join(filter(None, (f"{root}{home}/{of.plural}", name, sub)))

    def send(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **query: Any
    ) -> httpx.Response:
        """One call."""
        content = None if body is None else body if isinstance(body, str) else json.dumps(body)
        headers = {} if body is None else {"Content-Type": kind}
        return self.client.request(method, path, content=content, headers=headers, params=query)

    def get(self, plural: str, name: str = "", sub: str = "", **query: Any) -> httpx.Response:
        """GET."""
        return self.send("GET", self.path(plural, name, sub), **query)

    def read(self, plural: str, name: str) -> Json:
        """An object that must be there."""
        answer = self.get(plural, name)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def create(self, plural: str, body: Json, **query: Any) -> httpx.Response:
        """POST."""
        return self.send("POST", self.path(plural), body, **query)

    def patch(
        self, plural: str, name: str, body: Any, kind: str = MERGE_PATCH, sub: str = "", **query: Any
    ) -> httpx.Response:
        """PATCH."""
        return self.send("PATCH", self.path(plural, name, sub), body, kind, **query)

    def apply(self, plural: str, body: Json, manager: str = "quarterdeck", **query: Any) -> httpx.Response:
        """Server-side apply."""
        return self.patch(plural, body["metadata"]["name"], body, APPLY_PATCH, fieldManager=manager, **query)

    def delete(self, plural: str, name: str, body: Any = None, **query: Any) -> httpx.Response:
        """DELETE."""
        return self.send("DELETE", self.path(plural, name), body, **query)

    def watched(self, plural: str, version: str, seconds: int = 1, **query: Any) -> list[Json]:
        """Every event of a watch until the server ends it."""
        asked = {"watch": "true", "resourceVersion": version, "timeoutSeconds": seconds, **query}
        answer = self.get(plural, **asked)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

"""A stand-in for a registry, on loopback: the distribution API, logins by password and by token, faults on request, and
what Amazon's says of tokens and repositories."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

USER, PASSWORD = "ada", "pa55:word"
TOKEN = "t0ken-of-an-hour"
IDENTITY = "1dentity"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@dataclass
class Registry:
    """What it holds, how it wants to be asked, and what was asked of it. `faults` are answered first, each once:
    a method, a part of the path, and the status, or 0 for a connection that is cut."""

    login: Literal["none", "basic", "bearer"] = "none"
    pushers: frozenset[str] = frozenset({USER, "AWS"})
    faults: list[tuple[str, str, int]] = field(default_factory=list)
    realm: str = ""
    token: str = TOKEN
    repositories: set[str] | None = None
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    logins: list[dict[str, str]] = field(default_factory=list)
    amazon: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    denied: frozenset[str] = frozenset()
    forgets: bool = False
    host: str = ""

    def count(self, method: str, part: str = "") -> int:
        """How often it was asked so."""
        return sum(1 for asked, path in self.asked if asked == method and part in path)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Every request."""
        self.asked.append((request.method, request.path))
        for fault in self.faults:
            if fault[0] == request.method and fault[1] in request.path:
                self.faults.remove(fault)
                if not fault[2]:
                    assert request.transport is not None
                    request.transport.abort()
                return web.Response(status=fault[2] or 500, headers={"retry-after": "0"})
        if request.path == "/" and request.method == "POST":
            return self._of_amazon(request.headers["x-amz-target"].rpartition(".")[2], await request.json())
        if request.path == "/token":
            return self._token(request, dict(await request.post()))
        if refused := self._refused(request):
            return refused
        kind, _, name = request.path.rpartition("/")
        if kind.endswith("/manifests"):
            return self._manifest(request.method, name, await request.read())
        return self._blob(request, name, await request.read())

    def _token(self, request: web.Request, form: dict[str, Any]) -> web.Response:
        self.logins.append({**request.query, **form})
        given = request.headers.get("authorization")
        if given != BASIC and form.get("refresh_token") != IDENTITY:
            return said(401, "UNAUTHORIZED", "incorrect username or password")
        return web.json_response({"token": self.token} if request.method == "GET" else {"access_token": self.token})

    def _refused(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("authorization", "")
        wanted = {"none": "", "basic": BASIC, "bearer": f"Bearer {self.token}"}[self.login]
        amazon = "Basic " + base64.b64encode(b"AWS:of-amazon").decode()
        if self.login != "none" and given not in (wanted, amazon):
            realm = self.realm or f"http://{self.host}/token"
            ways = {"basic": 'Basic realm="here"', "bearer": f'Bearer realm="{realm}",service="here",scope="x"'}
            answer = said(401, "UNAUTHORIZED", f"authentication required, not {given}")
            answer.headers["www-authenticate"] = ways[self.login]
            return answer
        repository = request.path.removeprefix("/v2/").partition("/blobs")[0].partition("/manifests")[0]
        if self.repositories is not None and repository not in self.repositories and request.method != "HEAD":
            return said(404, "NAME_UNKNOWN", "repository name not known to registry")
        if not self.pushers and request.method != "HEAD":
            return said(403, "DENIED", "requested access to the resource is denied")
        return None

    def _manifest(self, method: str, name: str, content: bytes) -> web.Response:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if method == "PUT":
            document = json.loads(content)
            if missing := [
                b["digest"] for b in (document["config"], *document["layers"]) if b["digest"] not in self.blobs
            ]:
                return said(400, "MANIFEST_BLOB_UNKNOWN", missing[0])
            self.manifests |= {} if self.forgets else {name: content, digest: content}
            return web.Response(status=201)
        if name not in self.manifests:
            return web.Response(status=404)
        found = self.manifests[name]
        headers = {"docker-content-digest": f"sha256:{hashlib.sha256(found).hexdigest()}"}
        return web.Response(body=found if method == "GET" else None, headers=headers)

    def _blob(self, request: web.Request, name: str, content: bytes) -> web.Response:
        if request.method == "POST":
            return web.Response(status=202, headers={"location": f"{request.path}session?state=a%2Bb"})
        if request.method == "PUT":
            digest = request.query["digest"]
            if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest or request.query["state"] != "a+b":
                return said(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
            self.blobs[digest] = content
            return web.Response(status=201)
        return web.Response(status=200 if name in self.blobs else 404)

    def _of_amazon(self, action: str, content: dict[str, Any]) -> web.Response:
        self.amazon.append((action, content))
        name = content.get("repositoryName") or (content.get("repositoryNames") or [""])[0]
        if action in self.denied:
            return web.json_response({"__type": "AccessDeniedException"}, status=400)
        if action == "GetAuthorizationToken":
            token = base64.b64encode(b"AWS:of-amazon").decode()
            data = [{"authorizationToken": token, "expiresAt": 4e9, "proxyEndpoint": f"https://{self.host}"}]
            return web.json_response({"authorizationData": data})
        assert self.repositories is not None
        if action == "DescribeRepositories" and name not in self.repositories:
            return web.json_response({"__type": "RepositoryNotFoundException"}, status=400)
        self.repositories.add(name)
        return web.json_response({"repositories": [], "repository": {}})


def said(status: int, code: str, message: str) -> web.Response:
    """An error as registries write it."""
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)


@asynccontextmanager
async def running(registry: Registry) -> AsyncIterator[Registry]:
    """It, listening."""
    app = web.Application(client_max_size=1 << 28)
    app.router.add_route("*", "/{path:.*}", registry.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    registry.host = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield registry
    finally:
        await runner.cleanup()

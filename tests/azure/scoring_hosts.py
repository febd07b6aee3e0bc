"""The hosts that endpoints answer on: one port each, requests by traffic, copies for the mirror, the service's
refusals.

Recorded: one right answer and its headers. Reported: 401, 404, 408, 424, 429. Never recorded: which share a request
falls into, a copy, what is answered where no instance is ready (here 503).
"""

import asyncio
import random
import ssl
import uuid
from collections import deque
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tests.azure.containers import ServingContainer
from tests.azure.instances import Instances, seconds
from tests.azure.place import AzureLogins
from tests.azure.serving import REQUESTS, OnlineDeployment, OnlineEndpoint
from tests.kubernetes.faults import ApiFault, FaultKind, Faults, slowed
from tests.ports import free_port

PIN = "azureml-model-deployment"
_HOP = {"host", "connection", "content-length", "transfer-encoding", "authorization", "server", "date", PIN}
REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class ScoredCall:
    """A request that came to an endpoint's host; `mirrored`: its answer went to nobody."""

    endpoint: str
    deployment: str
    status: int
    mirrored: bool = False


@dataclass(slots=True)
class ScoringHosts:
    """All hosts. an endpoint of mode AADToken takes the tokens of `logins`."""

    context: ssl.SSLContext
    instances: Instances
    faults: Faults
    logins: AzureLogins
    calls: deque[ScoredCall] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _runners: dict[str, web.ServerRunner] = field(default_factory=dict)
    _client: aiohttp.ClientSession | None = None

    async def open(self, endpoint: OnlineEndpoint) -> str:
        """Listen for an endpoint; its address."""

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            return await self._answered(endpoint, request)

        runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=1)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=self.context).start()
        self._runners[endpoint.path] = runner
        return f"https://localhost:{port}"

    async def close(self, endpoint: OnlineEndpoint) -> None:
        """Listen no more."""
        runner = self._runners.pop(endpoint.path, None)
        if runner is not None:
            await runner.cleanup()

    async def stop(self) -> None:
        """End all of them."""
        for runner in self._runners.values():
            await runner.cleanup()
        if self._client is not None:
            await self._client.close()

    async def _answered(self, endpoint: OnlineEndpoint, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        met = self.faults.met_by(request.method, f"{endpoint.name}{request.path_qs}")
        await slowed(met)
        kinds = {one.kind: one for one in met}
        if FaultKind.DROP in kinds:
            return _broken(request)
        fault = kinds.get(FaultKind.STATUS) or kinds.get(FaultKind.BUSY)
        found = await self._scored(endpoint, request, body, fault)
        if FaultKind.LOSE in kinds:
            return _broken(request)
        found.headers["server"] = "azureml-frontdoor"
        found.headers["x-request-id"] = request.headers.get("x-request-id", str(uuid.uuid4()))
        return found

    async def _scored(
        self, endpoint: OnlineEndpoint, request: web.BaseRequest, body: bytes, fault: ApiFault | None
    ) -> web.Response:
        if request.path == "/":
            return web.Response(text="Healthy")
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        by_login = endpoint.mode == "AADToken"
        allowed = self.logins.takes(given) if by_login else endpoint.keys.takes(given, endpoint.mode)
        if not allowed:
            return web.Response(status=401, text="key_auth_access_denied")
        if request.path != "/score":
            return web.Response(status=404, text="Not Found")
        deployment = self._chosen(endpoint, request.headers.get(PIN, ""))
        if deployment is None:
            return web.Response(status=404, text="No deployment with traffic was found for this endpoint.")
        if fault is not None:
            status = 429 if fault.kind is FaultKind.BUSY else fault.status
            return web.Response(status=status, text="A fault that was set.", headers={PIN: deployment.name})
        self._mirror(endpoint, deployment, request, body)
        answer = await self._handed_on(deployment, request, body)
        self.calls.append(ScoredCall(endpoint.name, deployment.name, answer.status))
        return answer

    def _chosen(self, endpoint: OnlineEndpoint, pinned: str) -> OnlineDeployment | None:
        if pinned:
            return endpoint.deployments.get(pinned)
        shares = {one: share for one, share in endpoint.traffic.items() if share and one in endpoint.deployments}
        if not shares:
            return None
        return endpoint.deployments[random.choices([*shares], [*shares.values()])[0]]

    def _mirror(
        self, endpoint: OnlineEndpoint, chosen: OnlineDeployment, request: web.BaseRequest, body: bytes
    ) -> None:
        for name, share in endpoint.mirror.items():
            copy = endpoint.deployments.get(name)
            if copy is not None and copy is not chosen and random.random() * 100 < share:
                self.instances.begin(self._copied(endpoint, copy, request, body))

    async def _copied(
        self, endpoint: OnlineEndpoint, deployment: OnlineDeployment, request: web.BaseRequest, body: bytes
    ) -> None:
        answer = await self._handed_on(deployment, request, body)
        self.calls.append(ScoredCall(endpoint.name, deployment.name, answer.status, mirrored=True))

    async def _handed_on(self, deployment: OnlineDeployment, request: web.BaseRequest, body: bytes) -> web.Response:
        pin = {PIN: deployment.name}
        ready = [one for one in deployment.containers if one.ready]
        if not ready:
            return web.Response(status=503, text="no healthy upstream", headers=pin)
        limits = deployment.settings("requestSettings", REQUESTS)
        most = 2 * int(limits["maxConcurrentRequestsPerInstance"]) * len(ready)
        if deployment.in_flight >= most:
            return web.Response(status=429, text="Too many requests", headers=pin)
        container = min(ready, key=lambda one: (one.in_flight, random.random()))
        deployment.in_flight += 1
        container.enter()
        try:
            async with asyncio.timeout(seconds(limits["requestTimeout"])):
                answer = await self._asked(deployment, container, request, body)
        except TimeoutError:
            answer = web.Response(status=408, text="Request timed out")
        finally:
            deployment.in_flight -= 1
            container.leave()
        answer.headers.update(pin)
        return answer

    async def _asked(
        self, deployment: OnlineDeployment, container: ServingContainer, request: web.BaseRequest, body: bytes
    ) -> web.Response:
        if container.plan.program is None:
            return web.json_response({"deployment": deployment.name})
        if self._client is None:
            self._client = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        query = f"?{request.query_string}" if request.query_string else ""
        url = f"http://127.0.0.1:{container.port}{self.instances.score_path(deployment)}{query}"
        try:
            async with self._client.post(url, headers=headers, data=body) as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
                found = web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except (aiohttp.ClientError, OSError) as error:
            return _model_error(502, type(error).__name__, b"")
        return found if found.status == 200 else _model_error(found.status, found.reason or "", found.body)


def _model_error(status: int, reason: str, body: object) -> web.Response:
    headers = {"ms-azureml-model-error-statuscode": str(status), "ms-azureml-model-error-reason": reason}
    return web.Response(status=424, body=body, headers=headers)


def _broken(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)

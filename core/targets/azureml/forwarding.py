"""A way from this machine to an endpoint in Azure, for smoke tests and loads: it adds login and deployment, and counts.

It listens on loopback alone and takes what our own addresses send. The key never leaves this process. What the answers
say of who gave them is what is known here of each slot: callers who go to Azure by themselves are counted by nobody.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote

import httpx

from core.domain.model import Slot
from core.domain.sample import Sample
from core.system.aside import aside
from core.targets.azureml.failures import scoring_refusal
from core.targets.azureml.https_client import trusted
from core.targets.azureml.samples import SlotSamples
from core.targets.azureml.scoring_calls import DEPLOYMENT, ScoringCalls
from core.targets.azureml.view import AzureView
from core.targets.loopback import LoopbackServer, PassedAnswer, PassedRequest, said

SCORED = frozenset({"/predict", "/score", "/invocations"})
HEALTH = frozenset({"/health", "/health/ready", "/health/live"})
_KEPT = ("content-type", "accept", "content-encoding")
CONNECTIONS = 100


class AzureForwarder:
    """An HTTP server on loopback. A request that names a slot with the secret is answered by that deployment."""

    def __init__(
        self,
        scoring: ScoringCalls,
        view: Callable[[], AzureView | None],
        tell: Callable[[Sample], None],
        within_s: float,
        ca: str,
    ) -> None:
        self._scoring = scoring
        self._view = view
        self._within_s = within_s
        self._ca = ca
        self._samples = SlotSamples(tell)
        self._server = LoopbackServer(self._forwarded)
        self._client: httpx.AsyncClient | None = None
        self._bearer = ""
        self._bearer_until = 0.0
        self._counting: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens; nowhere before it was opened."""
        return self._server.url

    def pin(self, slot: Slot) -> dict[str, str]:
        """The headers that pin a request to a slot."""
        return self._server.pin(slot)

    async def open(self, name: str) -> None:
        """Listen, where the same name did before."""
        self._client = await aside(self._made, "azureml client")
        await self._server.open(name)
        self._counting = asyncio.create_task(self._samples.run(), name="azureml samples")

    async def close(self) -> None:
        """Hang up."""
        await self._server.close()
        if self._counting is not None:
            self._counting.cancel()
            await asyncio.gather(self._counting, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _made(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        return httpx.AsyncClient(verify=trusted(self._ca), limits=limits, follow_redirects=False)

    async def _forwarded(self, request: PassedRequest) -> PassedAnswer:
        path = request.path.partition("?")[0]
        if path in HEALTH:
            return self._health(request.slot)
        if path not in SCORED:
            return 404, {}, said(f"there is no {path} on Azure ML: POST to /predict or /score")
        return await self._scored(request.slot, request.headers, request.body)

    async def _scored(self, slot: Slot, headers: Mapping[str, str], body: bytes) -> PassedAnswer:
        begun_s = time.monotonic()
        try:
            answer = await self._posted(slot, headers, body, anew=False)
            if answer.status_code in (401, 403):
                answer = await self._posted(slot, headers, body, anew=True)
        except httpx.HTTPError as error:
            status = 504 if isinstance(error, httpx.TimeoutException) else 502
            return status, {}, said(f"the endpoint does not answer ({type(error).__name__})")
        back = {name.lower(): value for name, value in answer.headers.items()}
        served = back.get(DEPLOYMENT, slot)
        named = self._version(served)
        self._samples.answered(
            served, answer.status_code, 1000 * (time.monotonic() - begun_s), named, pinned=bool(slot)
        )
        if named:
            back["x-model-version"] = quote(named)
        if answer.status_code < 400:
            return answer.status_code, back, answer.content
        if answer.status_code == 424 and answer.content[:1] == b"{":
            # The model's own words are in it, and its own status beside.
            inner = back.get("ms-azureml-model-error-statuscode", "")
            return int(inner) if inner.isdecimal() and 400 <= int(inner) < 500 else 424, back, answer.content
        return answer.status_code, back, said(scoring_refusal(answer.status_code, back, answer.text))

    async def _posted(self, slot: Slot, headers: Mapping[str, str], body: bytes, *, anew: bool) -> httpx.Response:
        if anew or time.monotonic() > self._bearer_until:
            self._bearer = await aside(lambda: self._scoring.bearer(anew=anew), "azureml key")
            self._bearer_until = time.monotonic() + 60.0
        sent = {name: headers[name] for name in _KEPT if name in headers}
        sent["authorization"] = f"Bearer {self._bearer}"
        if slot:
            sent[DEPLOYMENT] = slot
        assert self._client is not None  # noqa: S101 - it was opened
        return await self._client.post(self._scoring.url, content=body, headers=sent, timeout=self._within_s)

    def _health(self, slot: Slot) -> PassedAnswer:
        """Azure has no such page outside: what is said is what its own probes have found."""
        view = self._view()
        if view is None or not view.scoring_uri:
            return 503, {}, said("the endpoint is not ready")
        if not slot:
            serves = self._version(max(view.weights, key=lambda one: view.weights[one], default=""))
            return 200, {"x-model-version": quote(serves)} if serves else {}, b'{"status": "ok"}'
        ready = view.ready(slot)
        named = {"x-model-version": quote(self._version(slot))}
        return (200, named, b'{"status": "ok"}') if ready else (503, named, said(f"{slot} is not ready"))

    def _version(self, slot: Slot) -> str:
        view = self._view()
        version = view.versions().get(slot) if view is not None else None
        return version.number if version is not None else ""

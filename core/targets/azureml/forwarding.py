"""A way from this machine to an endpoint in Azure, for smoke tests and loads: it adds login and deployment, and counts.

It listens on loopback alone and takes what our own addresses send. The key never leaves this process. What the answers
say of who gave them is what is known here of each slot: callers who go to Azure by themselves are counted by nobody.
"""

import asyncio
import hmac
import json
import time
from collections.abc import Callable, Mapping
from secrets import token_hex
from urllib.parse import quote

import httpx

from core.domain.errors import QuarterdeckError
from core.domain.model import Sample, Slot
from core.system.aside import aside
from core.targets.azureml.failures import scoring_refusal
from core.targets.azureml.https_client import trusted
from core.targets.azureml.samples import SlotSamples
from core.targets.azureml.scoring_calls import DEPLOYMENT, ScoringCalls
from core.targets.azureml.view import AzureView

LARGEST = 16 * 2**20
SLOT_HEADER = "x-quarterdeck-slot"
SCORED = frozenset({"/predict", "/score", "/invocations"})
HEALTH = frozenset({"/health", "/health/ready", "/health/live"})
_KEPT = ("content-type", "accept", "content-encoding")
_BACK = ("content-type", "retry-after")
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
        self._secret = token_hex(8)
        self._samples = SlotSamples(tell)
        self._server: asyncio.Server | None = None
        self._client: httpx.AsyncClient | None = None
        self._bearer = ""
        self._bearer_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens; nowhere before it was opened."""
        found = self._server.sockets[0].getsockname() if self._server is not None else ("127.0.0.1", 0)
        return f"http://{found[0]}:{found[1]}"

    def headers(self, slot: Slot) -> dict[str, str]:
        """What pins a request to a slot."""
        return {SLOT_HEADER: f"{slot}.{self._secret}"}

    async def open(self) -> None:
        """Listen."""
        self._client = await aside(self._made, "azureml client")
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=2**16)
        self._keep(asyncio.create_task(self._samples.run(), name="azureml samples"))

    async def close(self) -> None:
        """Hang up."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _made(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        return httpx.AsyncClient(verify=trusted(self._ca), limits=limits, follow_redirects=False)

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self._keep(task)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # Who asked went away, or speaks no HTTP.
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False where nothing more is to come."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.rstrip().split("\r\n")
        _, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        size = int(headers.get("content-length", "0"))
        if "transfer-encoding" in headers or size > LARGEST:
            await _answer(writer, 413, {}, _said("a request has its length, and 16 MB at the most"), closes=True)
            return False
        body = await reader.readexactly(size)
        status, back, data = await self._forwarded(path.partition("?")[0], headers, body)
        closes = headers.get("connection", "").lower() == "close"
        await _answer(writer, status, back, data, closes=closes)
        return not closes

    async def _forwarded(
        self, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        slot, _, secret = headers.get(SLOT_HEADER, "").partition(".")
        if slot and not hmac.compare_digest(secret, self._secret):
            return 404, {}, _said("no such slot")
        if path in HEALTH:
            return self._health(slot)
        if path not in SCORED:
            return 404, {}, _said(f"there is no {path} on Azure ML: POST to /predict or /score")
        try:
            return await self._scored(slot, headers, body)
        except QuarterdeckError as error:
            return 502, {}, _said(str(error))

    async def _scored(
        self, slot: Slot, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        begun_s = time.monotonic()
        try:
            answer = await self._posted(slot, headers, body, anew=False)
            if answer.status_code in (401, 403):
                answer = await self._posted(slot, headers, body, anew=True)
        except httpx.HTTPError as error:
            status = 504 if isinstance(error, httpx.TimeoutException) else 502
            return status, {}, _said(f"the endpoint does not answer ({type(error).__name__})")
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
        return answer.status_code, back, _said(scoring_refusal(answer.status_code, back, answer.text))

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

    def _health(self, slot: Slot) -> tuple[int, Mapping[str, str], bytes]:
        """Azure has no such page outside: what is said is what its own probes have found."""
        view = self._view()
        if view is None or not view.scoring_uri:
            return 503, {}, _said("the endpoint is not ready")
        if not slot:
            return 200, {}, b'{"status": "ok"}'
        ready = view.ready(slot)
        named = {"x-model-version": quote(self._version(slot))}
        return (200, named, b'{"status": "ok"}') if ready else (503, named, _said(f"{slot} is not ready"))

    def _version(self, slot: Slot) -> str:
        view = self._view()
        version = view.versions().get(slot) if view is not None else None
        return version.number if version is not None else ""


def _said(text: str) -> bytes:
    return json.dumps({"error": text}).encode()


async def _answer(
    writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str], body: bytes, *, closes: bool
) -> None:
    kept = {name: value for name, value in headers.items() if name in _BACK or name.startswith("x-model-")}
    lines = [
        f"HTTP/1.1 {status} {'OK' if status < 400 else 'No'}",
        *(f"{name}: {value}" for name, value in kept.items()),
    ]
    lines += [f"content-length: {len(body)}", f"connection: {'close' if closes else 'keep-alive'}", "", ""]
    writer.write("\r\n".join(lines).encode("latin-1", errors="replace") + body)
    await writer.drain()

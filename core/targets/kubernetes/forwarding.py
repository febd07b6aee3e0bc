"""A way from this machine to an endpoint inside a cluster: each request goes through the API server to one of its pods.

It is for trying a version out and for looking, at the pace of an API server; users and loads come by an address of the
endpoint's own. It listens on loopback alone and takes what our own addresses send.
"""

import asyncio
import hmac
import itertools
from collections.abc import Mapping

from core.domain.errors import QuarterdeckError
from core.domain.model import Slot
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import ClusterEndpoint, selector
from core.targets.kubernetes.manifests import SLOT_HEADER
from core.targets.kubernetes.manifests_pod import PORT, PORT_NAME
from core.targets.kubernetes.paths import PODS, SERVICES
from core.targets.kubernetes.pods import is_ready
from core.targets.kubernetes.threads import in_thread

LARGEST = 16 * 2**20
CALL_S = 30.0
_KEPT = ("content-type", "accept", "x-api-key", "content-encoding")
_BACK = ("content-type", "retry-after")


class ApiForwarder:
    """An HTTP server on loopback. A request that names a slot with the secret goes to a ready pod of it, others to the
    endpoint's Service."""

    def __init__(self, at: ClusterEndpoint, calls: ApiCalls, secret: str) -> None:
        self._at = at
        self._calls = calls
        self._secret = secret
        self._turns = itertools.count()
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens; nowhere before it was opened."""
        found = self._server.sockets[0].getsockname() if self._server is not None else ("127.0.0.1", 0)
        return f"http://{found[0]}:{found[1]}"

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=2**16)

    async def close(self) -> None:
        """Hang up."""
        if self._server is not None:
            self._server.close()
        for task in self._talks:
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self._talks.add(task)
            task.add_done_callback(self._talks.discard)
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
        method, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        size = int(headers.get("content-length", "0"))
        if "transfer-encoding" in headers or size > LARGEST:
            # Who hangs up on a sender that still writes is not heard.
            left = min(size, 4 * LARGEST)
            while left > 0 and (chunk := await reader.read(min(left, 2**16))):
                left -= len(chunk)
            await _answer(writer, 413, {}, b'{"error": "too large to go through the API server"}', closes=True)
            return False
        body = await reader.readexactly(size)
        status, back, data = await self._forwarded(method, path, headers, body)
        closes = headers.get("connection", "").lower() == "close"
        await _answer(writer, status, back, data, closes=closes)
        return not closes

    async def _forwarded(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        sent = {name: headers[name] for name in _KEPT if name in headers}
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            # The API server keeps the usual header for itself.
            sent["x-api-key"] = token.strip()
        named = headers.get(SLOT_HEADER, "")
        try:
            slot, _, secret = named.partition(".")
            if named and not hmac.compare_digest(secret, self._secret):
                return 404, {}, b'{"error": "no such slot"}'
            to = await in_thread(lambda: self._pod(slot), "forward") if named else self._service()
            if not to:
                return 503, {}, b'{"error": "no pod of this slot is ready"}'
            return await in_thread(lambda: self._calls.passed(method, f"{to}{path}", body, sent, CALL_S), "forward")
        except QuarterdeckError as error:
            text = str(error).replace("\\", " ").replace('"', "'")
            return 502, {}, f'{{"error": "{text}"}}'.encode()

    def _service(self) -> str:
        return SERVICES.path(self._at.place.namespace, f"{self._at.name}:{PORT_NAME}", "proxy")

    def _pod(self, slot: Slot) -> str:
        """The way to one of the slot's ready pods, each in its turn; empty where there is none."""
        asked = ",".join(f"{label}={value}" for label, value in selector(self._at, slot).items())
        page = self._calls.ask("GET", PODS.path(self._at.place.namespace), query={"labelSelector": asked})
        names = sorted(pod["metadata"]["name"] for pod in page.get("items") or () if is_ready(pod))
        if not names:
            return ""
        name = names[next(self._turns) % len(names)]
        return PODS.path(self._at.place.namespace, f"{name}:{PORT}", "proxy")


async def _answer(
    writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str], body: bytes, *, closes: bool
) -> None:
    kept = {name: value for name, value in headers.items() if name in _BACK or name.startswith("x-")}
    lines = [
        f"HTTP/1.1 {status} {'OK' if status < 400 else 'No'}",
        *(f"{name}: {value}" for name, value in kept.items()),
    ]
    lines += [f"content-length: {len(body)}", f"connection: {'close' if closes else 'keep-alive'}", "", ""]
    writer.write("\r\n".join(lines).encode("latin-1", errors="replace") + body)
    await writer.drain()

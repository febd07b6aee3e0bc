"""The page of counters of an endpoint: one for all its replicas, asked of each of them and summed by its host.

Behind a router every replica's own page would look like counters that fall. What is counted stays when a replica
ends, and when the host does: it is written down.
"""

import asyncio
import hmac
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from core.domain.model import Level, Noted
from core.system.tasks import TaskGuard
from core.targets.local.counters import Counters, parse
from core.targets.local.routes import METRICS_PATH
from core.targets.local.rows import RowMeter
from core.targets.local.scraped import ANSWER_S, AT_ONCE, Scraped, scrape
from core.targets.local.spec import socket_path

EVERY_S = 1.0
EACH_S = 0.05
"""Rounds over many replicas are longer, by this much for each of them: to ask costs CPU on both sides."""
SAVE_S = 10.0
HEAD_BYTES = 1 << 16
WRONG_KEY = "the key is missing or wrong: send it as Authorization: Bearer KEY"


class MetricsPage:
    """Answers on a unix socket. `replicas` are those that count now, `key` what a caller must send."""

    def __init__(
        self,
        folder: Path,
        replicas: Callable[[], Iterable[Scraped]],
        key: Callable[[], str],
        note: Callable[[Noted], None],
    ) -> None:
        self.socket = socket_path(folder, "metrics.sock")
        self._file = folder / "counters.json"
        self._replicas = replicas
        self._key = key
        self._note = note
        self._counters = Counters()
        self.rows = RowMeter()
        self._looking = asyncio.Lock()
        self._looked_s = 0.0
        self._guard = TaskGuard("the page of counters", self._died)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Go on from what an earlier host had counted, and answer; without a socket only the page is missing."""
        self._counters = self._load()
        mask = os.umask(0o177)
        try:
            self.socket.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._accept, str(self.socket), limit=HEAD_BYTES)
        except OSError as error:
            self._note(Noted(f"/metrics can't be answered: {self.socket}: {error}", Level.ERROR, source="host"))
            return
        finally:
            os.umask(mask)
        self._guard.keep(self._rounds, "rounds")

    async def stop(self) -> None:
        """Ask everybody a last time, write it down, hang up."""
        if self._server is None:
            return
        await self.look()
        self._save()
        self._server.close()
        await self._guard.close(timeout_s=ANSWER_S)
        self.socket.unlink(missing_ok=True)

    def _died(self, name: str, error: BaseException) -> None:
        self._note(Noted(f"{name} went wrong: {type(error).__name__}: {error}", Level.ERROR, source="host"))

    # What is counted

    async def _rounds(self) -> None:
        saved_s = time.monotonic()
        while True:
            await asyncio.sleep(max(EVERY_S, EACH_S * len(self._counters.last)))
            gone = await self.look()
            if gone or time.monotonic() - saved_s >= SAVE_S:
                self._save()
                saved_s = time.monotonic()

    async def look(self) -> bool:
        """Ask every replica; says whether one has gone. What does not answer keeps what it said last."""
        wanted_s = time.monotonic()
        async with self._looking:
            if self._looked_s > wanted_s:
                return False  # Somebody else has asked meanwhile.
            self._looked_s = time.monotonic()
            replicas, turns = list(self._replicas()), asyncio.Semaphore(AT_ONCE)
            names = {one.who for one in replicas}
            gone = self._counters.living(names)
            self.rows.living(names)
            await asyncio.gather(*(self._ask(one, turns) for one in replicas))
            return gone

    async def _ask(self, replica: Scraped, turns: asyncio.Semaphore) -> None:
        # A service of another make may have another page.
        with suppress(ValueError):
            if body := await scrape(replica, METRICS_PATH, turns):
                page = parse(body.decode())
                self._counters.take(replica.who, page, copies=replica.copies)
                self.rows.take(replica, page)

    def _load(self) -> Counters:
        try:
            return Counters.from_json(json.loads(self._file.read_text()))
        except FileNotFoundError:
            return Counters()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._note(Noted(f"{self._file}: {error}; /metrics counts from zero", Level.WARNING, source="host"))
            return Counters()

    def _save(self) -> None:
        beside = self._file.with_name(f".{self._file.name}")
        # A full disk costs the next host its start, and this one nothing.
        with suppress(OSError):
            beside.write_text(json.dumps(self._counters.to_json()))
            beside.replace(self._file)

    # Who asks

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._guard.start(self._talk(reader, writer), "talk")

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request on each connection: what came along with it may be anything, and is thrown away."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            lines = (line.partition(":") for line in head[1:])
            headers = {name.strip().lower(): value.strip() for name, _, value in lines}
            method = head[0].split(" ", 1)[0]
            writer.write(await self._answer(method, _key_of(headers)))
            await writer.drain()
            # Closed with something unread, the answer would be lost to the router.
            async with asyncio.timeout(ANSWER_S):
                while await reader.read(1 << 16):
                    pass
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, TimeoutError):
            return
        finally:
            writer.close()

    async def _answer(self, method: str, key: str) -> bytes:
        if method not in {"GET", "HEAD"}:
            return _response("405 Method Not Allowed", _error(f"{METRICS_PATH} takes GET, not {method}"), "allow: GET")
        wanted = self._key()
        if wanted and not hmac.compare_digest(key.encode("latin-1"), wanted.encode()):
            return _response("401 Unauthorized", _error(WRONG_KEY), "www-authenticate: Bearer")
        await self.look()
        body = self._counters.render().encode()
        answer = _response("200 OK", body, kind="text/plain; version=0.0.4; charset=utf-8")
        return answer if method == "GET" else answer[: -len(body)] if body else answer


def _key_of(headers: Mapping[str, str]) -> str:
    """The key that came, as a bearer token or as `x-api-key`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def _error(text: str) -> bytes:
    return json.dumps({"error": text}).encode()


def _response(status: str, body: bytes, *more: str, kind: str = "application/json") -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        "connection: close",
        *more,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body

"""The service of the stand-in: answers every request with its version, and misbehaves as its model says.

`busy_ms` burns CPU for each request, `slow_ms` waits, `status` answers that, `mute` never gets ready, `dies_s` ends
by itself, `fat_mb` takes memory, `leaks_mb` a little more with each request, `stubborn` does not hear SIGTERM. /echo
tells in a header what it heard, /metrics how many predictions it answered; with `label` what they were, and that
every row was of a category that it does not know.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Identity:
    """As in scoring."""

    model: str
    version: str
    run_id: str = ""
    uri: str = ""
    registry: str = ""


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """As in scoring."""

    host: str = "127.0.0.1"
    port: int = 0
    key: str = field(default="", repr=False)
    max_body_bytes: int = 1 << 23
    drain_s: float = 5.0
    cores: Callable[[], float | None] = lambda: None
    service: str = "standin"


def warm() -> None:
    """Nothing needs it."""


def serve(
    model: dict[str, Any], identity: Identity, settings: ServingSettings, ready: Callable[[], None] | None = None
) -> None:
    """Serve until SIGTERM."""
    sys.stderr.write(f"standin {identity.version} on {settings.port}\n")
    if "dies_s" in model:
        time.sleep(model["dies_s"])
        sys.stderr.write("it fell over\n")
        os._exit(3)
    if "fat_mb" in model:
        model["fat"] = os.urandom(1) * int(model["fat_mb"] * 1e6)
    asyncio.run(_serve(model, identity, settings, ready))


async def _serve(
    model: dict[str, Any], identity: Identity, settings: ServingSettings, ready: Callable[[], None] | None
) -> None:
    stopping = asyncio.Event()
    if not model.get("stubborn"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    else:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    active, answered = 0, 0
    idle = asyncio.Event()
    idle.set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal active, answered
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                active += 1
                idle.clear()
                length = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
                if length:
                    await reader.readexactly(int(length[0].split(":")[1]))
                status = await _work(model, head)
                body = json.dumps({"version": identity.version, "pid": os.getpid()}).encode()
                answered += " /predict " in head
                if head.startswith("GET /metrics"):
                    status, body = _metrics(model, settings, head, answered)
                leave = "connection: close\r\n" if stopping.is_set() else ""
                said = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nx-model-version: {identity.version}\r\n"
                if " /echo " in head:
                    said += f"x-heard: {' '.join(head.split())}\r\n"
                writer.write((said + leave + "\r\n").encode() + body)
                await writer.drain()
                active -= 1
                if not active:
                    idle.set()
                if leave:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    if model.get("mute"):
        sys.stderr.write("still waiting for a friend\n")
        sys.stderr.flush()
        await stopping.wait()
        return
    server = await asyncio.start_server(talk, settings.host, settings.port)
    if ready is not None:
        ready()
    await stopping.wait()
    server.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(settings.drain_s):
            await idle.wait()


def _metrics(model: dict[str, Any], settings: ServingSettings, head: str, answered: int) -> tuple[int, bytes]:
    if settings.key and f"Bearer {settings.key}" not in head:
        return 401, b"{}"
    page = f"# TYPE answers_total counter\nanswers_total {answered}\n"
    if "label" in model:
        page += f"scoring_rows_total {answered}\nscoring_unknown_category_rows_total {answered}\n"
        page += f'scoring_predictions_total{{label="{model["label"]}"}} {answered}\n'
    return 200, page.encode()


async def _work(model: dict[str, Any], head: str) -> int:
    if " /health " in head:
        return 200
    if ".php " in head:
        return 404
    if "leaks_mb" in model:
        model.setdefault("leaked", []).append(os.urandom(1) * int(model["leaks_mb"] * 1e6))
    until_s = time.thread_time() + model.get("busy_ms", 0) / 1000
    while time.thread_time() < until_s:
        pass
    if "slow_ms" in model:
        await asyncio.sleep(model["slow_ms"] / 1000)
    return int(model.get("status", 200))

"""What goes over the host's socket: a line of JSON each way, or many lines back for a watch.

A message says until when it is meant (`until_s`, by the clock that nobody sets): what is taken up later is refused.
Whoever gives a message up hangs up, and what was not begun by then is not done.
"""

import asyncio
import importlib.metadata
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from core.domain import errors
from core.domain.errors import QuarterdeckError, Unreachable
from core.domain.model import Observation
from core.state.codec import noun, plain
from core.system.clock import boottime_s
from core.targets.local.records import me
from core.targets.local.spec import socket_path

LIMIT_BYTES = 8 << 20
ANSWER_S = 10.0
BEAT_S = 1.0
"""A host says to a watch, and to whoever waits for something long, that it lives: as often as this."""
HANGS_S = 5.0
"""A host that was asked for a sign of life and gave none for so long hangs. It does nothing that takes that long."""
NO_CPU = f"gave no answer within {HANGS_S:g} s: this machine has no CPU for it; it is left alone"
RENEW_S = 300.0
"""For so long every replica may take to be changed for another, one after the other."""
PROTOCOL = 4
"""Rises with every change of what goes over this socket."""


SIGNS = round(HANGS_S / BEAT_S)


async def next_line(reader: asyncio.StreamReader) -> bytes:
    """The next line of somebody who beats; raises SilentError where none comes.

    It waits in short turns: where this process itself was stopped for long, one of them is over, not all.
    """
    for _ in range(SIGNS):
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_S):
                return await reader.readline()
    raise SilentError(f"no sign of life for {HANGS_S:g} s")


class SilentError(Unreachable):
    """The host took the message, or its connection, and gave no answer in time."""


@cache
def version() -> str:
    """Of this package."""
    try:
        return importlib.metadata.version("quarterdeck")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def greeting() -> dict[str, Any]:
    """Who a host is, as it says first to whoever watches it, and writes down for those it can't answer."""
    return {"version": version(), "protocol": PROTOCOL, "process": me()}


def unlike(greeting: Mapping[str, Any]) -> str:
    """What is to be said to an operator whose package is not the host's; empty where they are alike."""
    theirs = str(greeting.get("version") or "an older version")
    if greeting.get("protocol") == PROTOCOL and theirs == version():
        return ""
    return f"the host runs {theirs}, this is {version()}; 'quarterdeck restart' changes it"


def host_socket(folder: Path) -> Path:
    """Where an endpoint's host answers."""
    return socket_path(folder, "host.sock")


def line(message: Mapping[str, Any]) -> bytes:
    """One message as it is sent."""
    return (json.dumps(message, separators=(",", ":")) + "\n").encode()


def failure(error: QuarterdeckError) -> dict[str, Any]:
    """An error as the other side is told."""
    return {"error": type(error).__name__, "text": str(error)}


def raise_failure(answer: Mapping[str, Any]) -> None:
    """Raise what the other side raised, if it did."""
    if "error" in answer:
        kind = getattr(errors, str(answer["error"]), Unreachable)
        raise kind(answer["text"])


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One endpoint on this machine. `alive`: its host answers; without it `slots` are what was accepted."""

    endpoint: str
    folder: Path
    alive: bool
    pid: int | None
    url: str
    slots: tuple[Observation, ...]
    started_at: float | None = None
    why: str = ""
    version: str = ""
    protocol: int = 0

    def to_json(self) -> dict[str, Any]:
        """As it goes over the socket."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {**fields, "folder": str(self.folder), "slots": plain(self.slots)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "HostStatus":
        """Back from `to_json`."""
        # Another version's host may say more than is known here.
        known = {field.name: content[field.name] for field in fields(cls) if field.name in content}
        return cls(**{**known, "folder": Path(content["folder"]), "slots": noun(content["slots"])})


async def connect(folder: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the host; raises OSError when there is none."""
    return await asyncio.open_unix_connection(str(host_socket(folder)), limit=LIMIT_BYTES)


async def ask(folder: Path, message: Mapping[str, Any], timeout_s: float = ANSWER_S) -> dict[str, Any]:
    """One message and its answer; raises OSError without a host, Unreachable without an answer."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await connect(folder)
            try:
                writer.write(line({**message, "until_s": boottime_s() + timeout_s, "by": version()}))
                await writer.drain()
                text = await reader.readline()
            finally:
                writer.close()
    except TimeoutError as error:
        raise SilentError(f"{message['do']}: the host of {folder.name} gave no answer in {timeout_s:g} s") from error
    except (ConnectionResetError, BrokenPipeError) as error:
        raise Unreachable(f"{message['do']}: the host of {folder.name} ended meanwhile") from error
    if not text:
        raise Unreachable(f"{message['do']}: the host of {folder.name} ended meanwhile")
    answer: dict[str, Any] = json.loads(text)
    raise_failure(answer)
    return answer

"""A notice to a receiver, whatever its kind; and what nobody took, kept in a file."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from core.config.alerts import ReceiverSettings
from core.notify import payloads
from core.state.alert import Notice

DEAD_LETTERS = "dead-letters.jsonl"


async def send(
    receiver: ReceiverSettings,
    notice: Notice,
    environ: Mapping[str, str] | None = None,
    links: payloads.AnswerLinks | None = None,
) -> None:
    """One try; raises Unreachable where another may help, Failed where somebody must change something."""
    # The watch waits all day; what sends is loaded when there is something to send.
    if receiver.kind == "email":
        from core.notify import mail  # noqa: PLC0415

        await mail.send(receiver, notice, os.environ if environ is None else environ, links)
    else:
        from core.notify import http  # noqa: PLC0415

        await http.send(receiver, notice, os.environ if environ is None else environ, links)


def bury(folder: Path, notice: Notice, receiver: str, why: str) -> Path:
    """Keep what a receiver never took, a line each; readable by its owner alone. Raises OSError."""
    path = folder / DEAD_LETTERS
    line = json.dumps({"receiver": receiver, "why": why, **payloads.generic(notice)}) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return path

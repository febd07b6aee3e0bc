"""`quarterdeck rollback`, asked of the watch before anything large is loaded: traffic moves first, lines follow.

Nothing but the standard library. Where the watch does not take it up at once, the whole command asks in its own way.
"""

import json
import os
import pwd
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TAKE_UP_S = 0.3
FILE, STATE, SOCKET = "quarterdeck.yaml", ".quarterdeck", "watch.sock"


@dataclass(frozen=True, slots=True)
class TakenUp:
    """What the watch said: the release that goes back, and the journal's last event before it was asked."""

    endpoint: str
    release: str
    after: int


TAKEN_UP: TakenUp | None = None
"""What was asked before the rest of this command was loaded."""


def ask(arguments: Sequence[str]) -> TakenUp | None:
    """Ask for it; None where the watch can't be asked this way, or did not take it up."""
    flags = _flags(arguments)
    if flags is None or any(name.startswith("QUARTERDECK_") for name in os.environ):
        return None
    given = Path(flags.get("--config", FILE))
    path = given / FILE if given.is_dir() else given
    where = path.parent.resolve() / STATE / SOCKET
    message: dict[str, object] = {"do": "rollback", "config": str(path.resolve()), "env": flags.get("--env")}
    message |= {"who": _user(), "ago_s": _running_s()}
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(TAKE_UP_S)
            line.connect(str(where))
            line.sendall(json.dumps(message).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline())
            return TakenUp(answer["endpoint"], answer["release"], answer["after"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _flags(arguments: Sequence[str]) -> dict[str, str] | None:
    """`--config` and `--env`; None for anything else, which the whole command understands."""
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name not in ("--config", "--env") or (not equals and not rest):
            return None
        found[name] = value if equals else rest.pop(0)
    return found


def _user() -> str:
    try:
        return os.environ.get("LOGNAME") or os.environ.get("USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _running_s() -> float:
    """For how long this process has been running, in seconds; 0 where the kernel does not say."""
    try:
        stat = Path("/proc/self/stat").read_text()
        started = int(stat[stat.rindex(")") + 2 :].split()[19])
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, AttributeError):
        return 0.0

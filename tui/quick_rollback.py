"""`quarterdeck rollback`, asked of the watch before anything large is loaded: traffic moves first, lines follow.

Nothing but what of the standard library is quick to load: `pathlib` and `dataclasses` cost 10 of its 30 ms. Where the
watch does not take it up at once, the whole command asks in its own way.
"""

import json
import os
import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

TAKE_UP_S = 0.3
FILE, STATE, SOCKET = "quarterdeck.yaml", ".quarterdeck", "watch.sock"


class TakenUp:
    """What the watch said: the release that goes back, and the journal's last event before it was asked."""

    __slots__ = ("after", "endpoint", "release")

    def __init__(self, endpoint: str, release: str, after: int) -> None:
        self.endpoint = endpoint
        self.release = release
        self.after = after


TAKEN_UP: TakenUp | None = None
"""What was asked before the rest of this command was loaded."""


def ask(arguments: "Sequence[str]") -> TakenUp | None:
    """Ask for it; None where the watch can't be asked this way, or did not take it up."""
    flags = _flags(arguments)
    if flags is None or any(name.startswith("QUARTERDECK_") for name in os.environ):
        return None
    given = flags.get("--config", FILE)
    folder, name = (given, FILE) if os.path.isdir(given) else os.path.split(given)
    where = os.path.join(os.path.realpath(folder or os.curdir), STATE, SOCKET)
    path = os.path.realpath(os.path.join(folder, name))
    message: dict[str, object] = {"do": "rollback", "config": path, "env": flags.get("--env")}
    message |= {"who": _user(), "ago_s": _running_s()}
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(TAKE_UP_S)
            line.connect(where)
            line.sendall(json.dumps(message).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline())
            return TakenUp(answer["endpoint"], answer["release"], answer["after"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _flags(arguments: "Sequence[str]") -> dict[str, str] | None:
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
    import pwd  # noqa: PLC0415

    try:
        return os.environ.get("LOGNAME") or os.environ.get("USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _running_s() -> float:
    """For how long this process has been running, in seconds; 0 where the kernel does not say."""
    try:
        with open("/proc/self/stat") as file:
            stat = file.read()
        started = int(stat[stat.rindex(")") + 2 :].split()[19])
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, AttributeError):
        return 0.0

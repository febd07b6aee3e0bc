"""`quarterdeck rollback`, asked of the watch before anything large is loaded: traffic moves first, lines follow.

Nothing but what is quick to load: `pathlib` and `dataclasses` cost 10 ms, `json` 7 and `socket` 3, for a line with tabs
that the interpreter's own `_socket` sends. Where the watch does not take it up at once the whole command asks in its
own way.
"""

import _socket
import os
import time

from core.system.origin import origin
from core.system.sockets import socket_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

TAKE_UP_S = 0.3
LINE_BYTES = 4096
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
    sets: list[str] = []
    flags = _flags(arguments, sets)
    if flags is None or any(name.startswith("QUARTERDECK_") for name in os.environ):
        return None
    given = flags.get("--config", FILE)
    folder, name = (given, FILE) if os.path.isdir(given) else os.path.split(given)
    path = os.path.realpath(os.path.join(folder, name))
    about = (flags.get("--env", ""), _user(), origin(), flags.get("--reason", ""))
    asked = ("rollback", path, *about, f"{_running_s():.6f}", *sets)
    if any(character in field for field in asked for character in "\t\r\n"):
        return None
    try:
        where = socket_address(os.path.join(os.path.realpath(folder or os.curdir), STATE), SOCKET)
        said = _answer(where, "\t".join(asked))
        word, endpoint, release, after = said.split("\t")
        return TakenUp(endpoint, release, int(after)) if word == "taken" else None
    except (OSError, ValueError):
        return None


def _answer(where: str, asked: str) -> str:
    """One line to the watch and one back; OSError where none comes."""
    until = time.monotonic() + TAKE_UP_S
    line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        line.settimeout(TAKE_UP_S)
        line.connect(where)
        line.sendall(asked.encode() + b"\n")
        said = b""
        while not said.endswith(b"\n"):
            line.settimeout(max(0.001, until - time.monotonic()))
            part = line.recv(LINE_BYTES)
            if not part:
                raise ConnectionError(where)
            said += part
        return said.decode().rstrip("\n")
    finally:
        line.close()


def _flags(arguments: "Sequence[str]", sets: list[str]) -> dict[str, str] | None:
    """`--config`, `--env` and `--reason`; None for anything else, which the whole command understands.

    Each `--set` goes into `sets`.
    """
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name not in ("--config", "--env", "--reason", "--set") or (not equals and not rest):
            return None
        value = value if equals else rest.pop(0)
        if name == "--set":
            sets.append(value)
        else:
            found[name] = value
    return found if all(found.values()) else None


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

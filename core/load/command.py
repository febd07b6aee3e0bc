"""How Locust is called for one run: what must be true before, its command line, its environment."""

import asyncio
import json
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from core.config.profiles import checked
from core.domain.errors import BadInput, Unreachable
from core.domain.load_profile import LoadProfile
from core.system.ports import free_port
from core.system.text import clean_line

ANSWER_S = 3.0
HERE = "127.0.0.1"
SHIPPED = Path(__file__).with_name("locustfile.py")
BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from core.load.boot import main; main()"
ARTIFACTS = ("load_test_report.html", "load_test_results_stats.csv", "load_test_results_failures.csv")
LOG = "load_test_log.txt"
OUTPUT = "load_test_output.txt"
MOST_FOLDERS = 1000
STOP_S = 2
"""How long a user may finish the request it is in before it is stopped."""


@dataclass(frozen=True, slots=True)
class LocustSettings:
    """One run of Locust. `rows` are raw records as JSON lines for the shipped locustfile, which None chooses.

    `folder` gets the artifacts and the logs; `key` is a bearer key or empty; `web_port` None takes a free one.
    """

    url: str
    folder: Path
    rows: Path | None = None
    locustfile: Path | None = None
    key: str = field(default="", repr=False)
    processes: int = 1
    web: bool = False
    web_port: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def check(profile: LoadProfile, settings: LocustSettings) -> None:
    """`BadInput` where these settings can't work; makes the folder."""
    checked(profile)
    if urlsplit(settings.url).scheme not in {"http", "https"} or not urlsplit(settings.url).hostname:
        raise BadInput(f"{settings.url!r} is no address to send load to; it takes http://host:port")
    if settings.processes < 1:
        raise BadInput(f"load: processes is {settings.processes}; it takes 1 or more")
    check_file(settings.locustfile or SHIPPED)
    if settings.locustfile is None and settings.rows is None:
        raise BadInput("load: the locustfile that ships needs rows to send; name a file of JSON lines")
    if settings.rows is not None and not settings.rows.is_file():
        raise BadInput(f"{settings.rows}: there is no such file of rows")
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        (settings.folder / LOG).write_bytes(b"")
    except OSError as error:
        raise BadInput(f"{settings.folder}: the load's files can't be written there: {error.strerror}") from error


def check_file(locustfile: Path) -> None:
    """`BadInput` where that can't be a locustfile."""
    if not locustfile.exists():
        raise BadInput(f"{locustfile}: there is no such locustfile")
    if not (locustfile.is_file() or locustfile.is_dir()):
        raise BadInput(f"{locustfile}: is no regular file; a locustfile is read more than once")
    if locustfile.is_file() and locustfile.suffix != ".py":
        raise BadInput(f"{locustfile}: a locustfile ends in .py")


async def answers(url: str) -> None:
    """`Unreachable` unless somebody accepts a connection there."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(ANSWER_S):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except TimeoutError as error:
        raise Unreachable(f"{url}: nobody answered within {ANSWER_S:g} s, so there is nothing to load") from error
    except OSError as error:
        raise Unreachable(f"{url}: nobody answers there ({reason(error)}), so there is nothing to load") from error
    writer.close()


def reason(error: OSError) -> str:
    """Why in a few words, as the system puts it."""
    return (os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)).lower()


def page_port(wanted: int | None = None) -> int:
    """Where Locust's page opens: a free port, or the wanted one; `BadInput` where that is taken."""
    if wanted is None:
        return free_port(HERE)
    try:
        # As Locust itself binds: what only waits for its last packets is no obstacle.
        with socket.create_server((HERE, wanted)):
            return wanted
    except OSError as error:
        raise BadInput(f"{HERE}:{wanted}: Locust's page can't open there ({reason(error)})") from error


def new_folder(parent: Path, name: str) -> Path:
    """A folder of one run's own: two that begin in one second share none. `BadInput` where none can be made."""
    for number in range(1, MOST_FOLDERS):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise BadInput(f"{folder}: the load's files can't be written there: {error.strerror}") from error
        return folder
    raise BadInput(f"{parent / name}: there are {MOST_FOLDERS} of them already; remove some")


def command(profile: LoadProfile, settings: LocustSettings, web_port: int | None) -> list[str]:
    """The command line. Each option that a `locust.conf` could set otherwise, and that we rely on, stands here."""
    first = profile.stages[0] if profile.stages and profile.stages[0].at_s == 0 else profile
    html, stats, _ = ARTIFACTS
    call = [sys.executable, "-P", "-c", BOOT, str(Path(__file__).parents[2])]
    call += ["-f", str((settings.locustfile or SHIPPED).absolute()), "--host", settings.url.rstrip("/")]
    call += ["--users", str(first.users or 1), "--spawn-rate", f"{first.spawn_rate:g}"]
    call += ["--html", str(settings.folder.absolute() / html)]
    call += ["--csv", str(settings.folder.absolute() / stats.removesuffix("_stats.csv"))]
    call += ["--only-summary", "--exit-code-on-error", "0", "--stop-timeout", str(STOP_S)]
    if web_port is None:
        call += ["--headless"]
    else:
        call += ["--web-host", HERE, "--web-port", str(web_port), "--autostart", "--autoquit", "0"]
    if settings.processes > 1:
        port = str(free_port())
        call += ["--processes", str(settings.processes), "--master-host", HERE, "--master-port", port]
        call += ["--master-bind-host", HERE, "--master-bind-port", port]
    return [*call, *profile.user_classes]


def check_command(locustfile: Path) -> list[str]:
    """The command line that only reads a locustfile and says what classes it has."""
    call = [sys.executable, "-P", "-c", BOOT, str(Path(__file__).parents[2])]
    return [*call, "-f", str(locustfile.absolute()), "--headless"]


def environment(profile: LoadProfile, settings: LocustSettings, fd: int, only_check: bool = False) -> dict[str, str]:
    """Ours, with what the reporter and the shipped locustfile need."""
    locustfile = (settings.locustfile or SHIPPED).absolute()
    ours = {
        "fd": fd,
        "parent": os.getpid(),
        "only_check": only_check,
        "folder": str(locustfile if locustfile.is_dir() else locustfile.parent),
        "users": profile.users,
        "spawn_rate": profile.spawn_rate,
        "duration_s": profile.duration_s,
        "stages": [(stage.at_s, stage.users, stage.spawn_rate) for stage in profile.stages],
        "user_classes": profile.user_classes,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_MODE_")}
    inherited |= {
        "PYTHONUNBUFFERED": "1",
        "QUARTERDECK_LOAD": json.dumps(ours),
        "QUARTERDECK_KEY": settings.key,
        "QUARTERDECK_HEADERS": json.dumps(dict(settings.headers)),
    }
    if settings.rows is not None:
        inherited["QUARTERDECK_ROWS"] = str(settings.rows.absolute())
    return inherited


def last_line(log: Path) -> str:
    """The last thing Locust said, without the clock and the names it puts before."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return clean_line(re.sub(r"^\[[^]]*\] \S+/[A-Z]+/\S+: ", "", lines[-1])) if lines else "it said nothing"

"""What runs for an endpoint, written down so that the next host finds it again, and it alone.

    host.json                    the host and its version
    router/process.json          Envoy, its admin socket, and older ones that are still draining
    run/POOL/pool.json           a slot, its version and settings; `key` beside it, for its owner alone
    run/POOL/parent.json         the warmed parent, by itself
    run/POOL/replica-NAME.json   a replica, by itself, before it serves

Nothing here is forced to disk: a process does not outlive the machine, and a record of another boot names nobody.
"""

import contextlib
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from core.system.clock import boottime_s
from core.system.processes import ProcessId, process_id, send

END_S = 5.0
ALONE_S = 600.0
"""A parent or replica that no host has looked after for so long ends, unless the endpoint's state names its slot."""


def run_folder(folder: Path) -> Path:
    """Where an endpoint's pools have their folders."""
    return folder / "run"


def host_record(folder: Path) -> Path:
    """The host that carries the endpoint, or did last."""
    return folder / "host.json"


def router_record(folder: Path) -> Path:
    """The router of the endpoint."""
    return folder / "router" / "process.json"


def replica_record(pool: Path, name: str) -> Path:
    """One replica of a pool."""
    return pool / f"replica-{name}.json"


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a record so that no reader sees half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(content))
    beside.rename(path)


def read(path: Path) -> dict[str, Any]:
    """A record, empty where there is none or it is no record."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def process_in(content: Mapping[str, Any]) -> ProcessId | None:
    """The process of a record, if it still runs."""
    with contextlib.suppress(KeyError, ValueError, TypeError):
        process = ProcessId.from_json(content["process"])
        return process if process.alive else None
    return None


def me() -> dict[str, object]:
    """This process, as it is written down."""
    found = process_id()
    if found is None:
        raise OSError("this process can't be told from others: is /proc there?")
    return found.to_json()


def in_pool(place: Path) -> list[ProcessId]:
    """What still runs of a pool, its parent first: it would hold up what it has forked."""
    paths = [place / "parent.json", *sorted(place.glob("replica-*.json"))]
    return [process for path in paths if (process := process_in(read(path))) is not None]


def manned_pools(folder: Path) -> list[Path]:
    """The pools of which a replica still runs."""
    places = sorted(run_folder(folder).glob("*/"))
    return [place for place in places if any(process_in(read(path)) for path in place.glob("replica-*.json"))]


def running(folder: Path) -> list[ProcessId]:
    """All that still runs for an endpoint besides its host."""
    pools = [process for place in sorted(run_folder(folder).glob("*/")) for process in in_pool(place)]
    return [*pools, *router_processes(folder)]


def router_processes(folder: Path) -> list[ProcessId]:
    """The routers that still run: the present one, and any that one replaced while it drains."""
    record = read(router_record(folder))
    each = [{"process": one} for one in [record.get("process"), *record.get("older", [])]]
    return [process for one in each if (process := process_in(one)) is not None]


def end_all(folder: Path) -> int:
    """Kill all that runs for an endpoint; gives how many that were."""
    return sum(send(process, signal.SIGKILL) for process in running(folder))


def end_strays(folder: Path) -> int:
    """Kill what was started for an endpoint and is written down nowhere, until it has ended; gives how many that were.

    Its starter died before it could write it down, or what was written is lost.
    """
    routers, strays = {process.pid for process in router_processes(folder)}, list[psutil.Process]()
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        router = str(folder / "router" / "bootstrap.json") in command and process.pid not in routers
        pool = command[5:6] if command[4:5] == [str(folder)] and "core.targets.local.zygote" in command else []
        if router or (pool and not (Path(pool[0]) / "pool.json").exists()):
            with contextlib.suppress(psutil.Error):
                process.kill()
                strays.append(process)
    psutil.wait_procs(strays, END_S)
    return len(strays)


class Alone:
    """Whether nobody has a use for a pool any more. `since_s` is when it last had a host, by the boot's clock."""

    def __init__(self, folder: Path, pool: Path) -> None:
        self._folder = folder
        self._pool = pool
        self._since_s = boottime_s()

    def looked_after(self) -> None:
        """A host was heard just now."""
        self._since_s = boottime_s()

    @property
    def gone(self) -> bool:
        """The endpoint has gone from this machine."""
        return not (self._folder / "state.json").exists()

    def over(self) -> bool:
        """The endpoint has gone; or no host has run for too long, and what the pool serves was never accepted or was
        taken out. What was accepted goes on: it may have callers, or be somebody's way back.
        """
        if self.gone:
            return True
        if process_in(read(host_record(self._folder))) is not None:
            self.looked_after()
        return boottime_s() - self._since_s > ALONE_S and not self._held()

    def _held(self) -> bool:
        slots = read(self._folder / "state.json").get("slots")
        # A state that can't be read says nothing against it.
        return not isinstance(slots, dict) or read(self._pool / "pool.json").get("slot") in slots

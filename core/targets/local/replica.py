"""One replica, from the fork to its end. It outlives its parent: the host replaces it then, in its own time."""

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from core.system.processes import wake_when_parent_dies
from core.targets.local import records

LOOK_S = 5.0
END_S = 15.0


@dataclass(slots=True)
class Limit:
    """What CPU time the parent holds a replica to, in cores; it may change while it serves."""

    cores: float | None = None

    def read(self, pool: Mapping[str, Any]) -> None:
        """Take it from the pool's record; one that can't be read changes nothing."""
        with contextlib.suppress(KeyError, TypeError):
            cpu_m = pool["spec"]["cpu_m"]
            self.cores = None if cpu_m is None else cpu_m / 1000


def serve(folder: Path, pool: Path, model: Any, command: dict[str, Any], parent: int, news: int) -> NoReturn:
    """Be a replica, until told to end. Runs in the child; `news` is where the parent hears that it serves."""
    code = 1
    limit = Limit()
    record = records.replica_record(pool, command["name"])
    try:
        # The parent holds the CPU limit by stopping us: nobody would continue us after its death.
        wake_when_parent_dies()
        if os.getppid() != parent:
            os._exit(code)  # It died before we could ask.
        _settle(command["log"])
        what = records.read(pool / "pool.json")
        limit.read(what)
        known = {key: command[key] for key in ("name", "port", "restarts")}
        records.write(record, {**known, "process": records.me(), "live": False})
        threading.Thread(target=_look, args=(folder, pool, parent, limit), name="look after", daemon=True).start()
        service = importlib.import_module(f"{what['spec']['service']}.service")
        service.serve(
            model,
            service.Identity(**what["identity"]),
            service.ServingSettings(**command["settings"], cores=lambda: limit.cores),
            ready=lambda: _live(record, {**known, "worker": getattr(model, "worker_pid", None)}, news),
        )
        code = 0
    except BaseException as error:
        # The last frame of this process: whatever it was, say it and end.
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _live(record: Path, known: dict[str, Any], news: int) -> None:
    """From now on requests may come."""
    records.write(record, {**known, "process": records.me(), "live": True})
    with contextlib.suppress(OSError):
        os.write(news, f"{os.getpid()}:{known['worker'] or 0} ".encode())


def _settle(path: str) -> None:
    """Signals as in any process, and what is said goes to a log of its own."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, place in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, place)


def _look(folder: Path, pool: Path, parent: int, limit: Limit) -> None:
    """Without a parent and without a host nobody would ever end this process: it does so itself."""
    alone = records.Alone(folder, pool)
    while True:
        time.sleep(LOOK_S)
        if os.getppid() == parent:
            alone.looked_after()
            limit.read(records.read(pool / "pool.json"))
        elif not pool.exists() or alone.over():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(END_S)
            os._exit(1)

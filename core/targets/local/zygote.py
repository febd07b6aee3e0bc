"""The warmed parent of a slot's replicas: loads the model once, forks when told, holds their CPU limits.

`python -m core.targets.local.zygote FOLDER POOL SOCKET`: an endpoint's folder, this pool's folder in it, and the
number of the socket to listen on. The host connects; commands and reports are JSON lines. When the host goes, parent
and replicas live on, and the next host connects again and is told what there is. Nobody is left behind: they end by
themselves once the endpoint's state has gone, or is without their slot and no host comes (`records.ALONE_S`).
It never predicts: a child forked after OpenMP has run hangs.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.system.processes import ProcessId, process_id, send
from core.targets.local import records
from core.targets.local.limits import CpuLimits
from core.targets.local.replica import serve

Json = dict[str, Any]
LOOK_S = 5.0
END_S = 10.0


def _end(pid: int, number: signal.Signals) -> None:
    """Only its parent can be sure that this number is still this child."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        if number == signal.SIGTERM:
            os.kill(pid, signal.SIGCONT)


@dataclass(slots=True)
class Zygote:
    """One loaded model and the replicas forked from it, by process id. `host` is who tells it what to do now."""

    folder: Path
    pool: Path
    listener: socket.socket
    model: Any = None
    failed: str = ""
    host: socket.socket | None = None
    rest: bytes = b""
    stopping: bool = False
    news: tuple[int, int] = field(default_factory=os.pipe)
    replicas: dict[int, Json] = field(default_factory=dict)
    ended: list[Json] = field(default_factory=list)
    limits: CpuLimits[int] = field(default_factory=lambda: CpuLimits(_end))

    def report(self, **what: Any) -> None:
        """One line to the host. One that does not read is hung up on: it must not stop us too."""
        if self.host is not None:
            try:
                self.host.sendall((json.dumps(what) + "\n").encode())
            except OSError:
                self.hang_up()

    def accept(self) -> None:
        """Another host has come: the last one has died. It is told all that there is."""
        self.hang_up()
        self.host, _ = self.listener.accept()
        self.host.settimeout(0.2)
        self.report(hello=True, failed=self.failed, replicas=list(self.replicas.values()), ended=self.ended)
        if self.host is not None:
            self.ended.clear()

    def hang_up(self) -> None:
        """No host any more, or not yet."""
        if self.host is not None:
            self.host.close()
        self.host, self.rest = None, b""

    def hear(self) -> None:
        """Take the host's commands."""
        data = b""
        if self.host is not None:
            with contextlib.suppress(OSError):
                data = self.host.recv(65536)
        if not data:
            self.hang_up()
            return
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.obey(json.loads(line))

    def obey(self, command: Json) -> None:
        """Do what the host asks."""
        name = command.get("name")
        pid = next((pid for pid, replica in self.replicas.items() if replica["name"] == name), None)
        match command["do"]:
            case "ping":
                resting = [self.replicas[pid]["name"] for pid in self.limits.resting if pid in self.replicas]
                self.report(pong=True, resting=resting)
            case "fork":
                self.fork(command)
            case "limit" if pid is not None:
                self.limits.hold(pid, (pid, self.replicas[pid].get("worker")), command["cpu_m"])
            case "end" if pid is not None:
                self.limits.free(pid)
                _end(pid, signal.SIGTERM)
            case "stop":
                self.stopping = True

    def fork(self, command: Json) -> None:
        """One more replica."""
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self.listener.close()
            self.hang_up()
            serve(self.folder, self.pool, self.model, command, parent, self.news[1])
        process = process_id(pid)
        known = process.to_json() if process else None
        asked = {key: command[key] for key in ("name", "port", "restarts")}
        self.replicas[pid] = {**asked, "process": known, "live": False}
        self.report(forked=command["name"], process=known)

    def told(self) -> None:
        """A replica says that it serves."""
        for word in os.read(self.news[0], 4096).decode().split():
            pid, worker = map(int, word.split(":"))
            replica = self.replicas.get(pid)
            if replica is not None:
                replica |= {"live": True, "worker": worker or None}
                self.report(live=replica["name"], process=replica["process"], worker=replica["worker"])

    def reap(self) -> None:
        """Report the children that have ended."""
        while self.replicas:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self.limits.forget(pid)
            one = {"name": self.replicas.pop(pid)["name"], "code": os.waitstatus_to_exitcode(status)}
            if self.host is None:
                self.ended.append(one)
            self.report(ended=one)

    def end(self) -> None:
        """Let the replicas answer what they have in hand, then take them along."""
        until_s = time.monotonic() + (0 if self.stopping else END_S)
        for pid in self.replicas:
            self.limits.free(pid)
            _end(pid, signal.SIGTERM)
        while self.replicas and time.monotonic() < until_s:
            time.sleep(0.05)
            self.reap()
        for pid in self.replicas:
            _end(pid, signal.SIGKILL)


def main() -> int:
    """Load what the pool's record says, then obey."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder, pool = Path(sys.argv[1]), Path(sys.argv[2])
    zygote = Zygote(folder, pool, socket.socket(fileno=int(sys.argv[3])))
    what = records.read(pool / "pool.json")
    records.write(pool / "parent.json", {"process": records.me(), "loaded": False})
    try:
        service = importlib.import_module(f"{what['spec']['service']}.service")
        zygote.model = importlib.import_module(f"{what['spec']['service']}.model").load(what["model"])
        service.warm()
    except Exception as error:
        # Whatever a model's file does to its loader, the host must hear it.
        zygote.failed = " ".join(str(error).split()) or type(error).__name__
        if select.select([zygote.listener], [], [], LOOK_S)[0]:
            zygote.accept()
        return 1
    records.write(pool / "parent.json", {"process": records.me(), "loaded": True})
    run(zygote)
    return 0


def run(zygote: Zygote) -> None:
    """Obey, reap and throttle until told to stop or left alone, then take the children along."""
    woken, wake = os.pipe()
    for descriptor in (woken, wake):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.siginterrupt(signal.SIGCHLD, False)
    alone, look_s, routers = records.Alone(zygote.folder, zygote.pool), 0.0, list[ProcessId]()
    while not zygote.stopping:
        sources: list[Any] = [
            zygote.listener,
            zygote.news[0],
            woken,
            *([zygote.host] if zygote.host is not None else []),
        ]
        wait_s = zygote.limits.throttle()
        ready, _, _ = select.select(sources, [], [], LOOK_S if wait_s is None else min(LOOK_S, wait_s))
        if woken in ready:
            os.read(woken, 4096)
        if zygote.news[0] in ready:
            zygote.told()
        if zygote.host in ready:
            zygote.hear()
        if zygote.listener in ready:
            zygote.accept()
        zygote.reap()
        if zygote.host is not None:
            alone.looked_after()
        if time.monotonic() > look_s:
            look_s = time.monotonic() + LOOK_S
            # Remembered while it can be read: where the folder goes, the router must go too.
            routers = records.router_processes(zygote.folder) or routers
            if zygote.host is None and alone.over():
                for router in routers if alone.gone else ():
                    send(router, signal.SIGKILL)
                break
    zygote.end()


if __name__ == "__main__":
    sys.exit(main())

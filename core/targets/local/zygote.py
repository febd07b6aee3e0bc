"""The warmed parent of a slot's replicas: loads the model once, forks when told, holds their CPU limits.

Commands come in as JSON lines, reports go out as JSON lines. It never predicts: a child forked after OpenMP has run
hangs. It ends when its commands end, and its children end with it.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import Any, NoReturn

from core.targets.local.bucket import Bucket, cpu_seconds
from core.targets.local.children import die_with_parent, end

Json = dict[str, Any]


@dataclass(slots=True)
class Zygote:
    """One loaded model and the replicas forked from it, by process id."""

    package: str
    identity: Json
    reports: int
    model: Any
    names: dict[int, str] = field(default_factory=dict)
    buckets: dict[int, Bucket] = field(default_factory=dict)
    due_s: dict[int, float] = field(default_factory=dict)

    def report(self, **what: Any) -> None:
        """One line to the host; short enough to be whole even when several processes write."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.reports, (json.dumps(what)[:4000] + "\n").encode())

    def obey(self, command: Json) -> None:
        """Do what the host asks."""
        pid = next((pid for pid, name in self.names.items() if name == command["name"]), None)
        match command["do"]:
            case "fork":
                self._fork(command)
            case "limit" if pid is not None:
                self._limit(pid, command["cpu_m"])
            case "end" if pid is not None:
                self._limit(pid, None)
                end(pid, signal.SIGTERM)
            case "kill" if pid is not None:
                end(pid, signal.SIGKILL)

    def reap(self) -> None:
        """Report the children that have ended."""
        while self.names:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self.buckets.pop(pid, None)
            self.due_s.pop(pid, None)
            self.report(ended=self.names.pop(pid), code=os.waitstatus_to_exitcode(status))

    def throttle(self) -> float | None:
        """Stop and continue replicas as their buckets say; gives the seconds until the next look."""
        now = time.monotonic()
        for pid, bucket in self.buckets.items():
            if self.due_s[pid] > now:
                continue
            used = cpu_seconds(pid)
            if used is None:
                self.due_s[pid] = now + 1
                continue
            was = bucket.running
            self.due_s[pid] = now + bucket.look(now, used)
            if bucket.running != was:
                # Only its parent can be sure that this number is still this child.
                os.kill(pid, signal.SIGCONT if bucket.running else signal.SIGSTOP)
        return max(0.0, min(self.due_s.values()) - time.monotonic()) if self.due_s else None

    def _limit(self, pid: int, cpu_m: int | None) -> None:
        old = self.buckets.pop(pid, None)
        self.due_s.pop(pid, None)
        used = cpu_seconds(pid)
        if cpu_m is not None and used is not None:
            now = time.monotonic()
            self.buckets[pid] = Bucket.of(cpu_m, now, used)
            self.due_s[pid] = now
        if old is not None and not old.running:
            os.kill(pid, signal.SIGCONT)

    def _fork(self, command: Json) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._serve(command, parent)
        self.names[pid] = command["name"]

    def _serve(self, command: Json, parent: int) -> NoReturn:
        """Be a replica, until told to end. Runs in the child."""
        code = 1
        try:
            die_with_parent()
            if os.getppid() != parent:
                os._exit(code)  # It died before we could ask to die with it.
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            null = os.open(os.devnull, os.O_RDONLY)
            for source, place in ((null, 0), (log, 1), (log, 2)):
                os.dup2(source, place)
            service = importlib.import_module(f"{self.package}.service")
            service.serve(
                self.model,
                service.Identity(**self.identity),
                service.ServingSettings(**command["settings"]),
                ready=lambda: self.report(live=command["name"], pid=os.getpid()),
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


def main() -> int:
    """Load what the first line says, then obey."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reports = os.dup(1)
    os.dup2(2, 1)
    first = json.loads(_first_line())
    zygote = Zygote(first["service"], first["identity"], reports, None)
    try:
        service = importlib.import_module(f"{zygote.package}.service")
        zygote.model = importlib.import_module(f"{zygote.package}.model").load(first["folder"])
        service.warm()
    except Exception as error:
        # Whatever a model's file does to its loader, the host must hear it.
        zygote.report(failed=" ".join(str(error).split()) or type(error).__name__)
        return 1
    zygote.report(loaded=True)
    run(zygote)
    return 0


def _first_line() -> bytes:
    """Read no byte further, so that nothing is lost between this and `select`."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def run(zygote: Zygote) -> None:
    """Obey, reap and throttle until the commands end, then take the children along."""
    woken, wake = os.pipe()
    for descriptor in (woken, wake):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.siginterrupt(signal.SIGCHLD, False)
    rest = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [], zygote.throttle())
        if woken in ready:
            os.read(woken, 4096)
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                zygote.obey(json.loads(line))
        zygote.reap()
    for pid in zygote.names:
        end(pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())

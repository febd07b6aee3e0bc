"""Runs Locust and the user's locustfile unchanged, and tells the engine once a second what came of it.

Only ever the main module of a child process: importing Locust patches the interpreter.
"""

import ctypes
import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import locust
import locust.main
import locust.runners
import locust.stats
from gevent import select
from locust.runners import MasterRunner, WorkerRunner

from core.load.steering import Steering
from core.load.tally import Tally

TICK_S = 1.0
LOOK_S = 0.1
GOODBYE_S = 2.0
"""How long the last lines may take to get to the engine."""
SETTINGS = "QUARTERDECK_LOAD"
PR_SET_PDEATHSIG = 1


class Wire:
    """JSON lines to the engine and back. Writing never waits: the load must not feel a slow reader."""

    def __init__(self, fd: int):
        self._fd = fd
        os.set_blocking(fd, False)
        self._unsent = b""

    def say(self, kind: str, **line: Any) -> None:
        """One line to the engine; what does not fit now leaves with the next one."""
        self._unsent += json.dumps({"kind": kind, **line}).encode() + b"\n"
        self._push()

    def _push(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self._fd, self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._unsent = b""  # the engine is gone, and `commands` ends with it

    def commands(self) -> Iterator[dict[str, Any]]:
        """Each command as it arrives; ends with the engine."""
        rest = b""
        while True:
            select.select([self._fd], [], [])
            try:
                chunk = os.read(self._fd, 65536)
            except OSError:
                return
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            yield from map(json.loads, lines)

    def flush(self) -> None:
        """Wait until the engine has everything, within `GOODBYE_S`."""
        until = time.monotonic() + GOODBYE_S
        while self._unsent and time.monotonic() < until:
            select.select([], [self._fd], [], LOOK_S)
            self._push()

    def close(self) -> None:
        """Let go of it, as a forked worker must: the engine knows by the end of it that Locust ended."""
        os.close(self._fd)


class Reporter:
    """Hangs on Locust's own events. In a worker it counts and hands its figures to the master, else it reports."""

    def __init__(self, settings: dict[str, Any], wire: Wire):
        self._settings = settings
        self._wire = wire
        self._tally = Tally()
        self._environment: Any = None
        self._starting: Any = None
        self._steering: Steering
        self._why = ""
        self._began: float | None = None
        self._last = 0.0

    def on_init(self, environment: Any, **_: Any) -> None:
        """The runner stands: choose what this process is. Locust has counted a request before we see it."""
        self._environment = environment
        runner, events = environment.runner, environment.events
        if isinstance(runner, MasterRunner):
            self._serialise_starts(runner)
            events.worker_report.add_listener(self._on_worker_report)
        else:
            events.request.add_listener(self._on_request)
            events.user_error.add_listener(self._on_user_error)
        if isinstance(runner, WorkerRunner):
            self._wire.close()
            die_with_parent()
            events.report_to_master.add_listener(self._on_report_to_master)
            return
        shape = environment.shape_class
        if shape and shape.use_common_options and self._settings["duration_s"]:
            environment.parsed_options.run_time = math.ceil(self._settings["duration_s"])
        self._steering = Steering(
            self._ask,
            self._settings["users"],
            self._settings["spawn_rate"],
            () if shape else self._settings["stages"],
            type(shape).__name__ if shape else "",
        )
        events.test_start.add_listener(self._on_start)
        events.reset_stats.add_listener(self._on_reset)
        events.quit.add_listener(self._on_quit)
        gevent.spawn(self._listen)

    def _on_request(self, response_time: Any, response: Any = None, exception: Any = None, **_: Any) -> None:
        self._tally.request(response_time, response, exception)

    def _on_user_error(self, exception: BaseException, **_: Any) -> None:
        self._tally.error(exception)

    def _on_report_to_master(self, data: dict[str, Any], **_: Any) -> None:
        data["quarterdeck"] = self._tally.take()

    def _on_worker_report(self, data: dict[str, Any], **_: Any) -> None:
        self._tally.merge(data["quarterdeck"])

    def _on_start(self, **_: Any) -> None:
        if self._began is not None:  # started again from Locust's own page, which clears its figures
            self._on_reset()
            return
        self._began = self._last = time.monotonic()
        shape = self._environment.shape_class
        self._wire.say("started", shape=type(shape).__name__ if shape else "")
        gevent.spawn(self._tick_on)
        gevent.spawn(self._conduct)

    def _on_reset(self, **_: Any) -> None:
        self._tick()
        self._wire.say("reset")

    def _on_quit(self, **_: Any) -> None:
        """Locust has stopped every user: whatever is counted now is the rest."""
        if self._began is not None and not self._tally.empty:
            self._tick()
        shape = self._environment.shape_class
        own = f"the shape {type(shape).__name__} came to its end" if shape else "the locustfile ended it"
        self._wire.say("ended", why=self._why or own)
        self._wire.flush()

    def _tick_on(self) -> None:
        due = self._last
        while True:
            due = max(due + TICK_S, time.monotonic())
            gevent.sleep(due - time.monotonic())
            self._tick()

    def _tick(self) -> None:
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        users = self._environment.runner.user_count
        self._wire.say("tick", at=time.time(), seconds=seconds, users=users, **self._tally.take())

    def _conduct(self) -> None:
        """Stages and the end by the clock. A pause holds the clock; a shape has its own."""
        elapsed_s, seen = 0.0, time.monotonic()
        duration_s = None if self._environment.shape_class else self._settings["duration_s"]
        while duration_s is None or elapsed_s < duration_s:
            gevent.sleep(LOOK_S)
            now = time.monotonic()
            elapsed_s += 0.0 if self._steering.paused else now - seen
            seen = now
            self._steering.at(elapsed_s)
        self._end(f"it ran its {duration_s:g} s")

    def _listen(self) -> None:
        for command in self._wire.commands():
            refused = None
            if command["do"] == "stop":
                gevent.spawn(self._end, "it was stopped")
            elif command["do"] == "reset":
                self._environment.events.reset_stats.fire()
                self._environment.runner.stats.reset_all()
                self._environment.runner.exceptions = {}
            else:
                refused = self._steering.obey(command)
            self._wire.say("answer", id=command["id"], refused=refused)
        self._end("the engine is gone")

    def _end(self, why: str) -> None:
        if self._why:
            return
        self._why = why
        runner = self._environment.runner
        if self._starting:
            self._starting.kill()
        runner.stop()  # a master waits here for each worker's last figures, which quit() alone does not
        runner.quit()
        if self._environment.web_ui:
            self._environment.web_ui.stop()

    def _ask(self, users: int, spawn_rate: float) -> None:
        gevent.spawn(self._environment.runner.start, users, spawn_rate)

    def _serialise_starts(self, runner: Any) -> None:
        """A master's start() runs as long as its ramp, and two ramps at once break its dispatcher."""
        start = runner.start

        def one_start(*args: Any, **kwargs: Any) -> None:
            if self._starting:
                self._starting.kill()
            self._starting = gevent.spawn(start, *args, **kwargs)
            self._starting.join()

        runner.start = one_start


class CompleteCsv(locust.stats.StatsCSVFileWriter):  # type: ignore[misc]
    """Locust writes its CSV files once a second and leaves the last second out. This one writes the end too."""

    def close_files(self) -> None:
        """Each file anew from its top, with the final figures."""
        for handle, rows in (
            (self.requests_csv_filehandle, lambda: self.requests_csv(self.requests_csv_writer)),
            (self.failures_csv_filehandle, lambda: self.failures_csv(self.failures_csv_writer)),
            (self.exceptions_csv_filehandle, lambda: self.exceptions_csv(self.exceptions_csv_writer)),
        ):
            handle.seek(0)
            handle.truncate()
            rows()
        super().close_files()  # type: ignore[no-untyped-call]


def die_with_parent() -> None:
    """SIGKILL when the parent dies, where Linux is there to send it; elsewhere the wire's end tells."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def where(error: BaseException, folder: Path) -> str:
    """An error in a locustfile in one line: file, line, what. Frames outside its folder are Locust's, not its own."""
    place = ""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    trace = error.__traceback__
    while trace:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(folder) and "site-packages" not in file.parts:
            place = f"{file}:{trace.tb_lineno}: "
        trace = trace.tb_next
    return f"{place}{type(error).__name__}: {error}"


def with_checked_classes(load: Any, wanted: list[str], wire: Wire) -> Any:
    """Locust's loading of locustfiles, which then names the classes there are when one is asked for that is not."""

    def checked(files: list[str]) -> Any:
        loaded = load(files)
        if missing := [name for name in wanted if name not in loaded[0]]:
            names = ", ".join(sorted(loaded[0])) or "none"
            wire.say("failed", text=f"no user class {missing[0]} in it; it has {names}")
            sys.exit(1)
        if not loaded[0]:
            wire.say("failed", text="no user class in it: it needs a subclass of HttpUser or FastHttpUser")
            sys.exit(1)
        return loaded

    return checked


def main() -> None:
    """`sys.path[0]` is where our package lies, the rest of the command line is Locust's own."""
    sys.path.pop(0)
    for name in [name for name in sys.modules if name.partition(".")[0] == "core"]:
        del sys.modules[name]  # a locustfile's own package may be called core as well
    settings = json.loads(os.environ.pop(SETTINGS))
    die_with_parent()
    if os.getppid() != settings["parent"]:
        sys.exit("the engine was gone before Locust had started")
    wire = Wire(settings["fd"])
    sys.argv[0] = "locust"
    locust.runners.WORKER_REPORT_INTERVAL = TICK_S
    locust.runners.MASTER_HEARTBEAT_TIMEOUT = 10
    locust.stats.StatsCSVFileWriter = CompleteCsv
    locust.main.merge_locustfiles_content = with_checked_classes(
        locust.main.merge_locustfiles_content, settings["user_classes"], wire
    )
    locust.events.init.add_listener(Reporter(settings, wire).on_init)
    try:
        locust.main.main()
    except Exception as error:
        wire.say("failed", text=where(error, Path(settings["folder"])))
        raise

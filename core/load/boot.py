"""Runs Locust and the user's locustfile unchanged, with the reporter beside them.

Only ever the main module of a child process: importing Locust patches the interpreter.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import locust
import locust.main
import locust.runners
import locust.stats

from core.load.reporter import TICK_S, Reporter
from core.load.wire import Wire
from core.system.processes import die_with_parent

SETTINGS = "QUARTERDECK_LOAD"
SILENT_S = 10
"""A worker or its master that says nothing for so long has died or hangs. Locust says so of a worker after 3 s, which a
machine that is busy with its load takes easily.
"""


class CompleteCsv(locust.stats.StatsCSVFileWriter):  # type: ignore[misc]
    """Locust writes its CSV files once a second and leaves the last second out. This one writes the end too."""

    def close_files(self) -> None:
        """Each file anew from its top, with the final figures."""
        for handle, rows, writer in (
            (self.requests_csv_filehandle, self.requests_csv, self.requests_csv_writer),
            (self.failures_csv_filehandle, self.failures_csv, self.failures_csv_writer),
            (self.exceptions_csv_filehandle, self.exceptions_csv, self.exceptions_csv_writer),
        ):
            handle.seek(0)
            handle.truncate()
            rows(writer)
        super().close_files()


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


def with_checked_classes(load: Any, wanted: list[str], wire: Wire, only_check: bool) -> Any:
    """Locust's loading of locustfiles, which then names the classes there are when one is asked for that is not.

    `only_check`: that is all that was asked for, and nothing is run.
    """

    def checked(files: list[str]) -> Any:
        loaded = load(files)
        if missing := [name for name in wanted if name not in loaded[0]]:
            names = ", ".join(sorted(loaded[0])) or "none"
            wire.say("failed", text=f"no user class {missing[0]} in it; it has {names}")
            sys.exit(1)
        if not loaded[0]:
            wire.say("failed", text="no user class in it: it needs a subclass of HttpUser or FastHttpUser")
            sys.exit(1)
        if only_check:
            sys.exit(0)
        return loaded

    return checked


def main() -> None:
    """`sys.path[0]` is where our package lies, the rest of the command line is Locust's own."""
    sys.path.pop(0)
    for name in [name for name in sys.modules if name.partition(".")[0] == "core"]:
        del sys.modules[name]  # a locustfile's own package may be called core as well
    settings = json.loads(os.environ.pop(SETTINGS))
    # Whoever runs in the background of a shell ignores it, and so would we.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    die_with_parent()
    if os.getppid() != settings["parent"]:
        sys.exit("the engine was gone before Locust had started")
    os.set_inheritable(settings["fd"], False)
    wire = Wire(settings["fd"])
    sys.argv[0] = "locust"
    locust.runners.WORKER_REPORT_INTERVAL = TICK_S
    locust.runners.MASTER_HEARTBEAT_TIMEOUT = SILENT_S
    locust.runners.HEARTBEAT_LIVENESS = SILENT_S
    locust.stats.StatsCSVFileWriter = CompleteCsv
    locust.main.merge_locustfiles_content = with_checked_classes(
        locust.main.merge_locustfiles_content, settings["user_classes"], wire, settings["only_check"]
    )
    locust.events.init.add_listener(Reporter(settings, wire, die_with_parent).on_init)
    try:
        locust.main.main()
    except Exception as error:
        wire.say("failed", text=where(error, Path(settings["folder"])))
        raise

"""The work child: reads jobs from its stdin, runs their steps, says what comes of them. Dies with its parent."""

import contextlib
import gc
import importlib
import logging
import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, TypeAlias

from core.config.settings import Settings
from core.domain.errors import QuarterdeckError
from core.system.processes import die_with_parent
from core.work.job import Broken, Done, Job, Progress, Report, Said, encode, keep, one_line

Run: TypeAlias = Callable[[Job, Report], Done]

STEPS: Mapping[str, str] = {
    "data": "core.work.rows",
    "preprocess": "core.work.preprocess",
    "train": "core.work.train",
    "evaluate": "core.work.evaluate",
    "gate": "core.work.gate",
    "register": "core.work.register",
    "check": "core.work.check",
    "alias": "core.work.alias",
    "promote": "core.work.alias",
    "restore": "core.work.restore",
    "fetch": "core.work.fetch",
    "look": "core.work.look",
    "image": "core.work.image",
}
"""Where the `run` of each step lies; imported when it is needed. A release of an older version says promote."""

FOR_DATA = ("core.work.rows", "pyarrow.parquet", "sklearn.datasets")
FOR_THE_REST = ("core.work.train", "core.work.evaluate", "core.work.check", "core.work.registry")


SILENT_S = 1.0
"""No step says nothing for longer: whoever waits must see that it goes on."""


def main() -> None:
    """`python -m core.work.worker PARENT [--warm SETTINGS]`."""
    parent = int(sys.argv[1])
    die_with(parent)
    jobs, words = take_pipes()
    hush()

    speaker = Speaker(words)
    say = Report(speaker.tell)
    threading.Thread(target=speaker.go_on, args=(threading.Event(),), daemon=True).start()
    settings = Settings.from_dump(sys.argv[sys.argv.index("--warm") + 1]) if "--warm" in sys.argv else None
    # Looking through what libraries make while they load, none of it garbage, would cost an eighth of the time.
    gc.disable()
    # The first job may wait for this already.
    speaker.begin("loading the libraries")
    load(FOR_DATA)
    speaker.end()
    warming = threading.Thread(target=warm, args=(settings,), daemon=True)
    warming.start()
    for line in jobs:
        job = Job.from_dump(line)
        # Rows can be read while the rest is imported; two threads that import the same things could meet half a module.
        if job.step != "data" and warming.is_alive():
            say.progress(None, "loading the libraries")
            warming.join()
        speaker.begin()
        speaker.tell(answer(job, say))


class Speaker:
    """Says what a step says, and while it says nothing for `SILENT_S` how far it was and for how long it goes on."""

    def __init__(self, words: IO[str]) -> None:
        self._words = words
        self._lock = threading.Lock()
        self._last: Progress | None = None
        self._said_s = self._since_s = 0.0

    def begin(self, text: str = "begun") -> None:
        """A step begins."""
        with self._lock:
            self._last = Progress(None, text)
            self._said_s = self._since_s = time.monotonic()

    def end(self) -> None:
        """Nothing goes on."""
        with self._lock:
            self._last = None

    def tell(self, said: Said) -> None:
        """Say it, as one line."""
        with self._lock:
            self._said_s = time.monotonic()
            if isinstance(said, Progress):
                self._last, self._since_s = said, self._said_s
            elif isinstance(said, Done | Broken):
                self._last = None
            self._write(said)

    def go_on(self, over: threading.Event) -> None:
        """Until it is over, or nobody listens any more."""
        while not over.wait(SILENT_S / 4):
            with self._lock, contextlib.suppress(OSError):
                now_s = time.monotonic()
                if self._last is not None and now_s - self._said_s >= SILENT_S:
                    self._said_s = now_s
                    text = f"{self._last.text}, for {now_s - self._since_s:.0f} s"
                    self._write(Progress(self._last.fraction, text, again=True))

    def _write(self, said: Said) -> None:
        self._words.write(encode(said) + "\n")
        self._words.flush()


def answer(job: Job, say: Report) -> Done | Broken:
    """Run one step. Whatever goes wrong ends as one line; its traceback goes to work.log."""
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        run: Run = importlib.import_module(STEPS[job.step]).run
        done = run(job, say)
        keep(job.folder, job.step, done)
    except QuarterdeckError as error:
        return Broken(type(error).__name__, one_line(error))
    except MemoryError:
        return Broken("Failed", f"{job.step}: out of memory; take fewer rows (data.rows)")
    except OSError as error:
        log_traceback()
        where = f": {error.filename}" if error.filename else ""
        return Broken("Failed", f"{job.step}: {error.strerror or one_line(error)}{where}")
    except Exception as error:
        # The outermost place of this process: whatever it is, somebody must be told.
        log_traceback()
        return Broken("Failed", f"{job.step}: {type(error).__name__}: {one_line(error)}")
    return done


def load(modules: Sequence[str]) -> None:
    """Import before it is needed."""
    for name in modules:
        importlib.import_module(name)


def warm(settings: Settings | None) -> None:
    """Import what comes after data and open the registry, so that no step waits for it."""
    try:
        load(FOR_THE_REST)
        if settings is not None:
            importlib.import_module("core.work.registry").connect(settings)
    except Exception:
        # The step that needs the registry meets the same error, and tells the user.
        log_traceback()
    finally:
        gc.freeze()
        gc.enable()


def die_with(parent: int) -> None:
    """End when the parent ends: at once on Linux, elsewhere when stdin does."""
    die_with_parent()
    if os.getppid() != parent:
        sys.exit("the parent is gone")


def take_pipes() -> tuple[IO[str], IO[str]]:
    """Stdin and stdout for the protocol alone; what libraries print goes to stderr, what they read is empty."""
    jobs = os.fdopen(os.dup(0), encoding="utf-8")
    words = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return jobs, words


def hush() -> None:
    """Keep warnings of libraries in work.log (a tab in front says so to the parent), and drop their chatter."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        sys.stderr.write(f"\t{category.__name__}: {one_line(message)}\n")

    warnings.showwarning = show
    logging.basicConfig(level=logging.WARNING, format="\t%(name)s: %(message)s", stream=sys.stderr)


def log_traceback() -> None:
    """The traceback of the error at hand, for work.log."""
    for line in traceback.format_exc().splitlines():
        sys.stderr.write(f"\t{line}\n")


if __name__ == "__main__":
    main()

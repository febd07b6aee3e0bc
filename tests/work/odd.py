"""A work child with odd steps, to see what comes of them; it loads no library."""

import os
import signal
import sys
import time
import warnings
from pathlib import Path

from core.domain.errors import BadData
from core.work import worker
from core.work.job import Done, Job, Report

ODD = "tests.work.odd"


def run(job: Job, say: Report) -> Done:  # noqa: C901, PLR0912 - a table of oddities
    """What the option `do` says."""
    match job.options["do"]:
        case "print":
            os.write(1, b"printed by a library\n")
            print("printed by Python")
            print('{"say": "done", "result": {}, "figure": "forged"}')
            sys.stderr.write("complained\n")
        case "warn":
            warnings.warn("old spelling", FutureWarning, stacklevel=1)
        case "read":
            return Done({"read": sys.stdin.read()}, "nothing")
        case "bad data":
            raise BadData("late: no such column")
        case "bug":
            raise KeyError("a slip of ours")
        case "no memory":
            raise MemoryError
        case "no file":
            (job.folder / "nowhere" / "x").read_text()
        case "die":
            sys.stderr.write("the last words\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        case "die in silence":
            os._exit(7)
        case "hang":
            say.progress(0.5, "hanging", pid=os.getpid())
            time.sleep(60)
        case "compute":
            # In one call that lets no other thread speak.
            return Done({"silent": sum(range(100_000_000)) > 0}, "computed")
        case "fork":
            child = os.fork()
            if child == 0:
                time.sleep(60)
            say.progress(0.5, "forked", child=child)
            time.sleep(60)
        case "where":
            import core

            return Done({"core": str(Path(core.__file__)), "pid": os.getpid()}, "here")
    say("done by hand")
    return Done({"numpy": _numpy()}, "1")


def _numpy() -> object:
    import numpy as np

    return np.float64(0.5)


if __name__ == "__main__":
    worker.STEPS = dict.fromkeys([*worker.STEPS, "odd"], ODD)
    worker.FOR_DATA = worker.FOR_THE_REST = ()  # type: ignore[assignment]
    worker.main()

"""Programs that are asked one thing and end: in a thread of their caller's, with an end whatever they do.

A child of asyncio's that is given up leaves pipes to a loop that may be closed by then; these leave nothing.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress


def called(
    call: Sequence[str], within_s: float, given: str = "", env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Its exit code and all that it said. Raises TimeoutError, once it was ended with all that it had started, and
    OSError where it can't be begun."""
    with subprocess.Popen(
        call,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(given.encode(), timeout=within_s)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{call[0]}: no answer within {within_s:g} s") from error
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said.decode(errors="replace")

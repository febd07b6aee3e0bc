"""A program on a terminal ends with it, also where it was started to ignore that."""

import os
import pty
import signal
import subprocess
import sys

import pytest

from core.system.processes import child_environment

DRAWS = """
import signal, sys, threading
from core.system import terminal
terminal.end_with(0)
print("drawing", flush=True)
threading.Event().wait(60)
"""


@pytest.mark.parametrize("ignored", [signal.SIG_DFL, signal.SIG_IGN])
@pytest.mark.parametrize("controls", [True, False])
def test_it_ends_when_the_terminal_is_closed(ignored: signal.Handlers, controls: bool) -> None:
    ours, theirs = pty.openpty()
    before = signal.signal(signal.SIGHUP, ignored)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", DRAWS],
            env=child_environment(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=controls,
        )
    finally:
        signal.signal(signal.SIGHUP, before)
    os.close(theirs)
    drawn = b""
    while not drawn.endswith(b"drawing\r\n"):
        drawn += os.read(ours, 1000)
    os.close(ours)
    try:
        assert process.wait(20) == -signal.SIGHUP
    finally:
        process.kill()

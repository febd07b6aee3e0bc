"""What a terminal tells its programs: that it was closed."""

import os
import select
import signal
import threading

LOOK_MS = 60_000
GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


def end_with(terminal: int) -> None:
    """End this process once a terminal (its file descriptor) is closed, as SIGHUP does where nobody ignores it.

    A program that draws ends in no other way where it was started to ignore SIGHUP: it would read its end for ever.
    """
    # By another process the signal may be ignored from before this one began.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    threading.Thread(target=_wait, args=(terminal,), name="terminal", daemon=True).start()


def _wait(terminal: int) -> None:
    poll = select.poll()
    poll.register(terminal, 0)
    while not any(event & GONE for _, event in poll.poll(LOOK_MS)):
        pass
    os.kill(os.getpid(), signal.SIGHUP)

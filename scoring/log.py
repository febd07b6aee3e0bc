"""What a replica says of itself on stderr: one line at a time, never what was sent to it."""

import sys
import time

EVERY_S = 1.0


def say(text: str) -> None:
    """What went wrong, in one line with the time of day."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def note(text: str) -> None:
    """What happens in good order: the dot tells it from what went wrong, for whoever looks for a cause."""
    say(f"· {text}")


class Refusals:
    """How many requests were answered with an error, by status; said at most once a second."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._said_s = 0.0

    def count(self, status: int) -> None:
        """One more; the first is said at once."""
        self._counts[status] = self._counts.get(status, 0) + 1
        if time.monotonic() - self._said_s >= EVERY_S:
            self.tell()

    def tell(self) -> None:
        """Say what was counted since the last time."""
        for status, count in sorted(self._counts.items()):
            note(f"answered {status} to {count} request{'s' if count > 1 else ''}")
        self._counts.clear()
        self._said_s = time.monotonic()


refusals = Refusals()

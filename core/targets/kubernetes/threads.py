"""Work in threads of its own. A pool would fill with calls that hang, and be waited for at the very end."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from core.domain.errors import QuarterdeckError, Unreachable
from core.targets.kubernetes.api_errors import ApiConflict

A = TypeVar("A")
T = TypeVar("T")
AT_ONCE = 8


def persistently(
    work: Callable[[], None], wanted: Callable[[], bool], say: Callable[[str], None], rest: Callable[[], None]
) -> threading.Thread:
    """A thread that does the work while it is wanted, again where nobody answered; what stands in the way is said."""

    def run() -> None:
        said = ""
        while wanted():
            try:
                work()
                return
            except QuarterdeckError as error:
                if not wanted():
                    return
                if str(error) != said:
                    said = str(error)
                    say(said)
                if not isinstance(error, Unreachable | ApiConflict):
                    return
            rest()

    thread = threading.Thread(target=run, name="kubernetes beside", daemon=True)
    thread.start()
    return thread


def side_by_side(work: Callable[[A], T], items: Sequence[A], within_s: float) -> list[T | None]:
    """What `work`, which raises nothing, returns of each, several at once; None of those not done within the time."""
    found: list[T | None] = [None] * len(items)
    places, taken = iter(range(len(items))), threading.Lock()

    def run() -> None:
        while True:
            with taken:
                place = next(places, None)
            if place is None:
                return
            found[place] = work(items[place])

    until_s = time.monotonic() + within_s
    threads = [
        threading.Thread(target=run, name="kubernetes asks", daemon=True) for _ in range(min(AT_ONCE, len(items)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
    with taken:
        # Whoever is late goes on to nothing more, and what it still brings is of another time.
        places = iter(())
        return list(found)

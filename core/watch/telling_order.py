"""Which message a receiver gets next. Pure."""

from collections.abc import Iterable

from core.state.alert import FailingReceiver, Notice, Topic, Untold


def urgent(notice: Notice) -> bool:
    """Whether somebody should act on it: a question, a page, an alert that is not over."""
    return notice.question is not None or (notice.topic in (Topic.PAGE, Topic.ALERT) and not notice.resolved)


def next_one(waiting: Iterable[Untold], failing: FailingReceiver | None, now: float) -> Untold | None:
    """The one to send now, of those that wait for one receiver, oldest first; None while all of them wait.

    A new one is tried at once, whatever became of the others: what one message met need not be what the next one
    meets. After that they share the receiver's waits, the one that was tried least before the others. While it fails,
    what somebody should act on overtakes the rest; while it is well, nothing waits for long.
    """
    rests = failing is not None and now < failing.again_at
    due = [one for one in waiting if not (rests and one.tries)]
    return min(due, key=lambda one: (one.tries, failing is not None and not urgent(one.notice)), default=None)

"""Every error that Quarterdeck raises by itself."""

from core.system.text import clean


class QuarterdeckError(Exception):
    """What is wrong, where, and what to do, in one line.

    QuarterdeckError
    ├── BadInput       a file, a setting or a flag must change; never retried (exit code 2)
    │   └── BadData    the data must change
    ├── Refused        the state forbids it now; ask again when it changed (exit code 3)
    │   ├── Lost       another terminal drives this endpoint now; stop acting on it
    │   └── TakenOver  a driver of another machine has it; what was under way here is over
    ├── Failed         it was tried and did not work: a gate, a step, a replica (exit code 1)
    │   └── Killed     the system ended the process that did it; it may be begun again
    ├── Unreachable    nobody answered; it may still have happened; try again
    └── JournalError   the journal can't be written or read; nothing was changed
        ├── Busy       another process writes at this moment; try again at once
        └── Newer      a newer version wrote what this one does not know
    """

    exit_code = 1

    def __init__(self, text: str = "") -> None:
        # What strangers wrote stands in it: names of columns, answers of servers, messages of libraries.
        super().__init__(" ".join(clean(text).split("\n")).strip().expandtabs(1))


class BadInput(QuarterdeckError):
    """A file, a setting or a flag must change."""

    exit_code = 2


class BadData(BadInput):
    """The data must change."""


class Refused(QuarterdeckError):
    """The state forbids it now."""

    exit_code = 3


class Lost(Refused):
    """Another terminal drives this endpoint now."""


class TakenOver(Refused):
    """A driver of another machine, with a journal of its own, has this endpoint now."""


class Failed(QuarterdeckError):
    """It was tried and did not work."""


class Killed(Failed):
    """The system ended the process that did it."""


class Unreachable(QuarterdeckError):
    """Nobody answered, and it may still have happened."""


class JournalError(QuarterdeckError):
    """The journal can't be written or read."""


class Busy(JournalError):
    """Another process writes to the journal at this moment."""


class Newer(JournalError):
    """What stands there is no damage: a newer version wrote it, and this one does not know it."""

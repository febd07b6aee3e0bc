"""A little disk space put by, so that the few facts of a rollback still fit when the disk is full."""

import os
import shutil
import time
from pathlib import Path

from core.state import events as ev

SIZE = 2_000_000
"""A rollback is a dozen facts of some 12 kB each, with what SQLite writes around them."""
ROOMY = 32 * SIZE
"""With so many bytes free the space is put by again."""
AGAIN_S = 10.0
SPARED = (ev.Sampled, ev.Looked, ev.Contacted, ev.Logged, ev.StepMoved, ev.UsageSeen)
"""What nobody decides by: left out while the disk is full."""


class Reserve:
    """A file beside the journal. `spent` says that it was given up, and that only what matters may be written."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(journal.name + ".reserve")
        self._looked_at = 0.0
        self._told: dict[tuple[str, str], tuple[object, ...]] = {}
        self.spent = False

    def put_by(self) -> None:
        """Fill the file where it is missing; without room for it, there is none to spare."""
        if self._path.exists():
            return
        try:
            with self._path.open("wb") as file:
                file.write(bytes(SIZE))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self._path.unlink(missing_ok=True)
            self.spent = True
        else:
            self.spent = False

    def spend(self) -> bool:
        """Give the space up; False when that was done before."""
        had = self._path.exists()
        self._path.unlink(missing_ok=True)
        first, self.spent = not self.spent, True
        return had or first

    def worth(self, body: ev.Body) -> bool:
        """Whether a fact may be written now: every one that is a decision, and what the slots are when that changed."""
        if not self.spent or self._room_again():
            return True
        if not isinstance(body, ev.Observed):
            return not isinstance(body, SPARED)
        seen = body.observation
        key, now = (body.endpoint, seen.slot), (seen.version, seen.wanted, seen.ready, seen.weight, seen.mirror)
        before, self._told[key] = self._told.get(key), now
        return before != now

    def _room_again(self) -> bool:
        if time.monotonic() - self._looked_at < AGAIN_S:
            return False
        self._looked_at = time.monotonic()
        if shutil.disk_usage(self._path.parent).free < ROOMY:
            return False
        self.put_by()
        return not self.spent

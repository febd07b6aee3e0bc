"""The file of a journal: opened, written all or nothing, and what goes wrong with it said in a line."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from core.domain.errors import Busy, JournalError
from core.journal import schema
from core.journal.clock import JournalClock, wall_offset_s
from core.journal.reserve import Reserve
from core.system.processes import boot

WAIT_S = 5.0
ROOM_BYTES = 1 << 16
"""SQLite's index of the write-ahead log takes 32 kB."""
T = TypeVar("T")


class Database:
    """SQLite in WAL mode. `wait_s` is how long a write waits for another process's; with 0 it raises Busy at once.

    Reading waits for nobody. Raises JournalError.
    """

    def __init__(self, path: Path, read_only: bool, wait_s: float) -> None:
        self.path = path
        self.read_only = read_only
        self._reserve = Reserve(path)
        with self._errors():
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=WAIT_S)
            # The file may come from a backup that somebody else made.
            self._db.execute("pragma trusted_schema=off")
            try:
                self._open_or_make_room(read_only)
                self.clock = self._clock(read_only)
                self._db.execute(f"pragma busy_timeout={int(wait_s * 1000)}")
            except BaseException:
                self._db.close()
                raise

    def _open_or_make_room(self, read_only: bool) -> None:
        """The first to open it needs some room beside it; on a full disk that is what was put by."""
        try:
            self._open(read_only)
        except sqlite3.OperationalError:
            if shutil.disk_usage(self.path.parent).free >= ROOM_BYTES or not self._reserve.spend():
                raise
            self._open(read_only)

    def _open(self, read_only: bool) -> None:
        version = schema.version_of(self._db)
        if version > schema.VERSION:
            raise JournalError(f"journal {self.path}: written by a newer Quarterdeck; install that one")
        self._current = version == schema.VERSION
        if read_only:
            return
        # Once it is made, opening it writes nothing: a full disk must not keep anybody out.
        if not self._current:
            try:
                schema.make(self._db)
            except JournalError as error:
                raise JournalError(f"journal {self.path}: {error}") from error
            self._current = True
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._reserve.put_by()

    def _clock(self, read_only: bool) -> JournalClock:
        """The clock of this start of the machine; the first process that opens the journal after it sets it."""
        query = "select offset_s from clock where boot = ?"
        row = self._db.execute(query, (boot(),)).fetchone() if self._current else None
        if row is None and not read_only:
            # A full disk must not keep anybody out: then each process has the wall's clock to go by.
            with contextlib.suppress(sqlite3.OperationalError):
                self._db.execute("insert or ignore into clock values (?,?)", (boot(), wall_offset_s()))
            row = self._db.execute(query, (boot(),)).fetchone()
        return JournalClock(wall_offset_s() if row is None else float(row[0]))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            kind = Busy if (getattr(error, "sqlite_errorcode", 0) & 0xFF) == sqlite3.SQLITE_BUSY else JournalError
            raise kind(f"journal {self.path}: {error}; {_advice(str(error))}") from error
        except OSError as error:
            raise JournalError(f"journal {self.path}: {error.strerror or error}; check the folder's rights") from error

    def _write(self, change: Callable[[sqlite3.Connection], T], synced: bool = False) -> T:
        """All of a change or nothing; on a full disk once more in the space that was put by for that."""
        with self._errors():
            try:
                return self._transaction(change, synced)
            except sqlite3.OperationalError as error:
                if "full" not in str(error) or not self._reserve.spend():
                    raise
                return self._transaction(change, synced)

    def _transaction(self, change: Callable[[sqlite3.Connection], T], synced: bool) -> T:
        if synced:
            self._db.execute("pragma synchronous=full")
        try:
            self._db.execute("begin immediate")
            made = change(self._db)
            self._db.execute("commit")
        finally:
            if self._db.in_transaction:
                self._db.execute("rollback")
            if synced:
                self._db.execute("pragma synchronous=normal")
        return made

    def maintain(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """One small transaction of upkeep."""
        return self._write(change)

    def vacuum(self, pages: int) -> None:
        """Give so many pages that hold nothing any more back to the disk."""
        with self._errors():
            # `execute` would give back a single one: it stops at the first step.
            self._db.executescript(f"pragma incremental_vacuum({int(pages)})")

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _advice(error: str) -> str:
    if "full" in error or "disk I/O" in error:
        return "free some space and call again: nothing was changed"
    if "readonly" in error or "unable to open" in error:
        return "check that the folder is there and can be written"
    if "malformed" in error or "not a database" in error:
        return "it is damaged: move it away, and Quarterdeck begins a new one"
    return "call again"

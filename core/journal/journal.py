"""All events of a project in one SQLite file, and who drives which endpoint.

Only appended to, by any number of processes. A follower is a cursor: it can fall behind, never overflow.
"""

import getpass
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from core.domain.errors import JournalError, Lost, Refused
from core.journal.reserve import Reserve
from core.state.codec import dumps, loads
from core.state.events import TELEMETRY, Body, Event, Observed

RECENT_S = 15 * 60.0
"""Telemetry older than this is left out where somebody only wants to know what is true now."""
BEAT_S = 15.0
"""A driver on another machine that was silent for so long is dead."""
VERSION = 1
ROOM_BYTES = 1 << 16
"""SQLite's index of the write-ahead log takes 32 kB."""
T = TypeVar("T")

_SCHEMA = """
create table if not exists events (
  seq integer primary key autoincrement, at real not null, who text not null,
  telemetry integer not null, body text not null);
create index if not exists events_recent on events (telemetry, at);
create table if not exists latest (
  endpoint text not null, slot text not null, seq integer not null, primary key (endpoint, slot)) without rowid;
create table if not exists drivers (
  endpoint text primary key, who text not null, machine text not null, pid integer not null,
  born real not null, token integer not null, beat real not null, held integer not null, weak integer not null);
create trigger if not exists no_update before update on events begin select raise(abort, 'append only'); end;
create trigger if not exists no_delete before delete on events begin select raise(abort, 'append only'); end;
"""


def me() -> str:
    """Who acts here: the user's name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@dataclass(frozen=True, slots=True)
class Lease:
    """The wheel of an endpoint. `token` grows with each taking: whoever holds a lower one has lost it."""

    endpoint: str
    token: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Who drives an endpoint. A weak one only watches, and gives way to anybody who releases."""

    who: str
    pid: int
    machine: str
    weak: bool
    alive: bool

    @property
    def label(self) -> str:
        """As people are told: `ada, process 4711`."""
        return f"{self.who}, process {self.pid}{'' if self.machine == socket.gethostname() else ' on ' + self.machine}"


class Journal:
    """One SQLite file in WAL mode. Raises JournalError when it can't be read or written."""

    def __init__(self, path: Path, read_only: bool = False, pid: int | None = None) -> None:
        self.path = path
        self.pid = os.getpid() if pid is None else pid
        self._seen = -1
        self._reserve = Reserve(path)
        with self._errors():
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            mode = "ro" if read_only else "rwc"
            self._db = sqlite3.connect(f"file:{path}?mode={mode}", uri=True, isolation_level=None, timeout=5)
            try:
                self._open_or_make_room(read_only)
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
        version = int(self._db.execute("pragma user_version").fetchone()[0])
        if version > VERSION:
            raise JournalError(f"journal {self.path}: written by a newer Quarterdeck; install that one")
        if read_only:
            return
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        # Once it is made, opening it writes nothing: a full disk must not keep anybody out.
        if version < VERSION:
            self._db.executescript(f"begin immediate; {_SCHEMA} pragma user_version={VERSION}; commit;")
        self._reserve.put_by()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(f"journal {self.path}: {error}; {_advice(str(error))}") from error
        except OSError as error:
            raise JournalError(f"journal {self.path}: {error.strerror or error}; check the folder's rights") from error

    def _write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """All of a change or nothing; on a full disk once more in the space that was put by for that."""
        with self._errors():
            try:
                return self._transaction(change)
            except sqlite3.OperationalError as error:
                if "full" not in str(error) or not self._reserve.spend():
                    raise
                return self._transaction(change)

    def _transaction(self, change: Callable[[sqlite3.Connection], T]) -> T:
        self._db.execute("begin immediate")
        try:
            made = change(self._db)
            self._db.execute("commit")
        finally:
            if self._db.in_transaction:
                self._db.execute("rollback")
        return made

    def append(
        self, bodies: Sequence[Body], who: str, at: float, lease: Lease | None = None, after: int | None = None
    ) -> int | None:
        """Write facts down, all or none, and tell the last one's place.

        None, and nothing written, when something came since `after`. Raises Lost when the lease is another's.
        While the disk is full, telemetry is left out.
        """
        rows = [(body, type(body).__name__ in TELEMETRY, dumps(body)) for body in bodies]

        def change(db: sqlite3.Connection) -> int | None:
            last = self.last()
            if after is not None and last != after:
                return None
            if lease is not None and self._token(lease.endpoint) != lease.token:
                raise Lost(f"{lease.endpoint}: another terminal took over; this one only watches now")
            for body, telemetry, text in rows:
                if not self._reserve.worth(body):
                    continue
                query = "insert into events (at, who, telemetry, body) values (?,?,?,?)"
                last = db.execute(query, (at, who, telemetry, text)).lastrowid or last
                if isinstance(body, Observed):
                    key = (body.endpoint, body.observation.slot, last)
                    db.execute("insert or replace into latest values (?,?,?)", key)
            return last

        return self._write(change)

    def read(self, after: int = 0, most: int = 5000) -> list[Event]:
        """The events after a place, in order, at most so many."""
        return self._events("select seq, at, who, body from events where seq > ? order by seq limit ?", (after, most))

    def recent(self, now: float) -> list[Event]:
        """What matters now: every fact, but of telemetry only the last minutes and each slot's last word."""
        query = (
            "select seq, at, who, body from events where telemetry = 0 "
            "union all select seq, at, who, body from events where telemetry = 1 and at > ?1 "
            "union all select seq, at, who, body from events where seq in (select seq from latest) and at <= ?1 "
            "order by seq"
        )
        return self._events(query, (now - RECENT_S,))

    def _events(self, query: str, values: Sequence[object]) -> list[Event]:
        with self._errors():
            rows = self._db.execute(query, tuple(values)).fetchall()
        return [self._event(*row) for row in rows]

    def _event(self, seq: int, at: float, who: str, body: str) -> Event:
        try:
            return Event(seq, at, who, loads(body))
        except JournalError as error:
            raise JournalError(f"journal {self.path}, event {seq}: {error}") from error

    def last(self) -> int:
        """The newest event's place; 0 for an empty journal."""
        with self._errors():
            return int(self._db.execute("select coalesce(max(seq), 0) from events").fetchone()[0])

    def changed(self) -> bool:
        """Whether another process wrote since this was last asked. Costs microseconds."""
        with self._errors():
            version = int(self._db.execute("pragma data_version").fetchone()[0])
        before, self._seen = self._seen, version
        return version != before

    def _token(self, endpoint: str) -> int:
        row = self._db.execute("select token from drivers where endpoint = ? and held = 1", (endpoint,)).fetchone()
        return int(row[0]) if row else 0

    def holds(self, lease: Lease) -> bool:
        """Whether a lease is still the last one given."""
        with self._errors():
            return self._token(lease.endpoint) == lease.token

    def holder(self, endpoint: str) -> Holder | None:
        """Who has the wheel of an endpoint, alive or dead; None when nobody does."""
        query = "select who, pid, machine, weak, born, beat from drivers where endpoint = ? and held = 1"
        with self._errors():
            row = self._db.execute(query, (endpoint,)).fetchone()
        if row is None:
            return None
        who, pid, machine, weak, born, beat = row
        return Holder(who, pid, machine, bool(weak), _alive(machine, pid, born, beat))

    def take(self, endpoint: str, who: str, weak: bool = False, force: bool = False) -> Lease:
        """Take the wheel: from nobody, from the dead, from one who only watches or, with `force`, from anybody.

        Taken again by who has it, the lease stays the same. Raises Refused with who holds it.
        """

        def change(db: sqlite3.Connection) -> Lease:
            held = self.holder(endpoint)
            # A dead one may have had our number: containers begin to count anew.
            mine = held is not None and held.alive and (held.pid, held.machine) == (self.pid, socket.gethostname())
            if held is not None and held.alive and not mine and not force and (weak or not held.weak):
                raise Refused(f"{endpoint}: driven by {held.label}; follow it with 'quarterdeck'")
            row = db.execute("select token from drivers where endpoint = ?", (endpoint,)).fetchone()
            # From the clock, so that a journal that was begun anew goes on above what a target remembers.
            before = int(row[0]) if row else 0
            token = before if mine else max(before + 1, int(time.time()))
            born = psutil.Process(self.pid).create_time()
            values = (endpoint, who, socket.gethostname(), self.pid, born, token, time.time(), 1, int(weak))
            db.execute("insert or replace into drivers values (?,?,?,?,?,?,?,?,?)", values)
            return Lease(endpoint, token)

        return self._write(change)

    def beat(self, lease: Lease) -> None:
        """Say that the driver is alive; raises Lost when the lease is another's."""
        if not self.path.exists():
            # SQLite would go on writing into a file that nobody can open any more.
            raise JournalError(f"journal {self.path}: it was removed meanwhile; what was not finished is lost with it")
        query = "update drivers set beat = ? where endpoint = ? and token = ? and held = 1"
        values = (time.time(), lease.endpoint, lease.token)
        if self._write(lambda db: db.execute(query, values).rowcount) == 0:
            raise Lost(f"{lease.endpoint}: another terminal took over; this one only watches now")

    def let_go(self, lease: Lease) -> None:
        """Give the wheel back, if it is still ours."""
        query = "update drivers set held = 0 where endpoint = ? and token = ?"
        self._write(lambda db: db.execute(query, (lease.endpoint, lease.token)))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _alive(machine: str, pid: int, born: float, beat: float) -> bool:
    if machine != socket.gethostname():
        return time.time() - beat < BEAT_S
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - born) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _advice(error: str) -> str:
    if "full" in error or "disk I/O" in error:
        return "free some space and call again: nothing was changed"
    if "readonly" in error or "unable to open" in error:
        return "check that the folder is there and can be written"
    if "malformed" in error or "not a database" in error:
        return "it is damaged: move it away, and Quarterdeck begins a new one"
    return "call again"

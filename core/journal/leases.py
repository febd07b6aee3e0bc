"""Who drives which endpoint: a lease with a token that grows, held by one process and no other."""

import os
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from core.domain.errors import Lost, Refused
from core.system.processes import ProcessId, process_id

BEAT_S = 15.0
"""A driver that was silent for so long is dead or hangs; it beats five times in that time."""
SILENT_S = 7.0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drive an endpoint. `token` grows with each taking: whoever holds a lower one has lost it."""

    endpoint: str
    token: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Who drives an endpoint. A weak one only watches, and gives way to anybody who releases.

    `runs`: its process is on this machine; `silent_s` is how long ago it gave its last sign.
    """

    who: str
    pid: int
    machine: str
    weak: bool
    alive: bool
    runs: bool
    silent_s: float

    @property
    def hangs(self) -> bool:
        """Whether it is there and has missed more than one of its signs."""
        return self.runs and self.silent_s > SILENT_S

    @property
    def label(self) -> str:
        """As people are told: `ada, process 4711`."""
        return f"{self.who}, process {self.pid}{'' if self.machine == socket.gethostname() else ' on ' + self.machine}"


class Leases:
    """The leases of one journal as one process sees them. `now` is the clock that all of them share."""

    def __init__(self, db: sqlite3.Connection, pid: int | None, now: Callable[[], float]) -> None:
        self._db = db
        self._pid = pid
        self._now = now

    def token(self, endpoint: str) -> int:
        """The token of the lease that counts; 0 when nobody has one."""
        row = self._db.execute("select token from leases where endpoint = ? and held = 1", (endpoint,)).fetchone()
        return int(row[0]) if row else 0

    def check(self, lease: Lease) -> None:
        """Raises Lost when the lease is another's."""
        if self.token(lease.endpoint) != lease.token:
            raise Lost(f"{lease.endpoint}: another terminal took over; this one only watches now")

    def holder(self, endpoint: str) -> Holder | None:
        """Who drives an endpoint, alive or not; None when nobody does."""
        query = "select who, pid, machine, weak, started, boot, beat from leases where endpoint = ? and held = 1"
        row = self._db.execute(query, (endpoint,)).fetchone()
        if row is None:
            return None
        who, pid, machine, weak, started, boot, beat = row
        here = machine == socket.gethostname()
        runs, silent_s = here and ProcessId(pid, started, boot).alive, self._now() - beat
        alive = silent_s < BEAT_S and (runs or not here)
        return Holder(who, pid, machine, bool(weak), alive, runs, silent_s)

    def take(self, endpoint: str, who: str, weak: bool, force: bool, above: int) -> Lease:
        """Within a transaction: from nobody, from a dead one, from one who only watches or, by force, from anybody."""
        held = self.holder(endpoint)
        me = process_id(self._pid) or ProcessId(self._pid or os.getpid(), 0, "")
        # A dead one may have had our number: containers begin to count anew.
        mine = held is not None and held.alive and (held.pid, held.machine) == (me.pid, socket.gethostname())
        if held is not None and held.alive and not mine and not force and (weak or not held.weak):
            raise Refused(f"{endpoint}: driven by {held.label}; follow it with 'quarterdeck'")
        row = self._db.execute("select token from leases where endpoint = ?", (endpoint,)).fetchone()
        before = int(row[0]) if row else 0
        # From the clock, so that a journal that was begun anew goes on above what a target remembers; where the
        # clock was set back meanwhile, the target says above what.
        token = before if mine and before > above else max(before + 1, int(time.time()), above + 1)
        values = (endpoint, who, socket.gethostname(), me.pid, me.started, me.boot, token, self._now(), 1, int(weak))
        self._db.execute("insert or replace into leases values (?,?,?,?,?,?,?,?,?,?)", values)
        return Lease(endpoint, token)

    def beat(self, lease: Lease) -> bool:
        """Within a transaction: say that the driver is alive; False when the lease is another's."""
        query = "update leases set beat = ? where endpoint = ? and token = ? and held = 1"
        return self._db.execute(query, (self._now(), lease.endpoint, lease.token)).rowcount > 0

    def let_go(self, lease: Lease) -> None:
        """Within a transaction: give the lease back, if it is still ours."""
        self._db.execute("update leases set held = 0 where endpoint = ? and token = ?", (lease.endpoint, lease.token))

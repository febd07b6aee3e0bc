"""All events of a project in one SQLite file, appended to by any number of processes.

A follower is a cursor: it can fall behind, never overflow. What a power cut may cost: `docs/journal.md`.
"""

import contextlib
import getpass
import logging
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from core.domain.errors import JournalError, Lost, Newer
from core.journal import chain, checkpoint, latest
from core.journal.database import WAIT_S, Database
from core.journal.leases import Holder, Lease, Leases
from core.state import codec, events as ev
from core.state.codec import dumps, loads
from core.state.fold import fold
from core.state.release import Release
from core.state.snapshot import Snapshot
from core.system.origin import origin

__all__ = ["Holder", "Journal", "Lease", "me"]
RECENT_S = 15 * 60.0
"""Telemetry older than this is left out where somebody only wants to know what is true now."""
SYNCED = (ev.Began, ev.Placed, ev.TurnedBack, ev.TurnedForward, ev.Routed, ev.Removed, ev.Ended)
"""Facts that a way back depends on: on the disk, with all before them, before anything follows from them."""
FOLD_EVERY = 200
"""A checkpoint is made anew once so many events are older than what matters now."""
FOLD_WHOLE = 20_000
"""Up to so many events are folded with all their telemetry; of more, what lasts is enough."""
_INSERT = "insert into events (seq, at, who, telemetry, body, origin, link) values (?,?,?,?,?,?,?)"
T = TypeVar("T")
log = logging.getLogger("quarterdeck")


def me() -> str:
    """Who acts here: the user's name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


class Journal(Database):
    """One SQLite file in WAL mode. Raises JournalError when it can't be read or written.

    More than 15 methods, because it is the one door to the file.
    """

    def __init__(self, path: Path, read_only: bool = False, pid: int | None = None, wait_s: float = WAIT_S) -> None:
        super().__init__(path, read_only, wait_s)
        self._seen = -1
        self._leases = Leases(self._db, pid, self.clock.now)
        self._here = origin()

    def append(
        self,
        bodies: Sequence[ev.Body],
        who: str,
        at: float,
        lease: Lease | None = None,
        after: int | None = None,
        where: str | None = None,
    ) -> int | None:
        """Write facts down, all or none, and tell the last one's place. `where`: from where, if not from here.

        None, and nothing written, when something came since `after`. Raises Lost when the lease is another's, Busy.
        While the disk is full, telemetry is left out.
        """
        here = self._here if where is None else where
        rows = [(body, text) for body in bodies if (text := self._text(body))]

        def change(db: sqlite3.Connection) -> int | None:
            last = self.last()
            if after is not None and last != after:
                return None
            if lease is not None:
                self._leases.check(lease)
            linking = chain.Linking(db)
            for body, text in rows:
                if not self._reserve.worth(body):
                    continue
                last += 1
                telemetry = type(body).__name__ in ev.TELEMETRY
                link = "" if telemetry else linking.add(last, at, who, here, text)
                row = (last, at, who, telemetry, text, "" if telemetry else here, link)
                db.execute(
                    "insert into events (seq, at, who, telemetry, body, origin, link) values (?,?,?,?,?,?,?)", row
                )
                latest.keep(db, body, last)
            linking.keep()
            return last

        return self._write(change, synced=any(isinstance(body, SYNCED) for body in bodies))

    def _text(self, body: ev.Body) -> str:
        """A fact as it is written; what could never be read again is not: telemetry is left out, else it raises."""
        text = dumps(body)
        try:
            loads(text)
        except JournalError as error:
            if type(body).__name__ not in ev.TELEMETRY:
                raise
            log.error("left out of the journal: %s", error)  # noqa: TRY400 - the traceback says nothing more
            return ""
        return text

    def read(self, after: int = 0, most: int = 5000) -> list[ev.Event]:
        """The events after a place, in order, at most so many."""
        return self._events("select seq, at, who, body from events where seq > ? order by seq limit ?", (after, most))

    def recent(self, now: float) -> list[ev.Event]:
        """What matters now, in order: what was folded long ago as one event, then every fact since.

        Of telemetry only the last minutes, what a hold under way needs, and the last word on everything.
        """
        cut, kept = now - RECENT_S, self.kept()
        if not kept.seq and not self.read_only:
            # Another version's checkpoint, or none: whoever folds all of it first does so for everybody.
            with contextlib.suppress(JournalError):
                self.fold_until(cut)
                kept = self.kept()
        return self._since(kept, cut)

    def kept(self) -> Snapshot:
        """What was folded into the newest checkpoint; empty where there is none."""
        with self._errors():
            return checkpoint.load(self._db) if self._current else Snapshot()

    def release(self, name: str) -> Release | None:
        """A release that ended so long ago that no snapshot holds it any more."""
        with self._errors():
            return checkpoint.release(self._db, name) if self._current else None

    def _since(self, kept: Snapshot, cut: float, last: int = 1 << 62) -> list[ev.Event]:
        # With a checkpoint few facts are newer; without one the index finds the lasting ones.
        lasting = "+telemetry = 0" if kept.seq else "telemetry = 0"
        span = (kept.seq, last)
        query = "select seq, at, who, body from events where {} and seq > ?1 and seq <= ?2 order by seq"
        facts = self._events(query.format(lasting), span)
        cut = min([cut, *_under_way(kept, facts)])
        telemetry = self._events(query.format("telemetry = 1 and at > ?3"), (*span, cut))
        words = "seq in (select seq from latest) and at <= ?3"
        old = self._events(query.format(words), (*span, cut)) if self._current else []
        return [*checkpoint.carried(kept), *sorted([*facts, *telemetry, *old], key=lambda event: event.seq)]

    def fold_until(self, at: float) -> None:
        """Keep what was true at a moment as the checkpoint, where enough is new since the last one."""
        before, kept = self.folded(), self.kept()
        with self._errors():
            found = self._db.execute("select max(seq) from events where seq > ? and at <= ?", (kept.seq, at)).fetchone()
        last = int(found[0] or 0)
        if last - kept.seq < FOLD_EVERY:
            return
        near = last - kept.seq < FOLD_WHOLE
        made, changed = kept, dict[str, Release]()
        for event in self._since(kept, float("-inf") if near else at - RECENT_S, last):
            made = fold(made, event)
            if (release := made.releases.get(getattr(event.body, "release", None) or "")) is not None:
                changed[release.id] = release
        changed.update((r.id, r) for r in made.releases.values() if kept.releases.get(r.id) is not r)
        self._write(checkpoint.saving(made, changed.values(), anew=not kept.seq, before=before))

    def folded(self) -> int:
        """The place that the newest checkpoint reaches to; 0 where there is none."""
        with self._errors():
            return checkpoint.folded(self._db)

    def written(self, since: float = 0.0) -> list[chain.Written]:
        """Every decision as it is written, with from where it was asked; none of a journal from before that."""
        with self._errors():
            return list(chain.written(self._db, since=since)) if self._current else []

    def chained(self) -> chain.ChainVerdict:
        """Whether every decision since the chain began is there as it was written."""
        with self._errors():
            return chain.verified(self._db) if self._current else chain.ChainVerdict(0, 0, "")

    def oldest_telemetry(self, since: float) -> float | None:
        """When the oldest telemetry from a moment on was written; None where there is none."""
        with self._errors():
            row = self._db.execute("select min(at) from events where telemetry = 1 and at >= ?", (since,)).fetchone()
        return None if row[0] is None else float(row[0])

    def telemetry(self, begin: float, end: float) -> list[ev.Event]:
        """The telemetry of a stretch of time, `end` left out, but for what has the last word on something."""
        query = (
            "select seq, at, who, body from events where telemetry = 1 and at >= ? and at < ? "
            "and seq not in (select seq from latest) order by seq"
        )
        return self._events(query, (begin, end))

    def turned(self, begin: float, end: float) -> list[float]:
        """The moments in a stretch of time at which a step failed or a release turned back."""
        query = (
            "select at from events where telemetry = 0 and at >= ? and at <= ? "
            'and (body like \'{"is":"StepFailed"%\' or body like \'{"is":"TurnedBack"%\')'
        )
        with self._errors():
            return [float(row[0]) for row in self._db.execute(query, (begin, end))]

    def measured(self, begin: float, end: float) -> list[ev.Event]:
        """All telemetry of a stretch of time."""
        query = "select seq, at, who, body from events where telemetry = 1 and at >= ? and at <= ? order by seq"
        return self._events(query, (begin, end))

    def seen_before(self, endpoint: str, seq: int) -> list[ev.Event]:
        """The last whole look at each slot of an endpoint before a place, newest last."""
        query = (
            "select seq, at, who, body from events where telemetry = 1 and seq < ? "
            "and body like '{\"is\":\"Observed\"%' and json_extract(body, '$.endpoint') = ? order by seq desc limit 50"
        )
        newest: dict[str, ev.Event] = {}
        for event in self._events(query, (seq, endpoint)):
            if isinstance(event.body, ev.Observed):
                newest.setdefault(event.body.observation.slot, event)
        return sorted(newest.values(), key=lambda event: event.seq)

    def samples(self, since: float) -> list[ev.Event]:
        """What was answered from a moment on, as finely as it is kept, in order."""
        query = "select seq, at, who, body from events where telemetry = 1 and at >= ? and body like ? order by seq"
        return self._events(query, (since, '{"is":"Sampled"%'))

    def _events(self, query: str, values: Sequence[object]) -> list[ev.Event]:
        with self._errors():
            rows = self._db.execute(query, tuple(values)).fetchall()
        return [self._event(*row) for row in rows]

    def _event(self, seq: int, at: float, who: str, body: str) -> ev.Event:
        try:
            fact = codec.body(body)
        except Newer as error:
            raise Newer(f"journal {self.path}, event {seq}: {error}") from error
        if isinstance(fact, ev.Unreadable):
            query = "select telemetry from events where seq = ?"
            fact = replace(fact, lasting=not self._db.execute(query, (seq,)).fetchone()[0])
        return ev.Event(seq, at, who, fact)

    def last(self) -> int:
        """The newest event's place, also when that was telemetry and is gone; 0 for an empty journal."""
        with self._errors():
            row = self._db.execute("select seq from sqlite_sequence where name = 'events'").fetchone()
            return int(row[0]) if row else 0

    def changed(self) -> bool:
        """Whether another process wrote since this was last asked. Costs microseconds."""
        with self._errors():
            version = int(self._db.execute("pragma data_version").fetchone()[0])
        before, self._seen = self._seen, version
        return version != before

    def meta(self, key: str) -> str:
        """What was noted of the project under a name; empty where nothing was."""
        with self._errors():
            found = self._db.execute("select value from meta where key = ?", (key,)) if self._current else None
            row = found.fetchone() if found is not None else None
        return str(row[0]) if row else ""

    def note(self, **values: str) -> None:
        """Note something of the project itself, such as where it lies."""
        self._write(lambda db: db.executemany("insert or replace into meta values (?,?)", values.items()))

    # Who drives

    def holds(self, lease: Lease) -> bool:
        """Whether a lease is still the last one given."""
        with self._errors():
            return self._leases.token(lease.endpoint) == lease.token

    def holder(self, endpoint: str) -> Holder | None:
        """Who drives an endpoint, alive or not; None when nobody does."""
        with self._errors():
            return self._leases.holder(endpoint) if self._current else None

    def take(self, endpoint: str, who: str, weak: bool = False, force: bool = False, above: int = 0) -> Lease:
        """Take the lease: from nobody, from a dead one, from one who only watches or, with `force`, from anybody.

        Taken again by who has it, the lease stays the same. Its token is above `above`, which a target may ask for.
        Raises Refused with who holds it, Busy.
        """
        return self._write(lambda _: self._leases.take(endpoint, who, weak, force, above))

    def beat(self, lease: Lease) -> None:
        """Say that the driver is alive; raises Lost when the lease is another's."""
        if not self.path.exists():
            # SQLite would go on writing into a file that nobody can open any more.
            raise JournalError(f"journal {self.path}: it was removed meanwhile; what was not finished is lost with it")
        if not self._write(lambda _: self._leases.beat(lease)):
            raise Lost(f"{lease.endpoint}: another terminal took over; this one only watches now")

    def free(self) -> None:
        """Nobody drives anything any more; tokens go on from where they are."""
        self._write(lambda db: db.execute("update leases set held = 0"))

    def let_go(self, lease: Lease) -> None:
        """Give the lease back, if it is still ours."""
        self._write(lambda _: self._leases.let_go(lease))


def _under_way(kept: Snapshot, facts: Sequence[ev.Event]) -> Iterable[float]:
    """When the steps that may still be under way began: a hold judges by all that was measured since."""
    began = {measured.release: measured.since for measured in kept.measured.values()}
    for event in facts:
        match event.body:
            case ev.StepStarted(release=release):
                began[release] = event.at
            case ev.TurnedBack(release=release) | ev.Ended(release=release):
                began.pop(release, None)
    return began.values()

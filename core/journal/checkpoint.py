"""What happened long ago, folded once: a journal opens from there instead of from its beginning.

Made anew from the facts whenever it is missing, or was kept by a version whose nouns have another shape.
"""

import sqlite3
from collections.abc import Callable, Iterable

from core.domain.errors import JournalError
from core.state import codec, events as ev
from core.state.release import Release
from core.state.snapshot import Checkpoint, Snapshot

KEEP_RELEASES = 25
"""So many of the newest releases are at hand when a journal is opened; `release` finds the others."""
_AT_HAND = """
select body from releases where state <> 'ended'
  or number > (select coalesce(max(number), 0) from releases) - ?
  or number in (select number from (select number, max(ended_seq) from releases group by endpoint))
  or number in (
    select number from (select number, max(ended_seq) from releases where outcome = 'done' group by endpoint))
order by number
"""
"""Besides the newest: what is under way, and what a way back may be asked of, however long ago it ended."""


def load(db: sqlite3.Connection) -> Snapshot:
    """The newest one; an empty snapshot where there is none."""
    row = db.execute("select shape, body from checkpoints order by seq desc limit 1").fetchone()
    if row is None or row[0] != codec.shape():
        return Snapshot()
    try:
        kept: Checkpoint = codec.loads(row[1])
        found: Iterable[Release] = (codec.loads(one) for (one,) in db.execute(_AT_HAND, (KEEP_RELEASES,)).fetchall())
        releases = {release.id: release for release in found}
    except JournalError:
        return Snapshot()
    return Snapshot(kept.seq, kept.at, releases, kept.endpoints, {}, kept.log, kept.measured)


def folded(db: sqlite3.Connection) -> int:
    """The place that the newest one reaches to, whatever its shape; 0 where there is none."""
    return int(db.execute("select coalesce(max(seq), 0) from checkpoints").fetchone()[0])


def saving(now: Snapshot, changed: Iterable[Release], anew: bool, before: int) -> Callable[[sqlite3.Connection], None]:
    """The change that keeps a snapshot and the releases that changed since the last one, or `anew` all.

    What it writes is made here, so that nobody waits for that. Nothing is written where another process made one
    since `before`.
    """
    rows = [
        (r.id, r.endpoint, r.state.value, r.outcome.value if r.outcome else "", r.ended_seq, codec.dumps(r))
        for r in changed
    ]
    kept = codec.dumps(Checkpoint(now.seq, now.at, now.endpoints, now.log, now.measured))

    def change(db: sqlite3.Connection) -> None:
        if folded(db) != before:
            return
        if anew:
            db.execute("delete from releases")
        db.executemany(
            "insert into releases (id, endpoint, state, outcome, ended_seq, body) values (?,?,?,?,?,?) "
            "on conflict (id) do update set state = excluded.state, outcome = excluded.outcome, "
            "ended_seq = excluded.ended_seq, body = excluded.body",
            rows,
        )
        db.execute("delete from checkpoints")
        db.execute("insert into checkpoints values (?,?,?)", (now.seq, codec.shape(), kept))

    return change


def release(db: sqlite3.Connection, name: str) -> Release | None:
    """A release that was kept, however long ago; None for one that is not known, or still too new."""
    row = db.execute("select body from releases where id = ?", (name,)).fetchone()
    try:
        found: Release | None = codec.loads(row[0]) if row else None
    except JournalError:
        return None
    return found


def carried(snapshot: Snapshot) -> list[ev.Event]:
    """A snapshot as the event that begins with it; nothing where there is nothing in it."""
    return [ev.Event(snapshot.seq, snapshot.at, "", ev.Carried(snapshot))] if snapshot.seq else []

"""What the journal says, read once for every examination that needs it. Nothing is written."""

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.domain.diagnosis import Diagnoses, fail, ok, warn
from core.domain.errors import JournalError
from core.journal.clock import DRIFT_S
from core.journal.journal import Holder, Journal
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from core.system.text import rough, size

FUTURE_S = 60.0


@dataclass(frozen=True, slots=True)
class KnownPast:
    """What is true by the journal at `now`. `newest` is when the last fact was written, None without any."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    holders: Mapping[str, Holder] = field(default_factory=dict)
    now: float = 0.0
    drift_s: float = 0.0
    newest: float | None = None


def read(path: Path, names: Iterable[str]) -> KnownPast:
    """Raises JournalError; without a journal nothing is known yet."""
    if not path.exists():
        return KnownPast()
    with contextlib.closing(Journal(path, read_only=True)) as journal:
        now = journal.clock.now()
        snapshot = fold_all(journal.recent(now))
        found = {name: holder for name in {*names, *snapshot.endpoints} if (holder := journal.holder(name)) is not None}
        return KnownPast(snapshot, found, now, journal.clock.drift_s, snapshot.at if snapshot.seq else None)


def whole(path: Path) -> Diagnoses:
    """Whether SQLite finds the journal whole, and its decisions are as they were written."""
    if not path.exists():
        return [ok("none yet; the first release makes it")]
    restore = "move it away, or restore a backup: 'quarterdeck restore BACKUP'"
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            (said,) = database.execute("pragma quick_check(1)").fetchone()
        if said != "ok":
            return [fail(f"{path} is damaged: {said}", restore)]
        with contextlib.closing(Journal(path, read_only=True)) as journal:
            chain, events = journal.chained(), journal.last()
    except (sqlite3.DatabaseError, JournalError) as error:
        return [fail(f"{path}: {error}" if isinstance(error, sqlite3.Error) else str(error), restore)]
    if chain.broken_at is not None:
        return [fail(f"its decisions are not as they were written: {chain.why}", restore)]
    return [ok(f"whole, {events} events, {size(path.stat().st_size)}")]


def clock(known: KnownPast, now: float) -> Diagnoses:
    """Whether this machine's clock (`now`) and the journal's moments fit."""
    if known.newest is not None and known.newest > now + FUTURE_S:
        ahead = rough(known.newest - now)
        told = f"the journal's newest entry is {ahead} in the future: this clock was set back, or was wrong then"
        return [fail(told, "set the clock by NTP: timedatectl set-ntp true")]
    if abs(known.drift_s) >= DRIFT_S and known.newest is not None:
        way = "forward" if known.drift_s > 0 else "back"
        told = f"it was set {rough(abs(known.drift_s))} {way} since the machine started; durations ignore that"
        return [warn(told, "nothing, where it is right now: timedatectl says so")]
    return [ok("the journal's moments fit this machine's clock")]

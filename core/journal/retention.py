"""Upkeep of a journal in small transactions: what is old is folded, made coarser and, if telemetry, removed."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from core.journal.downsampling import downsampled
from core.journal.journal import RECENT_S, Journal
from core.state.codec import dumps

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Step:
    """Telemetry older than `age_s` keeps one word in `step_s`; it is looked at in stretches of `stretch_s`."""

    age_s: float
    step_s: float
    stretch_s: float


STEPS = (Step(RECENT_S, 10.0, 60.0), Step(DAY_S, 60.0, 600.0))
SPARED_S = (120.0, 30.0)
"""What was measured so long before and after a release turned back stays as it is: gates are tried on it later."""
MOST_ROWS = 200
"""So many rows leave in one transaction: nobody else can write meanwhile."""
PAGES = 500


def maintain(journal: Journal, now: float, telemetry_days: float, budget_s: float = 1.0) -> bool:
    """Do what is due; False when the budget was spent before all was done.

    To be called each minute, in a thread and with a journal of its own.
    """
    end_s = time.monotonic() + budget_s
    journal.fold_until(now - RECENT_S)
    for _ in _work(journal, now, telemetry_days):
        if time.monotonic() > end_s:
            return False
    journal.vacuum(PAGES)
    return True


def _work(journal: Journal, now: float, telemetry_days: float) -> Iterator[None]:
    """Piece by piece; what was folded into the checkpoint alone may go."""
    folded = journal.folded()
    oldest = now - telemetry_days * DAY_S
    while journal.maintain(partial(_remove, oldest, folded)):
        yield
    # What is old enough for the coarser step is not looked at twice.
    for step, since in zip(STEPS, (now - DAY_S, oldest), strict=True):
        while _coarsen(journal, step, since, now, folded):
            yield


def _coarsen(journal: Journal, step: Step, since: float, now: float, folded: int) -> bool:
    """One stretch; False when there is none that is old enough. Read and added up before anything is locked."""
    key = f"coarse to {step.step_s:g} s until"
    done = journal.meta(key)
    first = journal.oldest_telemetry(max(since, float(done or since)))
    if first is None:
        return False
    begin = first // step.stretch_s * step.stretch_s
    end = begin + step.stretch_s
    events = journal.telemetry(begin, end)
    if end > now - step.age_s or any(event.seq > folded for event in events):
        return False
    before_s, after_s = SPARED_S
    turned = journal.turned(begin - after_s, end + before_s)
    coarse = [one for one in events if not any(at - before_s <= one.at <= at + after_s for at in turned)]
    made, gone = downsampled(coarse, step.step_s)
    rows = [(event.seq, event.at, event.who, dumps(event.body)) for event in made]

    def change(db: sqlite3.Connection) -> None:
        before = db.execute("select value from meta where key = ?", (key,)).fetchone()
        if (before[0] if before else "") != done:
            return  # Another process was here meanwhile.
        db.executemany("delete from events where seq = ?", [(seq,) for seq in gone])
        db.executemany("insert into events (seq, at, who, telemetry, body) values (?,?,?,1,?)", rows)
        db.execute("insert or replace into meta values (?,?)", (key, repr(end)))

    journal.maintain(change)
    return True


def _remove(before: float, folded: int, db: sqlite3.Connection) -> bool:
    """Remove telemetry that nobody asks for any more, but for the last word on everything."""
    removed = db.execute(
        "delete from events where seq in (select seq from events where telemetry = 1 and at <= ? and seq <= ? "
        "and seq not in (select seq from latest) limit ?)",
        (before, folded, MOST_ROWS),
    )
    return removed.rowcount > 0

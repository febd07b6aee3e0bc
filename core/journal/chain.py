"""Each decision carries a hash over itself and the one before it: what is cut out or changed later shows.

It can't keep whoever owns the file from making all of it anew. The last link, kept elsewhere, shows that too.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

TABLE = "create table chain (first integer not null, last integer not null, link text not null);"
COLUMNS = """
alter table events add column origin text not null default '';
alter table events add column link text not null default '';
"""
"""`origin`: from where it was asked. `link`: empty for telemetry, and for what was written before there was a chain."""


@dataclass(frozen=True, slots=True)
class Written:
    """A decision as it is written. `body` is its JSON, `link` what the chain says of it."""

    seq: int
    at: float
    who: str
    origin: str
    body: str
    link: str


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """Whether a chain is whole: `broken_at` is the place of the first decision that does not fit, and `why`.

    `first` is the first decision with a link (0: there is none), `count` how many have one, `last` the last link.
    """

    first: int
    count: int
    last: str
    broken_at: int | None = None
    why: str = ""


def link(before: str, seq: int, at: float, who: str, origin: str, body: str) -> str:
    """The link of one decision to the one before."""
    # Each part says its length, so that nothing can move from one into the next.
    parts = (before, str(seq), repr(float(at)), who, origin, body)
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class Linking:
    """The chain's end within one transaction; `keep` writes how far it came."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        row = db.execute("select first, last, link from chain").fetchone()
        self._anew = row is None
        found: tuple[int, int, str] = row or (0, 0, "")
        self._first, self._last, self._link = found
        self._came_to = self._last

    def add(self, seq: int, at: float, who: str, origin: str, body: str) -> str:
        """The link of a decision that gets this place."""
        self._first, self._last = self._first or seq, seq
        self._link = link(self._link, seq, at, who, origin, body)
        return self._link

    def keep(self) -> None:
        """Write down where the chain ends now."""
        if self._last == self._came_to:
            return
        values = (self._first, self._last, self._link)
        query = "insert into chain values (?,?,?)" if self._anew else "update chain set first = ?, last = ?, link = ?"
        self._db.execute(query, values)


def written(db: sqlite3.Connection, after: int = 0, since: float = 0.0) -> Iterator[Written]:
    """The decisions in order, after a place and from a moment on."""
    query = (
        "select seq, at, who, origin, body, link from events where telemetry = 0 and seq > ? and at >= ? order by seq"
    )
    for row in db.execute(query, (after, since)):
        yield Written(*row)


def verified(db: sqlite3.Connection) -> ChainVerdict:
    """Go through all of the chain; says the first place that does not fit."""
    row = db.execute("select first, last, link from chain").fetchone()
    first, last, end = row or (0, 0, "")
    before, count, seen = "", 0, 0
    for one in written(db, first - 1 if first else 0):
        seen = one.seq
        if not one.link:
            if not first:
                continue
            return ChainVerdict(first, count, before, one.seq, "it has no link: something else wrote it")
        if count == 0 and one.seq != first:
            return ChainVerdict(first, count, before, first or one.seq, "the chain's beginning was cut off")
        if link(before, one.seq, one.at, one.who, one.origin, one.body) != one.link:
            why = "it was changed, or what stood before it was changed or cut out"
            return ChainVerdict(first, count, before, one.seq, why)
        before, count = one.link, count + 1
    if first and (seen, before) != (last, end):
        return ChainVerdict(first, count, before, seen + 1, f"the end was cut off: the last decision was event {last}")
    return ChainVerdict(first, count, before)

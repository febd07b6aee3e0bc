"""`quarterdeck audit` and `quarterdeck live --at`: who did what, when, why and from where; what served when."""

import contextlib
import csv
import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from core.domain.errors import Failed, Refused
from core.domain.hints import typed
from core.engine.project import Project
from core.journal.chain import Written
from core.journal.journal import Journal
from core.state import events as ev
from core.state.audit import Deed, deeds
from core.state.codec import body
from core.state.served import ServedTraffic, served_at
from tui.moments import dated, iso, passed
from tui.output import json_line, say

COLUMNS = ("seq", "at", "who", "where", "environment", "endpoint", "release", "version", "what", "why", "kind", "link")
Write = Callable[[str], None]


def events_of(written: Sequence[Written]) -> list[ev.Event]:
    """Decisions as they are written as events."""
    return [ev.Event(one.seq, one.at, one.who, body(one.body)) for one in written]


@contextlib.contextmanager
def past(project: Project) -> Iterator[Journal]:
    """The project's journal, for looking at what happened."""
    with contextlib.closing(project.journal()) as journal:
        if project.notice:
            say(project.notice, sys.stderr)
        yield journal


def audit(project: Project, write: Write, since: str = "", form: str = "text", whole: bool = False) -> int:
    """Every decision since a moment, of the environment that was named or of all."""
    with past(project) as journal:
        start = passed("--since", since, journal.clock.now()) if since else 0.0
        written = journal.written()
    meant = project.meant
    by_place = {one.seq: one for one in written}
    # From the beginning: what a release is of was said before.
    found = [
        deed for deed in deeds(events_of(written), whole) if deed.at >= start and (not meant or deed.endpoint in meant)
    ]
    rows = [_row(deed, by_place[deed.seq]) for deed in found]
    if form == "csv":
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows({key: _plain_cell(value) for key, value in row.items()} for row in rows)
        for line in text.getvalue().splitlines():
            write(line)
        return 0
    for row, deed in zip(rows, found, strict=True):
        write(json_line(row) if form == "json" else _line(deed, by_place[deed.seq]))
    if form == "text":
        write(f"{len(rows)} decisions{f' since {dated(start)}' if since else ''}; times are {time.strftime('%Z (%z)')}")
    return 0


def _row(deed: Deed, one: Written) -> dict[str, object]:
    about = {"environment": deed.environment, "endpoint": deed.endpoint, "release": deed.release}
    said = {"version": deed.version, "what": deed.what, "why": deed.why, "kind": deed.kind, "link": one.link}
    return {"seq": deed.seq, "at": iso(deed.at), "who": deed.who, "where": one.origin, **about, **said}


def _plain_cell(value: object) -> object:
    """Text that a spreadsheet takes for text: a reason may begin as a formula does."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def _line(deed: Deed, one: Written) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(deed.at))
    why = f"  why: {deed.why}" if deed.why and deed.why not in deed.what else ""
    # What the watch does by itself comes from nobody's terminal.
    where = f"  from {one.origin}" if one.origin and deed.who != "watch" and not deed.who.startswith("alert ") else ""
    about = " ".join(part for part in (deed.endpoint, deed.release) if part)
    return f"{at}  {deed.who:<10} {about}  {deed.what}{why}{where}"


def verify(project: Project, write: Write) -> int:
    """Go through the chain of decisions; 1 and the place where something does not fit."""
    with past(project) as journal:
        said = journal.chained()
        before = sum(not one.link for one in journal.written())
    if said.broken_at is not None:
        restore = typed("restore BACKUP")
        raise Failed(f"the audit is broken at event {said.broken_at}: {said.why}; {restore} brings a backup back")
    if not said.count:
        write(f"no decision has a link yet: {before} were written before there was a chain")
        return 0
    older = f"; {before} before it were written when there was no chain" if before else ""
    write(f"whole: {said.count} decisions since event {said.first}{older}")
    write(f"last link {said.last}; keep it elsewhere, and a journal that was made anew shows too")
    return 0


def live(project: Project, write: Write, at: str, as_json: bool = False) -> int:
    """Which version had which share of the traffic at a moment; now where none is named."""
    with past(project) as journal:
        now = journal.clock.now()
        asked = passed("--at", at, now) if at else now
        log = served_at(events_of(journal.written()), asked)
    meant = project.meant
    if log.first_at is None:
        raise Refused("nothing was served here yet; begin with 'quarterdeck release'")
    if log.first_at > asked:
        raise Refused(f"{dated(asked)}: nothing was served here yet; the first traffic came {dated(log.first_at)}")
    found = [one for one in log.now() if not meant or one.endpoint in meant]
    if as_json:
        write(json_line({"at": iso(asked), "endpoints": [_traffic(one) for one in found]}))
        return 0
    write(f"at {dated(asked)}")
    for one in found:
        write(_served(one))
    if not found:
        write(f"{', '.join(sorted(meant))}: nothing was served then")
    return 0


def _traffic(one: ServedTraffic) -> dict[str, object]:
    shares = [
        {"slot": s.slot, "version": s.version.label if s.version else None, "percent": s.percent} for s in one.shares
    ]
    about = {"endpoint": one.endpoint, "environment": one.environment, "since": iso(one.since), "by": one.by}
    return {**about, "release": one.release, "proved": one.proved, "shares": shares}


def _served(one: ServedTraffic) -> str:
    if not one.shares:
        return f"{one.endpoint}: nothing was served, since {dated(one.since)}"
    shares = ", ".join(
        f"{s.version.model} {s.version.label} {s.percent:g} % ({s.slot})" if s.version else f"{s.slot} {s.percent:g} %"
        for s in one.shares
    )
    of = f" by {one.release}" if one.release else ""
    proved = "" if one.proved else ", asked for but not proved by answers"
    return f"{one.endpoint}: {shares}, since {dated(one.since)}{of}, asked by {one.by}{proved}"

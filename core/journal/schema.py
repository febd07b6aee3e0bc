"""The tables of a journal, and how an older one becomes this one. `docs/journal.md` says what is promised."""

import contextlib
import socket
import sqlite3
from collections.abc import Iterable, Iterator

import psutil

from core.domain.errors import JournalError
from core.journal import chain
from core.system.processes import ProcessId

VERSION = 3

_EVENTS = """
create table events (
  seq integer primary key autoincrement, at real not null, who text not null,
  telemetry integer not null, body text not null);
create index events_recent on events (telemetry, at);
"""
_TABLES = """
create table latest (
  kind text not null, owner text not null, part text not null, name text not null, seq integer not null,
  primary key (kind, owner, part, name)) without rowid;
create table leases (
  endpoint text primary key, who text not null, machine text not null, pid integer not null, started integer not null,
  boot text not null, token integer not null, beat real not null, held integer not null, weak integer not null);
create table meta (key text primary key, value text not null) without rowid;
create table clock (boot text primary key, offset_s real not null) without rowid;
create table checkpoints (seq integer primary key, shape text not null, body text not null);
create table releases (
  number integer primary key autoincrement, id text not null unique, endpoint text not null, state text not null,
  outcome text not null, ended_seq integer not null, body text not null);
create trigger no_update before update on events begin select raise(abort, 'append only'); end;
create trigger no_delete before delete on events when old.telemetry = 0
  begin select raise(abort, 'append only'); end;
"""
_FROM_1 = """
drop trigger if exists no_update;
drop trigger if exists no_delete;
alter table latest rename to latest_1;
alter table drivers rename to drivers_1;
"""
_INTO_2 = """
insert into latest select 'slot', endpoint, slot, '', seq from latest_1;
insert into leases select endpoint, who, machine, pid, 0, '', token, beat, 0, weak from drivers_1;
drop table latest_1;
drop table drivers_1;
"""
_VERDICTS = """
update events set telemetry = 1 where telemetry = 0 and body like '{"is":"Judged"%';
insert into latest
  select 'judged', json_extract(body, '$.release'), json_extract(body, '$.index'), '', max(seq)
  from events where telemetry = 1 and body like '{"is":"Judged"%' group by 2, 3;
"""


def version_of(db: sqlite3.Connection) -> int:
    """The version of a journal's format; 0 for a file with nothing in it."""
    return int(db.execute("pragma user_version").fetchone()[0])


def make(db: sqlite3.Connection) -> None:
    """All tables, or an older journal's in their new shape, in one transaction."""
    if version_of(db) == 0:
        # Before the first table, or it would mean writing all of the file anew.
        db.execute("pragma auto_vacuum=incremental")
    db.execute("begin immediate")
    try:
        version = version_of(db)
        if version == 0:
            _script(db, _EVENTS + _TABLES)
        elif version == 1:
            _nobody_drives(_drivers_of_1(db))
            # The verdicts before the triggers: nothing that is written may be changed later.
            _script(db, _FROM_1 + _TABLES.partition("create trigger")[0])
            _script(db, _INTO_2 + _VERDICTS)
            _script(db, "create trigger" + _TABLES.partition("create trigger")[2])
        elif version == 2:
            _nobody_drives(_drivers_of_2(db))
        if version < 3:
            _script(db, chain.COLUMNS + chain.TABLE)
        db.execute(f"pragma user_version={VERSION}")
        db.execute("commit")
    finally:
        if db.in_transaction:
            db.execute("rollback")


def _script(db: sqlite3.Connection, sentences: str) -> None:
    """Sentence by sentence: `executescript` would end the transaction that holds them together."""
    sentence = ""
    for part in sentences.split(";"):
        sentence += part + ";"
        if sqlite3.complete_statement(sentence):
            if sentence.strip("; \n"):
                db.execute(sentence)
            sentence = ""


def _nobody_drives(living: Iterable[tuple[str, int]]) -> None:
    """An older Quarterdeck that still runs would write what this one does not understand."""
    for who, pid in living:
        raise JournalError(f"an older Quarterdeck uses it ({who}, process {pid}): end that one and call again")


def _drivers_of_1(db: sqlite3.Connection) -> Iterator[tuple[str, int]]:
    rows = db.execute("select who, pid, born from drivers where held = 1 and machine = ?", (socket.gethostname(),))
    for who, pid, born in rows.fetchall():
        with contextlib.suppress(psutil.Error):
            if abs(psutil.Process(pid).create_time() - born) < 1:
                yield who, pid


def _drivers_of_2(db: sqlite3.Connection) -> Iterator[tuple[str, int]]:
    query = "select who, pid, started, boot from leases where held = 1 and machine = ?"
    for who, pid, started, boot in db.execute(query, (socket.gethostname(),)).fetchall():
        if ProcessId(pid, started, boot).alive:
            yield who, pid

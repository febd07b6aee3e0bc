"""The chain of decisions: whole while nobody touches it; a change, a cut and a stranger's row show at their place."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.domain.errors import JournalError
from core.domain.model import Observation
from core.journal import chain, schema
from core.journal.journal import Journal
from core.state import events as ev
from core.system.origin import origin
from core.system.processes import process_id
from tests.environments import V1

SEEN = ev.Observed("late", Observation("blue", V1, 2, 2, 100.0))
WRITER = """
import sys
from pathlib import Path
from core.journal.journal import Journal
from core.state import events as ev
journal = Journal(Path(sys.argv[1]))
for n in range(60):
    journal.append([ev.Paused(sys.argv[2]), ev.Logged("late", "train", "a line")], sys.argv[2], float(n))
"""
V2 = (
    """
create table events (
  seq integer primary key autoincrement, at real not null, who text not null,
  telemetry integer not null, body text not null);
create index events_recent on events (telemetry, at);
"""
    + schema._TABLES
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal(path)) as opened:
        for at in range(1, 6):
            opened.append([ev.Paused("r"), SEEN], "ada", float(at), where="build-7, ssh from 10.0.0.7")
        yield opened


def edited(path: Path, change: str) -> None:
    """What somebody with the file does to it."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(f"drop trigger no_update; drop trigger no_delete; {change}")


def test_every_decision_says_from_where_and_the_chain_is_whole(journal: Journal) -> None:
    journal.append([ev.Resumed("r")], "ada", 6.0)
    written = journal.written()
    assert [one.seq for one in written] == [1, 3, 5, 7, 9, 11], "telemetry, which may be thinned, is none of it"
    assert [one.origin for one in written] == ["build-7, ssh from 10.0.0.7"] * 5 + [origin()]
    assert journal.chained() == chain.ChainVerdict(1, 6, written[-1].link)
    assert len({one.link for one in written}) == 6


def test_thinned_telemetry_breaks_nothing(journal: Journal) -> None:
    journal.maintain(lambda db: db.execute("delete from events where telemetry = 1"))
    assert journal.chained().broken_at is None


@pytest.mark.parametrize(
    ("change", "place", "why"),
    [
        ("update events set who = 'eve' where seq = 5", 5, "it was changed"),
        ("update events set at = 2.5 where seq = 5", 5, "it was changed"),
        ("update events set origin = 'elsewhere' where seq = 5", 5, "it was changed"),
        ("update events set body = replace(body, '\"r\"', '\"q\"') where seq = 5", 5, "it was changed"),
        ("delete from events where seq = 5", 7, "cut out"),
        ("delete from events where seq = 1", 1, "beginning was cut off"),
        ("delete from events where seq = 9", 8, "the end was cut off: the last decision was event 9"),
        ("delete from events where telemetry = 0", 1, "the end was cut off"),
        ("update events set link = '' where seq = 5", 5, "has no link"),
        ("insert into events (at, who, telemetry, body) values (9, 'eve', 0, '{}')", 11, "has no link"),
    ],
)
def test_what_was_done_to_it_shows_at_its_place(
    journal: Journal, path: Path, change: str, place: int, why: str
) -> None:
    edited(path, change)
    said = journal.chained()
    assert said.broken_at == place
    assert why in said.why


def test_two_processes_that_write_at_once_make_one_chain(path: Path) -> None:
    Journal(path).close()
    call = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*call, name], cwd=Path(__file__).parents[2]) for name in ("ada", "bob")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    with contextlib.closing(Journal(path, read_only=True)) as journal:
        assert journal.chained().count == 120
        assert journal.chained().broken_at is None


def test_a_write_that_is_taken_back_leaves_the_chain_where_it_was(journal: Journal) -> None:
    with pytest.raises(JournalError):
        journal.append([ev.Paused("a"), ev.Paused(7)], "ada", 7.0)  # type: ignore[arg-type]
    assert journal.append([ev.Paused("a")], "ada", 7.0, after=3) is None
    journal.append([ev.Resumed("r")], "ada", 8.0)
    assert journal.chained().count == 6


def older(path: Path, *, held: bool) -> None:
    """A journal of the version before there was a chain."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(V2)
        db.execute("insert into events values (null, 1.0, 'ada', 0, ?)", ('{"is":"Paused","release":"r"}',))
        me = process_id()
        assert me is not None
        machine = origin().split(",")[0]
        values = ("late", "bob", machine, me.pid, me.started if held else 1, me.boot, 7, 1.0, 1, 0)
        db.execute("insert into leases values (?,?,?,?,?,?,?,?,?,?)", values)
        db.execute("pragma user_version=2")
        db.commit()


def test_an_older_journal_gets_a_chain_that_begins_with_its_next_decision(path: Path) -> None:
    older(path, held=False)
    with contextlib.closing(Journal(path, read_only=True)) as unchanged:
        assert (unchanged.written(), unchanged.chained().first) == ([], 0)
        assert [event.body for event in unchanged.read()] == [ev.Paused("r")]
    with contextlib.closing(Journal(path)) as journal:
        assert journal.chained() == chain.ChainVerdict(0, 0, "")
        journal.append([ev.Resumed("r")], "ada", 2.0)
        assert (journal.chained().first, journal.chained().count) == (2, 1)
        assert [(one.seq, one.origin) for one in journal.written()] == [(1, ""), (2, origin())]


def test_an_older_journal_that_is_in_use_is_left_alone(path: Path) -> None:
    older(path, held=True)
    with pytest.raises(JournalError, match="an older Quarterdeck uses it"):
        Journal(path)

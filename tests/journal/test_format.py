"""The format of a journal: older ones become this one, newer ones are left alone; power cuts, locks and the clock."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.domain.errors import Busy, JournalError, Refused
from core.domain.gates import Gate, GateResult, Verdict
from core.domain.model import Observation
from core.journal import clock, database, schema
from core.journal.journal import Journal
from core.journal.patience import patiently
from core.state import codec, events as ev
from core.state.fold import fold_all
from core.system import processes
from tests.environments import V1

SCHEMA_1 = """
create table events (
  seq integer primary key autoincrement, at real not null, who text not null,
  telemetry integer not null, body text not null);
create index events_recent on events (telemetry, at);
create table latest (
  endpoint text not null, slot text not null, seq integer not null, primary key (endpoint, slot)) without rowid;
create table drivers (
  endpoint text primary key, who text not null, machine text not null, pid integer not null,
  born real not null, token integer not null, beat real not null, held integer not null, weak integer not null);
create trigger no_update before update on events begin select raise(abort, 'append only'); end;
create trigger no_delete before delete on events begin select raise(abort, 'append only'); end;
pragma user_version=1;
"""
SEEN = ev.Observed("late", Observation("blue", V1, 2, 2, 100.0))
VERDICT = ev.Judged("r", 2, (Verdict(Gate("p95_ms", "<", 9.0), GateResult.PASS, 5.0, "5 is < 9"),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal(path)) as opened:
        yield opened


def old(path: Path, *bodies: ev.Body, held_by: int | None = None) -> None:
    """A journal as the first version wrote it: verdicts lasted, and every noun carried its name."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(SCHEMA_1)
        for body in bodies:
            telemetry = isinstance(body, ev.Observed | ev.Sampled)
            text = codec._encode(codec.plain(body)).decode()
            seq = db.execute("insert into events values (null, 1.0, 'ada', ?, ?)", (telemetry, text)).lastrowid
            if isinstance(body, ev.Observed):
                db.execute("insert or replace into latest values ('late', 'blue', ?)", (seq,))
        pid = held_by or 1
        born = psutil.Process(pid).create_time() + (0 if held_by else 1000)
        machine = os.uname().nodename
        db.execute("insert into drivers values ('late', 'bob', ?, ?, ?, 4000000000, 1.0, 1, 0)", (machine, pid, born))
        db.commit()


def test_an_older_journal_becomes_this_one_with_all_that_is_in_it(path: Path) -> None:
    old(path, ev.Paused("r"), SEEN, SEEN, VERDICT, VERDICT, ev.Resumed("r"))
    with contextlib.closing(Journal(path)) as journal:
        assert [event.body for event in journal.read()] == [
            ev.Paused("r"), SEEN, SEEN, VERDICT, VERDICT, ev.Resumed("r"),
        ]  # fmt: skip
        assert [event.seq for event in journal.recent(time.time())] == [1, 3, 5, 6], "the last verdict lasts"
        assert journal.take("late", "ada").token > 4_000_000_000, "no target sees a token go back"
        with pytest.raises(sqlite3.IntegrityError, match="append only"):
            journal._db.execute("update events set who = 'eve'")
        with pytest.raises(sqlite3.IntegrityError, match="append only"):
            journal._db.execute("delete from events where telemetry = 0")
    with contextlib.closing(Journal(path)) as again:
        assert again.last() == 6


def test_an_older_journal_that_an_older_quarterdeck_uses_is_left_alone(path: Path) -> None:
    old(path, ev.Paused("r"), held_by=os.getpid())
    with pytest.raises(JournalError, match=rf"an older Quarterdeck uses it \(bob, process {os.getpid()}\): end that"):
        Journal(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert schema.version_of(db) == 1


def test_an_older_journal_is_read_as_it_is_where_nothing_may_be_written(path: Path) -> None:
    old(path, ev.Paused("r"), SEEN)
    with contextlib.closing(Journal(path, read_only=True)) as journal:
        assert [event.body for event in journal.read()] == [ev.Paused("r"), SEEN]
        assert [event.body for event in journal.recent(time.time())] == [ev.Paused("r")]
        assert (journal.holder("late"), journal.release("r"), journal.last()) == (None, None, 2)


def test_a_change_of_format_that_is_cut_off_leaves_the_journal_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old(path, VERDICT)
    monkeypatch.setattr(schema, "_VERDICTS", schema._VERDICTS + "select broken;")
    with pytest.raises(JournalError, match="broken"):
        Journal(path)
    monkeypatch.undo()
    with contextlib.closing(Journal(path)) as journal:
        assert fold_all(journal.read()).seq == 1


def test_a_folder_with_odd_signs_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "what? 100 % #1"
    folder.mkdir()
    with contextlib.closing(Journal(folder / "journal.db")) as journal:
        journal.append([ev.Paused("r")], "ada", 1.0)
    assert (folder / "journal.db").stat().st_size > 0


# What can be written


def test_a_fact_that_could_not_be_read_again_is_not_written(journal: Journal) -> None:
    with pytest.raises(JournalError, match="Paused: Expected `str`, got `int`"):
        journal.append([ev.Paused("a"), ev.Paused(7)], "ada", 1.0)  # type: ignore[arg-type]
    assert journal.last() == 0


def test_odd_telemetry_is_left_out_and_ends_nothing(journal: Journal) -> None:
    odd = ev.Observed("late", Observation("blue", V1, 2, 2, float("nan")))
    assert journal.append([odd, ev.Paused("a")], "ada", 1.0) == 1
    assert [event.body for event in journal.read()] == [ev.Paused("a")]


@pytest.mark.parametrize(
    ("body", "synced"), [(ev.TurnedBack("r", ev.Outcome.ABORTED, "a"), True), (ev.Paused("r"), False), (SEEN, False)]
)
def test_what_a_way_back_depends_on_is_on_the_disk_before_anything_follows(
    journal: Journal, body: ev.Body, synced: bool
) -> None:
    said: list[str] = []
    journal._db.set_trace_callback(said.append)
    journal.append([body], "ada", 1.0)
    journal._db.set_trace_callback(None)
    full = [n for n, sentence in enumerate(said) if sentence == "pragma synchronous=full"]
    assert bool(full) is synced
    if synced:
        assert full[0] < said.index("commit") < said.index("pragma synchronous=normal")


# Locks


def test_a_locked_journal_is_said_at_once_and_waited_for_off_the_loop(path: Path) -> None:
    async def scene() -> tuple[int | None, int]:
        with contextlib.closing(Journal(path, wait_s=0)) as journal, contextlib.closing(sqlite3.connect(path)) as other:
            other.isolation_level = None
            other.execute("begin immediate")
            with pytest.raises(Busy, match="locked"):
                journal.append([ev.Paused("a")], "ada", 1.0)
            writing = asyncio.create_task(patiently(lambda: journal.append([ev.Paused("a")], "ada", 1.0)))
            turns = 0
            while turns < 50:
                await asyncio.sleep(0)
                turns += 1
            assert not writing.done()
            other.execute("rollback")
            return await writing, turns

    assert asyncio.run(scene()) == (1, 50)


def test_a_lock_that_does_not_end_is_an_error_that_says_so(path: Path) -> None:
    async def scene() -> None:
        with contextlib.closing(Journal(path, wait_s=0)) as journal, contextlib.closing(sqlite3.connect(path)) as other:
            other.isolation_level = None
            other.execute("begin immediate")
            await patiently(lambda: journal.take("late", "ada"), most_s=0.05)

    with pytest.raises(JournalError, match=r"locked by another process for 0.05 s; end that one, or call again"):
        asyncio.run(scene())


def test_who_has_no_loop_waits_for_its_turn(journal: Journal, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    ends = threading.Timer(0.05, lambda: other.execute("rollback"))
    ends.start()
    assert journal.append([ev.Paused("a")], "ada", 1.0) == 1
    ends.join()
    other.close()


# The clock


def test_all_processes_of_a_project_share_one_clock(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = time.time() + 3600
    monkeypatch.setattr("time.time", lambda: wall)
    with contextlib.closing(Journal(path)) as other:
        assert abs(other.clock.now() - journal.clock.now()) < 0.1
        drift_s, text = other.clock.jump()
        assert drift_s == pytest.approx(3600, abs=1)
        assert text == "the clock was set 3600 s forward; durations ignore that"
        assert other.clock.jump(drift_s) == (drift_s, "")
        monkeypatch.setattr("time.time", lambda: wall - 3600)
        assert other.clock.jump(drift_s)[1] == "the clock is right again; durations ignored all of it"
        monkeypatch.setattr("time.time", lambda: wall - 3700)
        assert other.clock.jump()[1] == "the clock was set 100 s back; durations ignore that"


def test_another_start_of_the_machine_has_an_offset_of_its_own(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = journal.clock.offset_s
    monkeypatch.setattr(database, "boot", lambda: "another")
    monkeypatch.setattr(clock, "boottime_s", lambda: 5.0)
    with contextlib.closing(Journal(path)) as other:
        assert abs(other.clock.now() - time.time()) < 1
        assert other.clock.offset_s != before


def test_a_driver_lives_on_when_the_clock_is_set(journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with contextlib.closing(Journal(path, pid=process.pid)) as other:
        other.take("late", "bob")
        for hours in (-48, 48):
            monkeypatch.setattr("time.time", lambda hours=hours: 1_700_000_000.0 + 3600 * hours)
            holder = journal.holder("late")
            assert holder is not None
            assert holder.alive
            with pytest.raises(Refused, match="driven by bob"):
                journal.take("late", "ada")
    process.communicate(b"\n")


def test_who_drove_before_the_machine_started_anew_is_dead(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = journal.take("late", "ada")
    monkeypatch.setattr(processes, "boot", lambda: "another")
    holder = journal.holder("late")
    assert holder is not None
    assert not holder.alive
    assert journal.take("late", "ada").token > lease.token


def test_tokens_grow_with_a_clock_that_was_set_back(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    token = journal.take("late", "ada").token
    monkeypatch.setattr("time.time", lambda: 1000.0)
    assert journal.take("late", "ada", force=True).token == token
    higher = journal.take("late", "ada", above=token + 7)
    assert higher.token == token + 8
    journal.let_go(higher)
    assert journal.take("late", "ada").token == token + 9

"""The journal: append-only, whole on a full disk, and who drives an endpoint."""

import contextlib
import getpass
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.domain.errors import JournalError, Lost, Refused
from core.domain.model import Observation
from core.journal import journal as j, reserve, schema
from core.journal.journal import Journal
from core.state import events as ev
from tests.disks import small_disk
from tests.environments import V1, sample


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path)
    yield opened
    opened.close()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that is alive until the test ends it."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def paused(name: str) -> ev.Paused:
    return ev.Paused(name)


def seen(slot: str = "blue", weight: float = 100.0, ready: int = 2) -> ev.Observed:
    return ev.Observed("late", Observation(slot, V1, 2, ready, weight))


def test_what_is_appended_is_read_back_in_order(journal: Journal) -> None:
    assert (journal.last(), journal.read()) == (0, [])
    assert journal.append([paused("a"), paused("b")], "ada", 1.5) == 2
    assert journal.read(0) == [ev.Event(1, 1.5, "ada", paused("a")), ev.Event(2, 1.5, "ada", paused("b"))]
    assert [event.seq for event in journal.read(0, most=1)] == [1]
    assert journal.read(2) == []


def test_facts_are_never_changed_or_taken_away(journal: Journal, path: Path) -> None:
    journal.append([paused("a")], "ada", 1.0)
    with sqlite3.connect(path) as db:
        for sentence in ("update events set who = 'eve'", "delete from events"):
            with pytest.raises(sqlite3.IntegrityError, match="append only"):
                db.execute(sentence)
    db.close()


def test_nothing_is_written_when_something_came_in_between(journal: Journal) -> None:
    journal.append([paused("a")], "ada", 1.0)
    assert journal.append([paused("b")], "ada", 2.0, after=0) is None
    assert journal.append([paused("b")], "ada", 2.0, after=1) == 2


def test_another_connection_notices_what_was_written(journal: Journal, path: Path) -> None:
    other = Journal(path)
    other.changed()
    assert not other.changed()
    journal.append([paused("a")], "ada", 1.0)
    assert other.changed()
    assert not other.changed()
    other.close()


def test_old_telemetry_is_left_out_but_for_the_last_word_on_each_slot(journal: Journal) -> None:
    now = time.time()
    journal.append([paused("old"), seen(weight=10.0), seen(), ev.Sampled("late", sample("blue"))], "ada", now - 3600)
    journal.append([seen("green", 0.0)], "ada", now - 3600)
    journal.append([ev.Sampled("late", sample("blue")), paused("new")], "ada", now)
    kinds = [(event.seq, type(event.body).__name__) for event in journal.recent(now)]
    assert kinds == [(1, "Paused"), (3, "Observed"), (5, "Observed"), (6, "Sampled"), (7, "Paused")]


def test_a_journal_opened_to_read_writes_nothing(journal: Journal, path: Path) -> None:
    journal.append([paused("a")], "ada", 1.0)
    reader = Journal(path, read_only=True)
    assert len(reader.read()) == 1
    with pytest.raises(JournalError, match=r"readonly.*check that the folder"):
        reader.append([paused("b")], "ada", 2.0)
    reader.close()


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda p: p.write_bytes(b"no journal at all, but long enough to look like one" * 40), "it is damaged: move"),
        (lambda p: p.mkdir(), "check that the folder is there"),
        (lambda p: p.parent.joinpath("x").write_text(""), None),
    ],
)
def test_a_journal_that_can_not_be_opened_is_one_line(path: Path, write: object, said: str | None) -> None:
    write(path)  # type: ignore[operator]
    if said is None:
        path = path.parent / "x" / "journal.db"
        said = "check the folder's rights"
    with pytest.raises(JournalError) as caught:
        Journal(path).read()
    assert str(caught.value).startswith(f"journal {path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_journal_of_a_newer_version_is_left_alone(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute(f"pragma user_version={schema.VERSION + 1}")
    db.close()
    with pytest.raises(JournalError, match="written by a newer Quarterdeck"):
        Journal(path)


def test_an_event_that_nobody_knows_is_named_by_its_place(journal: Journal, path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("insert into events (at, who, telemetry, body) values (1.0, 'ada', 0, '{\"is\":\"Sank\"}')")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="event 1: Sank: unknown to this version"):
        journal.read()


@pytest.mark.parametrize(
    ("telemetry", "body"),
    [(0, "{not json"), (0, '{"is":"StepFailed","release":"a"}'), (0, "7"), (0, "[" * 100_000), (1, "{not json")],
)
def test_a_damaged_event_keeps_its_place_and_the_others_are_read(
    journal: Journal, path: Path, telemetry: int, body: str
) -> None:
    journal.append([paused("a")], "ada", 1.0)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("insert into events (at, who, telemetry, body) values (2.0, 'eve', ?, ?)", (telemetry, body))
    journal.append([paused("b")], "ada", 3.0)
    first, damaged, last = journal.read()
    assert [first.body, last.body] == [paused("a"), paused("b")]
    assert isinstance(damaged.body, ev.Unreadable)
    assert (damaged.seq, damaged.body.lasting) == (2, not telemetry)
    assert damaged in journal.recent(3.0)


def test_a_journal_cut_off_in_the_middle_is_said_in_a_line(path: Path) -> None:
    journal = Journal(path)
    for number in range(200):
        journal.append([paused(f"release {number}" * 20)], "ada", 1.0)
    journal.close()
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(JournalError, match=r"malformed.*move it away|disk image"):
        Journal(path).read()


# Who drives


def test_a_lease_is_taken_held_and_given_back(journal: Journal) -> None:
    assert journal.holder("late") is None
    lease = journal.take("late", "ada")
    holder = journal.holder("late")
    assert holder is not None
    assert (holder.who, holder.pid, holder.alive, holder.weak) == ("ada", os.getpid(), True, False)
    assert holder.label == f"ada, process {os.getpid()}"
    assert journal.take("late", "ada") == lease
    journal.beat(lease)
    journal.let_go(lease)
    assert (journal.holder("late"), journal.holds(lease)) == (None, False)
    assert journal.take("late", "ada").token > lease.token


def test_a_live_driver_is_not_disturbed_but_by_force(
    journal: Journal, path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    other = Journal(path, pid=stranger.pid)
    theirs = other.take("late", "bob")
    with pytest.raises(Refused, match=f"late: driven by bob, process {stranger.pid}"):
        journal.take("late", "ada")
    ours = journal.take("late", "ada", force=True)
    assert ours.token > theirs.token
    with pytest.raises(Lost, match="another terminal took over"):
        other.beat(theirs)
    with pytest.raises(Lost, match="another terminal took over"):
        other.append([paused("a")], "bob", 1.0, theirs)
    other.let_go(theirs)
    assert journal.holds(ours)
    other.close()


def test_who_only_watches_gives_way_to_who_releases_and_to_nobody_else(
    journal: Journal, path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    other = Journal(path, pid=stranger.pid)
    other.take("late", "bob", weak=True)
    with pytest.raises(Refused):
        journal.take("late", "ada", weak=True)
    assert journal.take("late", "ada").token > 0
    other.close()


def test_who_has_ended_holds_nothing(journal: Journal, path: Path, stranger: subprocess.Popen[bytes]) -> None:
    other = Journal(path, pid=stranger.pid)
    lease = other.take("late", "bob")
    stranger.kill()
    psutil.Process(stranger.pid).wait(5)
    holder = journal.holder("late")
    assert holder is not None
    assert not holder.alive
    assert journal.take("late", "ada").token > lease.token
    other.close()


def test_a_number_that_was_used_again_is_not_the_driver(journal: Journal, path: Path) -> None:
    lease = journal.take("late", "ada")
    db = sqlite3.connect(path)
    db.execute("update leases set started = started - 1")
    db.commit()
    db.close()
    assert journal.take("late", "ada").token > lease.token


@pytest.mark.parametrize(("silent_s", "alive"), [(1.0, True), (60.0, False)])
def test_a_driver_on_another_machine_is_known_by_its_beat(
    journal: Journal, path: Path, silent_s: float, alive: bool
) -> None:
    journal.take("late", "ada")
    db = sqlite3.connect(path)
    db.execute("update leases set machine = 'elsewhere', beat = ?", (journal.clock.now() - silent_s,))
    db.commit()
    db.close()
    holder = journal.holder("late")
    assert holder is not None
    assert (holder.alive, holder.label) == (alive, f"ada, process {os.getpid()} on elsewhere")


@pytest.mark.parametrize(("silent_s", "alive", "hangs"), [(1.0, True, False), (10.0, True, True), (60.0, False, True)])
def test_a_driver_that_runs_and_gives_no_sign_hangs(
    journal: Journal, path: Path, silent_s: float, alive: bool, hangs: bool
) -> None:
    journal.take("late", "ada")
    db = sqlite3.connect(path)
    db.execute("update leases set beat = ?", (journal.clock.now() - silent_s,))
    db.commit()
    db.close()
    holder = journal.holder("late")
    assert holder is not None
    assert (holder.alive, holder.hangs, holder.silent_s >= silent_s) == (alive, hangs, True)


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert j.me() == f"uid {os.getuid()}"


# A full disk


def fill(path: Path, pages: int = 40) -> tuple[Journal, sqlite3.Connection]:
    """A journal that has room for no more than so many pages beyond the reserve, as a small disk has."""
    journal = Journal(path)
    db = journal._db
    db.execute("pragma wal_autocheckpoint=1")
    now = int(db.execute("pragma page_count").fetchone()[0])
    db.execute(f"pragma max_page_count={now + pages}")
    return journal, db


def test_the_facts_of_a_rollback_still_fit_on_a_full_disk(path: Path) -> None:
    journal, db = fill(path)
    telemetry = ev.Logged("late", "train", "x" * 3000)
    place = path.with_name("journal.db.reserve")
    assert place.stat().st_size == reserve.SIZE
    while place.exists():
        with contextlib.suppress(JournalError):
            journal.append([telemetry], "ada", time.time())
    # What the file gave back is room again.
    db.execute("pragma max_page_count=100000")
    last = journal.last()
    journal.append([telemetry, ev.Sampled("late", sample("blue")), seen(), paused("r2"), seen()], "ada", time.time())
    assert [type(event.body).__name__ for event in journal.read(last)] == ["Observed", "Paused"]
    journal.append([seen(weight=0.0)], "ada", time.time())
    assert journal.read()[-1].body == seen(weight=0.0)
    # With the reserve spent and no room at all it is one line.
    db.execute(f"pragma max_page_count={int(db.execute('pragma page_count').fetchone()[0])}")
    before = journal.last()
    with pytest.raises(JournalError, match=r"full; free some space and call again"):
        journal.append([paused("r" * 4000)] * 20, "ada", time.time())
    assert journal.last() == before
    db.execute("pragma max_page_count=100000")
    journal._reserve._looked_at = -reserve.AGAIN_S
    journal.append([telemetry], "ada", time.time())
    assert place.exists()
    journal.close()


FILLER = """
    import sys, time
    from pathlib import Path
    from core.state import events as ev
    from core.domain.errors import JournalError
    from core.journal.journal import Journal
    journal = Journal(Path(sys.argv[1]) / "journal.db")
    lease = journal.take("late", "ada")
    line = ev.Logged("late", "train", "x" * 3000)
    blob = Path(sys.argv[1]) / "blob"
    try:
        with blob.open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()
    except OSError:
        pass
    wrote, said = 0, ""
    for number in range(60):
        try:
            wrote = journal.append([line, ev.Paused(f"r{number}")], "ada", time.time(), lease) or wrote
        except JournalError as error:
            said = str(error)
            break
    print(wrote, journal.last(), said or "all fits")
"""


def test_on_a_disk_that_is_really_full_decisions_are_still_written(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    call = small_disk(disk)
    if call is None:
        pytest.skip("this machine lets nobody mount a small disk")
    ran = subprocess.run(
        [*call, sys.executable, "-c", textwrap.dedent(FILLER), str(disk)],
        check=True, capture_output=True, text=True, timeout=30, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    wrote, last, said = ran.stdout.strip().split(" ", 2)
    assert (wrote, said) == (last, "all fits")


LIMITED = """
    import resource, sys, time
    from pathlib import Path
    from core.state import events as ev
    from core.domain.errors import JournalError
    from core.journal.journal import Journal
    path = Path(sys.argv[1])
    journal = Journal(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    wrote = 0
    try:
        while True:
            wrote = journal.append([ev.Paused("r" * 2000)], "ada", time.time()) or wrote
    except JournalError as error:
        print(wrote, error)
"""


def test_a_file_that_may_not_grow_is_one_line_and_what_was_written_is_whole(path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED), str(path)],
        check=True, capture_output=True, text=True, timeout=30, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    wrote, _, said = ran.stdout.strip().partition(" ")
    assert said.startswith(f"journal {path}: ")
    assert "\n" not in said
    journal = Journal(path)
    assert len(journal.read(0, 100_000)) == int(wrote) > 10
    assert journal._db.execute("pragma integrity_check").fetchone() == ("ok",)
    journal.append([paused("goes on")], "ada", 1.0)
    journal.close()


def test_a_writer_killed_in_the_middle_leaves_a_whole_journal(path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from core.state import events as ev
        from core.journal.journal import Journal
        journal = Journal(Path(sys.argv[1]))
        while True:
            print(journal.append([ev.Paused("a"), ev.Paused("b")], "ada", time.time()), flush=True)
    """
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    rest, _ = writer.communicate(timeout=10)
    told += [int(line) for line in rest.splitlines() if line.strip()]
    journal = Journal(path)
    events = journal.read(0, 1_000_000)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len(events) >= told[-1]
    assert len(events) % 2 == 0
    journal.close()

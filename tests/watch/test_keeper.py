"""What the watch keeps small: the journal, and the folders beside it."""

import contextlib
import time
from pathlib import Path

import pytest

from core.domain.model import Observation, Version
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import events as ev
from core.system.processes import ProcessId, process_id
from core.watch.keeper import Keeper
from tests.environments import sample


async def test_old_telemetry_and_old_folders_go(tmp_path: Path) -> None:
    (tmp_path / "quarterdeck.yaml").write_text(
        "data:\n  source: iris\n  target: species\nendpoint:\n  name: late\nretention:\n  runs: 2\n"
    )
    for number in range(4):
        (tmp_path / "runs" / f"r{number}").mkdir(parents=True)
        (tmp_path / "runs" / f"r{number}" / "report.json").write_text("{}")
    project = Project(tmp_path)
    with contextlib.closing(project.journal()) as journal:
        for age in range(600):
            journal.append([ev.Sampled("late", sample("blue"))], "ada", time.time() - 2 * 3600 + age)
        async with Engine(journal, project.environment_of, "ada") as engine:
            keeper = Keeper(project, engine, lambda: False)
            # Each call does what a second allows.
            for _ in range(30):
                keeper._tidy(engine.snapshot, engine.now())
                if len(journal.read()) <= 61:
                    break
        assert len(journal.read()) <= 61
    assert len(list((tmp_path / "runs").iterdir())) == 2


async def test_it_says_that_the_one_before_ended_without_a_word_where_something_is_up(tmp_path: Path) -> None:
    me = process_id()
    assert me is not None
    (tmp_path / "quarterdeck.yaml").write_text("data:\n  source: iris\n  target: species\nendpoint:\n  name: late\n")
    project = Project(tmp_path)
    with contextlib.closing(project.journal()) as journal:
        async with Engine(journal, project.environment_of, "ada") as engine:
            for name, replicas in (("late", 1), ("gone", 0)):
                await engine.emit(
                    ev.Observed(
                        name, Observation("blue", Version("late", "1") if replicas else None, replicas, replicas, 0.0)
                    )
                )
            keeper = Keeper(project, engine, lambda: False)
            before = engine.snapshot.seq
            await keeper.tell_of(None)
            await keeper.tell_of(me)
            assert engine.snapshot.seq == before
            await keeper.tell_of(ProcessId(me.pid, me.started - 1, me.boot))
            await keeper.tell_of(ProcessId(me.pid, me.started - 1, me.boot), orderly=True)
        said = [record.body for record in journal.read(before)]
    assert [(body.endpoint, body.noted.text) for body in said if isinstance(body, ev.Remarked)] == [
        ("late", f"the watch, process {me.pid}, {how}; process {me.pid} steers now")
        for how in ("ended without a word", "was ended by a signal")
    ]


async def test_a_clock_that_was_set_is_said_once_for_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quarterdeck.yaml").write_text("data:\n  source: iris\n  target: species\nendpoint:\n  name: late\n")
    project, ahead, real = Project(tmp_path), [0.0], time.time
    with contextlib.closing(project.journal()) as journal:
        monkeypatch.setattr("time.time", lambda: real() + ahead[0])
        async with Engine(journal, project.environment_of, "ada") as engine:
            await engine.emit(ev.Observed("late", Observation("blue", Version("late", "1"), 1, 1, 100.0)))
            before = engine.snapshot.seq
            keeper = Keeper(project, engine, lambda: False)
            for ahead[0] in (0.0, 3600.0, 3600.0, -3600.0, 0.0, 0.0):
                await keeper.tell_of_the_clock()
        said = [record.body.noted for record in journal.read(before) if isinstance(record.body, ev.Remarked)]
    assert [(noted.source, noted.text.partition(";")[0]) for noted in said] == [
        ("clock", "the clock was set 3600 s forward"),
        ("clock", "the clock was set 3600 s back"),
        ("clock", "the clock is right again"),
    ]

"""What the watch keeps small: the journal, and the folders beside it."""

import contextlib
import time
from pathlib import Path

from core.engine.engine import Engine
from core.engine.project import Project
from core.state import events as ev
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

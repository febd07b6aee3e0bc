"""Read-only has no hole: every type of command and every command of the command line is refused, or changes nothing."""

import contextlib
import re
import typing
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from core.domain.errors import Refused
from core.domain.figures import RightAnswers
from core.domain.load_profile import LoadProfile
from core.domain.plan import Plan
from core.engine.project import Project
from core.state import commands as c
from tests.environments import V1
from tests.tui import past
from tui.cli import app
from tui.cli_common import LOOKING

COMMANDS: dict[type, c.Command] = {
    c.Begin: c.Begin(past.ENDPOINT, "r9", "dev", Plan("x", ())),
    c.Next: c.Next(past.ENDPOINT),
    c.Answer: c.Answer(past.ENDPOINT, yes=True),
    c.Pause: c.Pause(past.ENDPOINT),
    c.Abort: c.Abort(past.ENDPOINT),
    c.Rollback: c.Rollback(past.ENDPOINT),
    c.Undo: c.Undo(past.ENDPOINT),
    c.RetireSlot: c.RetireSlot(past.ENDPOINT, "green"),
    c.ScaleSlot: c.ScaleSlot(past.ENDPOINT, 3),
    c.Reason: c.Reason(past.ENDPOINT, "why"),
    c.TellTruth: c.TellTruth(past.ENDPOINT, {"1": RightAnswers(1, 1)}),
    c.RecordDrill: c.RecordDrill(past.ENDPOINT, V1, 30.0, 20.0, 100, 0),
    c.StartLoad: c.StartLoad(past.ENDPOINT, LoadProfile("steady", 1, 1.0, None)),
    c.SetLoad: c.SetLoad(past.ENDPOINT, stop=True),
    c.Tail: c.Tail(past.ENDPOINT, "blue"),
    c.SilenceAlert: c.SilenceAlert(past.ENDPOINT, "errors", 60.0),
}
OF_ITS_OWN = {"init", "restore", "demo"}
"""They make a project of their own, and know of no other."""
SHOWN = {"data", "replay"}
"""Looked at elsewhere: one reads the whole table, the other takes the screen and refuses every key."""
GIVEN = {
    "silence": ["errors", "--reason", "x"],
    "unsilence": ["errors"],
    "reason": ["why"],
    "truth": ["{}/truth.csv"],
    "retire": ["green"],
    "scale": ["3"],
    "backup": ["{}/b.tar.gz"],
    "backtest": ["--all"],
    "export": ["r2", "-o", "{}/r2.qdr"],
    "image": ["build"],
    "azure": ["setup"],
}
VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = past.project(tmp_path)
    locked(made)
    return Project(made.path)


def locked(project: Project) -> None:
    project.path.write_text(project.path.read_text() + "\nread_only: true\n")


def state(project: Project) -> dict[str, bytes]:
    """All files of a project that say what was decided and what is kept."""
    with contextlib.closing(project.journal()) as journal:
        last = str(journal.last()).encode()
    folder = project.path.parent
    own = {"journal.db-wal", "journal.db-shm", "journal.db", "quarterdeck.log"}
    files = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in own}
    return {**files, "last": last}


@pytest.mark.parametrize("kind", typing.get_args(c.Command))
async def test_every_type_of_command_is_refused_at_the_door(project: Project, kind: type) -> None:
    journal = project.journal()
    before = journal.last()
    async with project.engine(journal) as engine:
        with pytest.raises(Refused, match="dev: read-only by its settings; nothing can be asked until read_only is"):
            await engine.do(COMMANDS[kind])
    assert journal.last() == before
    journal.close()


@pytest.mark.parametrize("kind", typing.get_args(c.Command))
async def test_every_type_of_command_is_refused_to_who_came_to_look(tmp_path: Path, kind: type) -> None:
    project = past.project(tmp_path)
    journal = project.journal()
    async with project.engine(journal, read_only=True) as engine:
        with pytest.raises(Refused, match="read-only: nothing can be asked from here"):
            await engine.do(COMMANDS[kind])
    journal.close()


async def test_the_file_counts_as_it_is_now_and_a_slip_in_it_stands_in_nobodys_way(tmp_path: Path) -> None:
    project = past.project(tmp_path)
    assert project.refusal(past.ENDPOINT) == ""
    text = project.path.read_text()
    locked(project)
    assert "read-only by its settings" in project.refusal(past.ENDPOINT)
    project.path.write_text(text + "\nread_only: [\n")
    assert project.refusal(past.ENDPOINT) == ""


def test_one_environment_alone_can_be_read_only(tmp_path: Path) -> None:
    path = past.project(tmp_path).path
    path.write_text(path.read_text() + "\nenvironments:\n  prod:\n    read_only: true\n")
    project = Project(path)
    assert project.refusal(past.ENDPOINT) == ""
    assert project.refusal("late").startswith("prod: read-only")
    assert not project.read_only
    assert Project(path, "prod").read_only


@pytest.mark.parametrize("verb", sorted(set(VERBS) - LOOKING - OF_ITS_OWN))
def test_every_command_that_is_not_known_to_look_is_refused(
    project: Project, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.path.parent)
    before = state(project)
    said = CliRunner().invoke(app, [verb, *GIVEN.get(verb, [])])
    assert said.exit_code == Refused.exit_code, said.output
    assert re.match(rf"refused: {verb}( build| setup)?: dev: read-only by its settings", said.output)
    assert len(said.output.strip().splitlines()) == 1
    assert state(project) == before


@pytest.mark.parametrize("verb", ["down", "restart", "watch"])
def test_what_is_of_all_environments_is_refused_where_one_is_read_only(
    tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = past.project(tmp_path).path
    path.write_text(path.read_text() + "\nenvironments:\n  prod:\n    read_only: true\n")
    monkeypatch.chdir(path.parent)
    said = CliRunner().invoke(app, [verb])
    assert said.exit_code == Refused.exit_code, said.output
    assert f"{verb}: prod: read-only" in said.output


@pytest.mark.parametrize("verb", sorted((LOOKING & set(VERBS)) - SHOWN))
def test_what_looks_looks_and_changes_nothing(
    project: Project, verb: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(project.path.parent)
    before = state(project)
    said = CliRunner().invoke(app, [verb, *(part.format(tmp_path) for part in GIVEN.get(verb, []))])
    # A plan says that this would refuse the release.
    assert said.exit_code == int(verb == "plan"), said.output
    assert state(project) == before


def test_every_command_has_its_place() -> None:
    assert set(VERBS) >= {verb.split()[0] for verb in LOOKING} - {"quarterdeck"}
    assert not LOOKING & OF_ITS_OWN

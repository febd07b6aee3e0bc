"""What `quarterdeck status` says of the project's registry."""

from pathlib import Path

import pytest

from core.config.planner import Wishes, release_of
from core.config.scaffold import init
from core.engine import shell_variables
from core.engine.project import Project
from core.state import events as ev
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from tui.status import registries

VARIABLE = "MLFLOW_TRACKING_URI"


def released(path: Path, address: str, monkeypatch: pytest.MonkeyPatch, env: str = "dev") -> list[ev.Event]:
    """A release that was begun in a shell where the registry is at an address."""
    monkeypatch.setenv(VARIABLE, address)
    project = Project(path, env)
    begin = release_of(project.settings, True, Wishes())
    shell_variables.keep(project.settings, begin.release)
    monkeypatch.delenv(VARIABLE)
    began = ev.Began(begin.release, begin.endpoint, env, begin.plan, options=begin.options)
    return [ev.Event(1, 1.0, "ada", began)]


def told(path: Path, events: list[ev.Event]) -> list[str]:
    return registries(Project(path), fold_all(events))


def test_the_registry_is_the_one_that_the_release_was_begun_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = init(tmp_path / "late", sample="iris")
    events = released(path, "http://user:secret@models.lan:5000", monkeypatch)
    monkeypatch.setenv(VARIABLE, "http://elsewhere.lan")
    assert told(path, events) == ["models: http://models.lan:5000"]


def test_a_database_with_a_password_is_named_by_the_release_whose_shell_knew_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = init(tmp_path / "late", sample="iris")
    events = released(path, "postgresql://user:secret@db/mlflow", monkeypatch)
    (said,) = told(path, events)
    assert said.endswith(f'"${VARIABLE}"  with {VARIABLE} as in the shell of {events[0].body.release}')  # type: ignore[union-attr]
    assert "secret" not in said


def test_environments_with_registries_of_their_own_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = init(tmp_path / "late", sample="iris")
    events = [
        *released(path, "http://one.lan", monkeypatch),
        *released(path, "http://two.lan", monkeypatch, "prod"),
    ]
    names = [event.body.endpoint for event in events]  # type: ignore[union-attr]
    assert told(path, events) == [f"models of {names[0]}: http://one.lan", f"models of {names[1]}: http://two.lan"]


def test_before_any_release_it_is_this_shells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "http://here.lan")
    path = init(tmp_path / "late", sample="iris")
    assert registries(Project(path), Snapshot()) == ["models: http://here.lan"]

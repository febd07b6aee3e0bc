"""`quarterdeck watch --install`, beside a watch and without one."""

import sys
from pathlib import Path

import pytest

from core.config.scaffold import init
from core.engine.project import Project
from tui import watch_command
from tui.headless import watch_of


async def test_a_unit_is_told_how_it_takes_the_place_of_a_watch_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    project = Project(init(tmp_path / "late", sample="iris"))
    said: list[str] = []
    try:
        await watch_command.run(project, said.append, install_unit=True)
        running = await watch_of(project).ensure()
        await watch_command.run(project, said.append, install_unit=True)
    finally:
        await watch_of(project).stop()
    alone, beside = said
    assert "switch it on with: systemctl --user enable --now" in alone
    assert f"takes the place of the watch that runs, process {running.pid}" in beside
    assert f"quarterdeck watch --stop --config {project.path} && systemctl --user enable --now" in beside

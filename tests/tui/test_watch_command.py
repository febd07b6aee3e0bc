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


async def test_who_can_t_be_told_is_said_when_the_watch_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_THERE", "http://127.0.0.1:9/")
    monkeypatch.delenv("HOOK_GONE", raising=False)
    path = init(tmp_path / "late", sample="iris")
    receivers = [f"    {name}: {{kind: slack, url_env: HOOK_{name.upper()}}}" for name in ("there", "gone")]
    path.write_text("\n".join([path.read_text(), "alerts:", "  receivers:", *receivers, ""]))
    project = Project(path)
    said: list[str] = []
    try:
        await watch_command.run(project, said.append)
    finally:
        await watch_of(project).stop()
    started, *unheard = said
    assert started.startswith("watch: process ")
    assert [line.partition(";")[0] for line in unheard] == ["gone will be told nothing: the watch has no HOOK_GONE"]

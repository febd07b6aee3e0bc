"""The unit that brings a project's endpoints back after a reboot."""

import configparser
import plistlib
import sys
from pathlib import Path

import pytest

from core.watch.install import install, uninstall, unit_path


def test_a_systemd_unit_keeps_what_it_started_and_survives_odd_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    config = tmp_path / 'my 100% "late" $HOME' / "quarterdeck.yaml"
    path, line = install(config, tmp_path)
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    start = parser["Service"]["ExecStart"]
    assert "100%%" in start
    assert '\\"late\\"' in start
    assert "$$HOME" in start
    assert start.endswith('"--foreground"')
    assert parser["Service"]["KillMode"] == "process"
    assert path.name in line
    assert uninstall(config, tmp_path) == path
    assert uninstall(config, tmp_path) is None


def test_a_launch_agent_is_a_property_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    config = tmp_path / "late" / "quarterdeck.yaml"
    path, _ = install(config, tmp_path)
    told = plistlib.loads(path.read_bytes())
    assert told["ProgramArguments"][-2:] == [str(config), "--foreground"]
    assert told["RunAtLoad"] is True


def test_two_projects_with_folders_of_one_name_have_units_of_their_own(tmp_path: Path) -> None:
    one, two = tmp_path / "a" / "late" / "quarterdeck.yaml", tmp_path / "b" / "late" / "quarterdeck.yaml"
    assert unit_path(one, tmp_path) != unit_path(two, tmp_path)

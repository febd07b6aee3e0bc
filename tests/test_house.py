"""The house rules that an import linter can't see: what a fresh interpreter loads, and that help helps."""

import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tui.cli import app

HEAVY = ("mlflow", "azure", "kubernetes", "locust", "xgboost", "pandas", "sklearn", "treelite", "scipy")


def loaded_by(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after some code."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(' '.join({{name.split('.')[0] for name in sys.modules}}))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(told.stdout.splitlines()[-1].split())


def test_help_loads_no_screen_and_no_sdk() -> None:
    code = "from typer.testing import CliRunner\nfrom tui.cli import app\nCliRunner().invoke(app, ['--help'])"
    loaded = loaded_by(code)
    assert "typer" in loaded
    assert not loaded & {"textual", "httpx", *HEAVY}


def test_a_rollback_asks_the_watch_before_anything_slow_is_loaded() -> None:
    before = loaded_by("")
    loaded = loaded_by("import tui.start, tui.quick_rollback")
    assert "tui" in loaded
    slow = {"pathlib", "dataclasses", "inspect", "logging", "tempfile", "traceback", "typer", "asyncio", "contextlib"}
    slow |= {"json", "re", "socket", "selectors"}
    assert not loaded & (slow - before)


def test_the_deck_loads_no_sdk() -> None:
    loaded = loaded_by("import tui.live")
    assert "textual" in loaded
    assert not loaded & set(HEAVY)


def test_the_engine_loads_no_face() -> None:
    loaded = loaded_by("import core.engine.engine, core.engine.project_environment")
    assert "core" in loaded
    assert not loaded & {"tui", "textual", "typer", *HEAVY}


def test_what_trains_elsewhere_loads_no_sdk_where_it_is_steered() -> None:
    loaded = loaded_by("import core.training.elsewhere")
    assert "httpx" in loaded
    assert not loaded & set(HEAVY)


def test_scoring_loads_nothing_of_ours_and_nothing_heavy() -> None:
    loaded = loaded_by("import scoring.service, scoring.score")
    assert "scoring" in loaded
    assert not loaded & {"core", "tui", *HEAVY}


@pytest.mark.parametrize("command", sorted(typer.main.get_command(app).commands))  # type: ignore[attr-defined]
def test_every_command_says_what_it_does(command: str) -> None:
    told = CliRunner().invoke(app, [command, "--help"])
    assert told.exit_code == 0, told.output
    assert f"quarterdeck {command}" in told.output
    # What it does, in a sentence between the usage and the options.
    assert any(line.strip(" │").endswith(".") for line in told.output.splitlines()[2:5]), told.output


def test_every_module_of_core_stands_in_exactly_one_layer() -> None:
    home = Path(__file__).parents[1]
    contracts = tomllib.loads((home / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["name"] == "Imports point inward")
    rooms = [room.strip() for layer in layers for room in layer.split("|")]
    stands = {path: [room for room in rooms if path.parts[0] == room] for path in _modules(home / "core")}
    assert stands
    assert {str(path): found for path, found in stands.items() if len(found) != 1} == {}


def test_no_two_classes_have_one_name() -> None:
    home = Path(__file__).parents[1]
    files = [path for room in ("core", "scoring", "tui", "themes") for path in (home / room).rglob("*.py")]
    names = Counter(name for path in files for name in re.findall(r"^class (\w+)", path.read_text(), re.MULTILINE))
    assert names
    assert [name for name, count in names.items() if count > 1] == []


def _modules(core: Path) -> list[Path]:
    found = [path.relative_to(core) for path in core.rglob("*.py")]
    return [path for path in found if path != Path("__init__.py")]

"""Commands that hints name can be pasted as they stand."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from core.domain.hints import NO_ENDPOINT, OF_FILE, as_called, typed
from tui.cli import app

HOME = Path(__file__).parents[2]
OF_ONE = "drill|rollback|undo|abort|pause|next|approve|reject|retire|down|load|reason|smoke"
"""Commands that are of one environment, and do something there."""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("drill", "prod", True), "'quarterdeck drill --env prod --confirm prod'"),
        (("drill", "staging", False), "'quarterdeck drill --env staging'"),
        (("", "dev"), "'quarterdeck --env dev'"),
        (("", ""), "'quarterdeck'"),
        (("rollback --to VERSION", "prod", True), "'quarterdeck rollback --to VERSION --env prod'"),
        (("promote --to prod", "staging"), "'quarterdeck promote --to prod'"),
        (("status", "prod", True, "stock"), "'quarterdeck status'"),
        (("down", "dev", False, "stock"), "'quarterdeck down --env dev --endpoint stock'"),
    ],
)
def test_a_hint_names_the_whole_command(given: tuple[str, ...], said: str) -> None:
    assert typed(*given) == said  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ("'quarterdeck next --env dev' goes on", "'quarterdeck next --config F --env dev' goes on"),
        ("'quarterdeck --env dev' follows it", "'quarterdeck --config F --env dev' follows it"),
        ("follow it with 'quarterdeck'", "follow it with 'quarterdeck --config F'"),
        ("quarterdeck image build 3, then", "quarterdeck image build --config F 3, then"),
        ("'quarterdeck watch --stop', then 'quarterdeck watch'", "{0} --stop', then {0}'"),
        ("'quarterdeck restore BACKUP' or 'quarterdeck init DIR'", ""),
        ("'quarterdeck plan --help' says what it takes", ""),
        ("pip install 'quarterdeck[azure]', or install quarterdeck again", ""),
        ("~/quarterdeck release, quarterdeck released it", ""),
        ("quarterdeck watch --stop --config G && systemctl", ""),
    ],
)
def test_a_command_means_the_file_that_was_given(said: str, becomes: str) -> None:
    assert as_called(said, "F", "") == (becomes.format("'quarterdeck watch --config F") or said)
    assert as_called(said, "", "") == said


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ("'quarterdeck abort --env dev' ends it", "'quarterdeck abort --endpoint stock --env dev' ends it"),
        ("'quarterdeck down --env dev --endpoint prices'", "'quarterdeck down --env dev --endpoint prices'"),
        ("'quarterdeck watch'", "'quarterdeck watch'"),
    ],
)
def test_a_command_means_the_endpoint_that_was_given(said: str, becomes: str) -> None:
    assert as_called(said, "", "stock") == becomes


def test_a_file_with_a_blank_in_its_name_is_typed_as_a_shell_takes_it() -> None:
    said = as_called("'quarterdeck plan'", "my shop/q.yaml", "stock")
    assert said == "'quarterdeck plan --config 'my shop/q.yaml' --endpoint stock'"


def _taking(option: str, group: Any, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _taking(option, command, f"{before}{name} ")
        elif any(one.name == option for one in command.params):
            yield f"{before}{name}"


def test_each_command_that_reads_the_file_is_known_to_hints() -> None:
    commands = get_command(app)
    assert sorted(_taking("config", commands)) == sorted(OF_FILE)
    assert sorted(_taking("endpoint", commands)) == sorted(set(OF_FILE) - set(NO_ENDPOINT))


def test_no_hint_names_a_command_of_one_environment_without_it() -> None:
    """A bare `down` would stop every environment, and a bare `drill` whichever the file names first."""
    bare = re.compile(rf"'quarterdeck (?:{OF_ONE})\b(?![^']*--env)")
    found = [
        f"{path.relative_to(HOME)}: {line.strip()}"
        for folder in ("core", "tui")
        for path in sorted((HOME / folder).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if bare.search(line)
    ]
    assert found == []

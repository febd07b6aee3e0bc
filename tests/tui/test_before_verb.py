"""What says which project is meant stands before a command's name or behind it, for every command alike."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from tui.before_verb import OF_THE_DECK, SHARED
from tui.cli import app
from tui.start import BEFORE_VERB, rollback_words

ROOT = typer.main.get_command(app)
MANY = {"sets"}


def _verbs(group: Any = ROOT, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command by the words that call it."""
    for name, command in group.commands.items():
        words = (*above, name)
        if isinstance(command, TyperGroup):
            yield from _verbs(command, words)
        else:
            yield words, command


VERBS = dict(_verbs())
SAID = {"config": "far/quarterdeck.yaml", "env": "staging", "sets": "data.rows=7", "endpoint": "late"}


def _needed(command: Any) -> list[str]:
    """Arguments that it can't do without."""
    return ["3" for one in command.params if one.param_type_name == "argument" and one.required]


def _parsed(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], args: list[str]) -> dict[str, Any]:
    """What a command is called with by a whole line; nothing of it is done."""
    called: dict[str, Any] = {}
    monkeypatch.setattr(VERBS[words], "callback", lambda **given: called.update(given))
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, result.output
    return called


@pytest.fixture(autouse=True)
def _one_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands that a test looks at are those that it calls."""
    monkeypatch.setattr("typer.testing._get_command", lambda _: ROOT)


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_command_takes_what_it_knows_on_either_side_of_its_name(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    command, needed = VERBS[words], _needed(VERBS[words])
    names = {one.name for one in command.params}
    for name, option in SHARED.items():
        said = [option, SAID[name]]
        if name in names:
            after = _parsed(monkeypatch, words, [*words, *said, *needed])
            before = _parsed(monkeypatch, words, [*said, *words, *needed])
            assert before == after
            assert str(before[name]) == str([SAID[name]] if name in MANY else SAID[name])
        else:
            result = CliRunner().invoke(app, [*said, *words, *needed])
            assert (result.exit_code, f"'{' '.join(words)}' takes no {option}" in result.output) == (2, True)


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_what_is_the_decks_alone_is_refused_in_a_line(words: tuple[str, ...]) -> None:
    for option in OF_THE_DECK.values():
        result = CliRunner().invoke(app, [option, *words])
        assert (result.exit_code, result.output.count("\n")) == (2, 1)
        assert f"takes no {option}" in result.output


def test_behind_the_name_goes_over_before_it_and_settings_of_both_count(monkeypatch: pytest.MonkeyPatch) -> None:
    line = ["--env", "dev", "--set", "data.rows=1", "plan", "--env", "prod", "--set", "data.rows=2"]
    called = _parsed(monkeypatch, ("plan",), line)
    assert (called["env"], called["sets"]) == ("prod", ["data.rows=1", "data.rows=2"])


def test_a_value_that_looks_like_a_command_is_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _parsed(monkeypatch, ("status",), ["--config", "plan", "status"])["config"].name == "plan"
    assert _parsed(monkeypatch, ("image", "build"), ["--env=prod", "image", "build", "7"])["version"] == "7"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rollback --env prod", "--env prod"),
        ("--config p --env=prod rollback --reason slow", "--config p --env=prod --reason slow"),
        ("--set a=1 rollback --set b=2", "--set a=1 --set b=2"),
        ("--config rollback status", None),
        ("--env rollback", None),
        ("--read-only rollback", None),
        ("status rollback", None),
        ("", None),
    ],
)
def test_a_rollback_is_known_by_its_name_wherever_that_stands(line: str, said: str | None) -> None:
    """Before anything is loaded that could parse it."""
    assert rollback_words(line.split()) == (None if said is None else said.split())
    assert set(BEFORE_VERB) == set(SHARED.values())

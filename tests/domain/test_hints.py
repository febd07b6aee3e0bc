"""Commands that hints name can be pasted as they stand."""

import re
from pathlib import Path

import pytest

from core.domain.hints import typed

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
        (("next", "dev", False, "", "my shop/q.yaml"), "'quarterdeck next --config 'my shop/q.yaml' --env dev'"),
    ],
)
def test_a_hint_names_the_whole_command(given: tuple[str, ...], said: str) -> None:
    assert typed(*given) == said  # type: ignore[arg-type]


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

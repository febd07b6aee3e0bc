"""Options that stand before a command's name, as in `quarterdeck --config F plan`: read as if they stood behind it."""

from collections.abc import Iterator, Mapping
from typing import Any

from typer.core import TyperGroup

from core.domain.errors import BadInput
from tui.cli_common import end, err

SHARED: Mapping[str, str] = {"config": "--config", "env": "--env", "sets": "--set", "endpoint": "--endpoint"}
"""What the deck takes and most commands take too, by the name of the parameter."""
OF_THE_DECK: Mapping[str, str] = {"read_only": "--read-only"}


class VerbGroup(TyperGroup):
    """All commands. What stands behind a command's name goes over what stands before it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that is meant, with all that is said to it."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is None:
            return name, command, rest
        inner = command.commands.get(rest[0]) if isinstance(command, TyperGroup) and rest else None
        verb, meant, after = (f"{name} {rest[0]}", inner, 1) if inner is not None else (name, command, 0)
        moved = _moved(ctx.params, str(verb), {one.name for one in meant.params})
        return name, command, [*rest[:after], *moved, *rest[after:]]


def _moved(given: Mapping[str, Any], verb: str, takes: set[str | None]) -> list[str]:
    """What was given before a command's name, as its arguments; one that it does not take ends it with a line."""
    words: list[str] = []
    for name, option in {**SHARED, **OF_THE_DECK}.items():
        if not given.get(name):
            continue
        if name not in takes or name in OF_THE_DECK:
            err(f"error: '{verb}' takes no {option}; 'quarterdeck {verb} --help' says what it takes")
            end(BadInput.exit_code)
        words += [word for value in _values(given[name]) for word in (option, value)]
    return words


def _values(value: object) -> Iterator[str]:
    yield from map(str, value) if isinstance(value, list | tuple) else [str(value)]

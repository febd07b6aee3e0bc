"""Themes: roles to styles. A theme is a TOML file in `themes/`, the only place where a colour is named."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.style import Style
from textual.theme import Theme

import themes
from core.domain.errors import BadInput

FOLDER = Path(themes.__file__).parent
DEFAULT = "dark"
SIXTEEN = "sixteen"
"""What a terminal that has only so many colours gets in the default's place."""


@dataclass(frozen=True, slots=True)
class Palette:
    """A theme as it was read: colours by name, and what each role looks like."""

    name: str
    dark: bool
    colours: Mapping[str, str]
    roles: Mapping[str, Style]

    def style(self, role: str) -> Style:
        """What a role looks like; a slot or a bar without a colour of its own gets the other one."""
        found = self.roles.get(role)
        return found if found is not None else self.roles.get(f"{role.partition('.')[0]}.other", self.roles["text"])


def slot_role(slot: str, of: str = "slot") -> str:
    """The role of a slot's own colour, for its `slot` name or its `bar`."""
    return f"{of}.{slot}"


def of_terminal() -> str:
    """The theme that this terminal can show: the default where it has the colours for it."""
    return SIXTEEN if Console(force_terminal=True).color_system == "standard" else DEFAULT


def names() -> list[str]:
    """The themes there are, the default first."""
    return sorted((path.stem for path in FOLDER.glob("*.toml")), key=lambda name: (name != DEFAULT, name))


@cache
def load(name: str) -> Palette:
    """A theme by name; raises BadInput when there is none or it is not whole."""
    path = FOLDER / f"{name}.toml"
    if not path.is_file():
        raise BadInput(f"theme {name}: unknown; one of {', '.join(names())}")
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
        colours = read["colours"]
        ground = Style(bgcolor=colours["panel"])
        roles = {role: ground + Style.parse(_resolved(words, colours)) for role, words in read["roles"].items()}
        return Palette(name, bool(read["dark"]), colours, roles)
    except (KeyError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path}: {error}; see themes/{DEFAULT}.toml for what belongs there") from error


def _resolved(words: str, colours: Mapping[str, str]) -> str:
    plain = {"bold", "italic", "underline", "on"}
    return " ".join(word if word in plain else colours[word] for word in words.split())


def textual_theme(palette: Palette) -> Theme:
    """The same theme for Textual's own parts: borders, inputs, the palette of commands."""
    of = palette.colours
    return Theme(
        name=f"deck-{palette.name}",
        primary=of["yellow"],
        secondary=of["blue"],
        accent=of["yellow"],
        warning=of["orange"],
        error=of["red"],
        success=of["green"],
        foreground=of["text"],
        background=of["ground"],
        surface=of["raised"],
        panel=of["panel"],
        dark=palette.dark,
        variables={f"deck-{name}": colour for name, colour in of.items()},
    )

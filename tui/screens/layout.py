"""How the panes share the screen. Pure: cells in, cells out."""

from collections.abc import Mapping
from dataclasses import dataclass

PANES_OF = {"left": ("stages", "gates"), "right": ("traffic", "environments", "load", "scaling", "log")}
FOLDED = ("stages", "gates", "scaling", "log")
"""What is only a line or two where there is little room."""
ENDPOINT, SMALL = 5, 14
TALL = 46
"""With so many lines the endpoint lists its replicas, and environments stand side by side."""


@dataclass(frozen=True, slots=True)
class Room:
    """The cells of each pane. `left` is the left column's width, 0 where all stand in one column."""

    narrow: bool
    left: int
    heights: Mapping[str, int]


def share(width: int, height: int, stages: int, replicas: int = 10, environments: int = 0) -> Room:
    """The room of each pane on a screen of so many cells, the lines above and below not counted.

    There are up to so many `replicas` of a slot to list, and `environments` to set side by side.
    """
    return _narrow(height) if width < 100 or height < 28 else _wide(width, height, stages, replicas, environments)


def _narrow(height: int) -> Room:
    # In very little room the slots stay, and what was said last gives way to the load.
    fixed = {"stages": 1, "gates": 1, "traffic": ENDPOINT, "scaling": 1, "log": 2 if height >= SMALL else 1}
    return Room(True, 0, {**fixed, "environments": 0, "load": max(3, height - sum(fixed.values()))})


def _wide(width: int, height: int, stages: int, replicas: int, environments: int) -> Room:
    first = max(6, min(stages + 2, height - 10))
    endpoint = ENDPOINT if height < TALL else ENDPOINT + min(10, replicas + 2)
    others = environments + 2 if environments and height >= TALL else 0
    rest = height - endpoint - others
    scaling = max(6, round(rest * 0.27))
    log = max(5, round(rest * 0.23))
    heights = {"stages": first, "gates": height - first, "traffic": endpoint, "scaling": scaling, "log": log}
    heights["environments"] = others
    return Room(False, 36 if width < 150 else 46, {**heights, "load": rest - scaling - log})

"""The lines through all charts, each for something that happened, and what they mean."""

import re
from collections.abc import Sequence

from core.state.endpoint import Mark, MarkKind
from tui.styled import Line, width as width_of
from tui.theme import slot_role

MARK = {MarkKind.SCALED: "┆", MarkKind.TRAFFIC: "╏", MarkKind.DIED: "╳", MarkKind.USERS: "┊"}
INDENT, BETWEEN = 6, "   "


def mark_role(mark: Mark) -> str:
    """The role of a mark: its slot's own where traffic moved to one."""
    if mark.kind is MarkKind.TRAFFIC and mark.slot:
        return slot_role(mark.slot)
    return f"mark.{mark.kind.value}"


def legend(marks: Sequence[Mark], since: float, cells: int) -> Line:
    """What the lines through the charts mean: of each kind the newest, as many as fit."""
    newest = {
        (mark.kind, mark.text if mark.kind is MarkKind.TRAFFIC else ""): mark for mark in marks if mark.at >= since
    }
    shown = sorted(newest.values(), key=lambda mark: -mark.at)
    said = [_clauses(mark) for mark in shown]
    chosen: list[str] = []
    room = cells - INDENT + len(BETWEEN)
    for shortest in (one[0] for one in said):
        room -= width_of(((shortest, ""),)) + 2 + len(BETWEEN)
        if room < 0:
            break
        chosen.append(shortest)
    room = cells - INDENT + len(BETWEEN) - sum(width_of(((text, ""),)) + 2 + len(BETWEEN) for text in chosen)
    # What room is left goes to the newest: as much of what it says as is whole.
    for at, short in enumerate(chosen):
        longer = [text for text in said[at] if width_of(((text, ""),)) - width_of(((short, ""),)) <= room]
        chosen[at] = longer[-1]
        room -= width_of(((longer[-1], ""),)) - width_of(((short, ""),))
    line: Line = ()
    for mark, text in zip(shown, chosen, strict=False):
        line = ((MARK[mark.kind], mark_role(mark)), (f" {text}{BETWEEN}", "dim"), *line)
    return ((" " * INDENT, "text"), *line)


def _clauses(mark: Mark) -> list[str]:
    """What a mark says, from its first clause to all of it: `blue-3 died`, `blue-3 died: exit code 0`, and so on."""
    text = mark.text if mark.kind is not MarkKind.SCALED else f"scaled {mark.slot or ''} {mark.text}"
    ends = [found.start() for found in re.finditer("[:;,] ", text)]
    return [text[:end] for end in (*ends, len(text))]

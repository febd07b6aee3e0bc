"""The replicas of an endpoint as lines: counted by what is wrong, the worst first, and of many those around the cursor.

Only lines that are seen are made: a thousand replicas cost what a screen of them costs.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len

from core.domain.model import Observation, Replica, ReplicaState
from tui import format as as_text
from tui.styled import Line, cut, left, right, width as width_of
from tui.theme import slot_role

STATES = {
    ReplicaState.DEAD: ("✖", "fails"),
    ReplicaState.BACKOFF: ("‖", "fails"),
    ReplicaState.PENDING: ("◇", "waits"),
    ReplicaState.STARTING: ("◌", "moves"),
    ReplicaState.DRAINING: ("◍", "waits"),
    ReplicaState.READY: ("●", "good"),
}
"""The sign of each state, the worst first."""
RANK = {state: rank for rank, state in enumerate(STATES)}
GROUPS = 4
"""So many kinds of replicas are counted at the most, the rest together."""
NAME, LEAST_WHY = 13, 24
_FIGURE = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class ReplicaGroup:
    """So many replicas that do the same and are ill of the same; `why` is the first one's."""

    state: ReplicaState
    why: str
    count: int


class SlotReplica(NamedTuple):
    """A replica with the slot that it is of."""

    replica: Replica
    seen: Observation


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of each replica. Columns of the highest rank leave first where there is too little room."""

    rank: int
    title: str
    cells: int
    text: Callable[[Replica, float], str]


def _cpu(replica: Replica, _: float) -> str:
    return as_text.NOTHING if replica.cpu_m is None else f"{replica.cpu_m:.0f}m"


def _memory(replica: Replica, _: float) -> str:
    return as_text.NOTHING if replica.memory_mb is None else f"{replica.memory_mb:.0f} MB"


def _restarts(replica: Replica, _: float) -> str:
    return str(replica.restarts) if replica.told else as_text.NOTHING


def _age(replica: Replica, now: float) -> str:
    return as_text.NOTHING if replica.since is None else as_text.about(now - replica.since)


def _node(replica: Replica, _: float) -> str:
    return replica.node or as_text.NOTHING


def worst_first(shown: Sequence[Observation]) -> list[SlotReplica]:
    """All replicas, those that are ill first and those with the same trouble beside each other."""
    found = [SlotReplica(replica, seen) for seen in shown for replica in seen.replicas]
    return sorted(found, key=lambda one: (RANK[one.replica.state], not one.replica.why, _kind(one.replica.why)))


def groups(replicas: Sequence[SlotReplica]) -> list[ReplicaGroup]:
    """How many do what, in the order of the replicas."""
    counts: dict[tuple[ReplicaState, str], int] = {}
    said: dict[tuple[ReplicaState, str], str] = {}
    for one in replicas:
        key = (one.replica.state, _kind(one.replica.why))
        counts[key] = counts.get(key, 0) + 1
        said.setdefault(key, one.replica.why)
    return [ReplicaGroup(key[0], said[key], count) for key, count in counts.items()]


def _kind(why: str) -> str:
    """A reason without its figures: `again in 4 s` and `again in 8 s` are one trouble."""
    return _FIGURE.sub("0", why) if why else ""


def trouble(seen: Observation) -> str:
    """Why a slot has fewer replicas ready than it should, in a line; empty where it has, or where they only start."""
    if seen.version is None or seen.ready >= seen.due:
        return ""
    serves = (ReplicaState.READY, ReplicaState.DRAINING)
    ill = (one for one in seen.replicas if one.why and one.state not in serves)
    worst = min(ill, key=lambda one: RANK[one.state], default=None)
    why = worst.why if worst is not None else seen.why
    return f"{seen.slot} {seen.ready} of {seen.due} ready: {why}" if why else ""


def table(
    replicas: Sequence[SlotReplica], size: tuple[int, int], under: str, now: float, *, heard: bool, counted: int
) -> list[Line]:
    """The replicas in so many cells and lines: their counts, a head, and those around the one with the cursor.

    `under` is its name; `counted` lines are kept for the counts, fewer where there is nothing to count.
    """
    width, height = size
    columns, name = _columns(replicas, width)
    top = [*_counts(replicas, width, counted, heard=heard), _head(columns, name)]
    room = max(0, height - len(top))
    at = next((number for number, one in enumerate(replicas) if one.replica.name == under), 0) if under else 0
    first = max(0, min(at - room // 2, len(replicas) - room))
    rows = [
        _row(one, columns, name, width, now, here=one.replica.name == under, heard=heard)
        for one in replicas[first : first + room]
    ]
    return [*top, *rows]


def lines_of_counts(replicas: Sequence[SlotReplica], height: int) -> int:
    """How many lines the counts take: none where there is but one kind, or all are well and seen."""
    kinds = groups(replicas)
    if len(kinds) < 2 or (len(replicas) < height and not any(one.why for one in kinds)):
        return 0
    return min(GROUPS, len(kinds))


def _counts(replicas: Sequence[SlotReplica], width: int, lines: int, *, heard: bool) -> list[Line]:
    kinds = groups(replicas)
    if len(kinds) > lines:
        kept, rest = kinds[: max(0, lines - 1)], kinds[max(0, lines - 1) :]
    else:
        kept, rest = kinds, []
    found: list[Line] = []
    for one in kept:
        sign, role = STATES[one.state]
        head: Line = ((f"{sign} ", role if heard else "dim"), (f"{one.count:>5,} {one.state.value:<9}", "text"))
        found.append((*head, (cut(one.why, max(0, width - width_of(head))), "waits")))
    if rest and lines:
        found.append(((f"  {sum(one.count for one in rest):>5,} others", "dim"),))
    return [*found, *([()] * (lines - len(found)))]


def _columns(replicas: Sequence[SlotReplica], width: int) -> tuple[list[Column], int]:
    """The columns for which there is room, and the cells of the name."""
    wide = max((cell_len(one.replica.node) for one in replicas), default=0)
    aged = any(one.replica.since is not None for one in replicas)
    found = [Column(2, "cpu", 6, _cpu), Column(4, "memory", 11, _memory), Column(1, "restarts", 10, _restarts)]
    found += [Column(3, "age", 8, _age)] if aged else []
    found += [Column(5, "node", max(6, wide + 2), _node)] if wide else []
    why = LEAST_WHY if any(one.replica.why for one in replicas) else 0
    # Two cells for the cursor, two for the sign, nine for the state.
    rest = width - 13 - why
    while found and NAME + sum(one.cells for one in found) > rest:
        found.remove(max(found, key=lambda one: one.rank))
    longest = max((cell_len(one.replica.name) + 1 for one in replicas), default=NAME)
    spare = rest - sum(one.cells for one in found)
    return found, max(NAME, min(longest, spare))


def _head(columns: Sequence[Column], name: int) -> Line:
    titles = "".join(right(one.title, one.cells) for one in columns)
    return ((f"  {left('replica', name)}{left('state', 11)}{titles}", "dim"),)


def _row(
    one: SlotReplica, columns: Sequence[Column], name: int, width: int, now: float, *, here: bool, heard: bool
) -> Line:
    replica = one.replica
    sign, role = STATES[replica.state]
    line: Line = (
        ("▸ " if here else "  ", "key"),
        (left(_tail(replica.name, name - 1), name), slot_role(one.seen.slot)),
        (f"{sign} ", role if heard else "dim"),
        (left(replica.state.value, 9), "text" if heard else "dim"),
    )
    for column in columns:
        quiet = column.title in ("age", "node") or (column.title == "restarts" and not replica.restarts)
        shade = "dim" if quiet else "waits" if column.title == "restarts" else "text"
        line = (*line, (right(column.text(replica, now), column.cells), shade))
    return (*line, (f"  {cut(replica.why, max(0, width - width_of(line) - 2))}", "waits")) if replica.why else line


def _tail(text: str, cells: int) -> str:
    """The end of a name in so many cells: pods of one slot begin alike."""
    return text if cell_len(text) <= cells else f"…{text[-(cells - 1) :]}"

"""Pane 4: the endpoint. A line a slot, with the share of the answers it really gives beside the share it should."""

from itertools import zip_longest

from core.domain.model import Observation, Replica, ReplicaState, Slot
from tui import format as as_text
from tui.styled import Line, bar, cut, left, right, width as width_of
from tui.summary import Reality, proof, reality, slot_role
from tui.view import View
from tui.widgets.pane import Pane

SLOTS = 2
"""So many slot lines are always there, so that nothing moves when the second slot comes."""
STATES = {
    ReplicaState.READY: ("●", "good"),
    ReplicaState.STARTING: ("◌", "moves"),
    ReplicaState.DRAINING: ("◍", "waits"),
    ReplicaState.BACKOFF: ("‖", "fails"),
    ReplicaState.DEAD: ("✖", "fails"),
}
COLUMN = 74
"""Where there is room, the replicas of two slots stand side by side."""
NUMBERS = 57
"""Cells that the figures of a slot take; the bar has the rest."""


class TrafficPane(Pane):
    """The slots of the endpoint; full, their replicas too."""

    NUMBER = "4"
    TICKS = True

    def parts(self, view: View) -> tuple[object, ...]:
        """The slots, what they were asked for, and what they answered."""
        endpoint = view.endpoint
        if endpoint is None:
            return (None,)
        series = [view.series(slot) for slot in endpoint.slots]
        return (endpoint.slots, endpoint.weights, endpoint.verified, endpoint.retire, view.series(None), *series)

    def name_of(self, view: View) -> str:
        """The endpoint's own name."""
        return f"endpoint {view.name}" if view.name else "endpoint"

    def note_of(self, view: View) -> str:
        """Where it answers."""
        return view.endpoint.url.removeprefix("http://") if view.endpoint else ""

    def lines(self, view: View, width: int, height: int) -> list[Line]:
        """The slots, then where the traffic goes and how that was proved, then the replicas if there is room."""
        endpoint = view.endpoint
        if endpoint is None or not endpoint.slots:
            return [
                (("nothing is served yet", "dim"),),
                (("quarterdeck release", "strong"), (" trains and serves a model", "dim")),
            ]
        real = reality(view)
        shown = sorted(endpoint.slots.values(), key=lambda seen: seen.slot)
        rows = [self._slot(seen, real[seen.slot], endpoint.weights, width) for seen in shown]
        while len(rows) < SLOTS:
            rows.append(())
        rows.append(proof(view))
        if height > len(rows) + 1:
            rows += [(), *self._replicas(shown, width)]
            rows = self._around(rows, height, SLOTS + 3)
        return rows

    def _slot(self, seen: Observation, real: Reality, weights: dict[Slot, float] | object, width: int) -> Line:
        wanted = weights.get(seen.slot, seen.weight) if isinstance(weights, dict) else seen.weight
        share = real.share if real.share is not None else seen.weight
        ready_role = "good" if seen.ready >= seen.wanted else "waits" if seen.ready else "fails"
        label = seen.version.label if seen.version else as_text.NOTHING
        room = max(4, width - 11 - NUMBERS)
        sample = real.sample
        p95 = sample.latency.percentile_ms(95) if sample else None
        return (
            (left(seen.slot, 6), slot_role(seen.slot)),
            (left(label, 5), "text"),
            *bar(share / 100, room, slot_role(seen.slot, "bar")),
            (right(as_text.percent(real.share), 8), "strong"),
            (right(f" of {wanted:g}", 7), "dim"),
            (right(as_text.whole(sample.rps if sample else 0.0), 6), "text"),
            (" rps", "dim"),
            (" p95", "p95"),
            (right(as_text.ms(p95), 5), "text"),
            (right(as_text.percent(sample.failed_percent if sample else None), 7), "text"),
            (" err", "dim"),
            (right(f"{seen.ready}/{seen.wanted}", 6), ready_role),
            (" ready", "dim"),
        )

    def _replicas(self, shown: list[Observation], width: int) -> list[Line]:
        head: Line = (("  replica      state         cpu     memory  restarts", "dim"),)
        columns: list[list[Line]] = []
        at = 0
        beside = width >= COLUMN * len(shown)
        for seen in shown:
            rows: list[Line] = []
            for replica in seen.replicas:
                rows.append(_replica(replica, seen, COLUMN if beside else width, self.cursor == at and self.has_focus))
                at += 1
            columns.append(rows)
        if not beside:
            return [head, *(row for rows in columns for row in rows)]
        whole = [[head, *rows] for rows in columns]
        return [
            tuple(piece for row in side for piece in (*row, (" " * (COLUMN - width_of(row)), "text")))
            for side in zip_longest(*whole, fillvalue=())
        ]

    def _around(self, rows: list[Line], height: int, head: int) -> list[Line]:
        """The lines around the cursor where there are more than fit."""
        if len(rows) <= height:
            return rows
        over = len(rows) - height
        first = min(over, max(0, (self.cursor or 0) - (height - head) // 2))
        return [*rows[:head], *rows[head + first :]]

    def replicas(self) -> list[Replica]:
        """All replicas in the order shown."""
        endpoint = self.view.endpoint if self.view else None
        slots = sorted(endpoint.slots.values(), key=lambda seen: seen.slot) if endpoint else []
        return [replica for seen in slots for replica in seen.replicas]

    def chosen(self) -> Replica | None:
        """The replica under the cursor, or else one that is ill, or else the first."""
        found = self.replicas()
        if self.cursor is not None and found:
            return found[min(self.cursor, len(found) - 1)]
        ill = (replica for replica in found if replica.state is not ReplicaState.READY)
        return next(ill, found[0] if found else None)

    def move(self, by: int) -> None:
        """The cursor up or down."""
        found = self.replicas()
        if found and self.view is not None:
            self.cursor = min(max(0, (self.cursor if self.cursor is not None else -1) + by), len(found) - 1)
            self.look(self.view)

    def why(self, view: View) -> list[str]:
        """What is wrong with a slot or a replica."""
        slots = view.endpoint.slots.values() if view.endpoint else ()
        said = [f"{seen.slot}: {seen.why}" for seen in slots if seen.why]
        said += [f"{r.name} {r.state.value}: {r.why}" for seen in slots for r in seen.replicas if r.why]
        retire = view.endpoint.retire if view.endpoint else {}
        said += [f"{slot} stays for the way back until {as_text.clock(at)}" for slot, at in retire.items()]
        return said or ["all replicas are as they should be"]


def _replica(replica: Replica, seen: Observation, width: int, here: bool) -> Line:
    sign, role = STATES[replica.state]
    cpu = as_text.NOTHING if replica.cpu_m is None else f"{replica.cpu_m:.0f}m"
    memory = as_text.NOTHING if replica.memory_mb is None else f"{replica.memory_mb:.0f} MB"
    return (
        ("▸ " if here else "  ", "key"),
        (left(replica.name, 13), slot_role(seen.slot)),
        (f"{sign} ", role),
        (left(replica.state.value, 9), "text"),
        (right(cpu, 6), "text"),
        (right(memory, 11), "text"),
        (right(str(replica.restarts), 10), "waits" if replica.restarts else "dim"),
        (f"  {cut(replica.why, max(0, width - 55))}", "waits"),
    )

"""The new slot beside the live one, and by itself, block by block of a hold: what gates bet on. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TypeAlias

from core.domain.gates import Edge, Gate, bad_of, edge_of
from core.domain.histogram import Histogram, bucket
from core.domain.model import Slot
from core.domain.sample import TIMEOUT, Sample

MOST_BLOCKS = 1200
"""A block is a second; of a longer hold as many more as this bound asks for."""
LEAST_ANSWERS = 20

Four: TypeAlias = tuple[int, int, int, int]
"""Answers of the new slot, bad ones of those, answers of the live slot, bad ones of those."""
Two: TypeAlias = tuple[int, int]
"""Answers of the new slot, and bad ones of those."""


@dataclass(frozen=True, slots=True)
class Block:
    """One stretch of a hold, of both slots. `limits` are buckets that live's past had set when it began, one for each
    edge asked for; `slow` counts the answers beyond them. None: live had answered too little to set one. `alone` counts
    the new slot's for each gate that asks it alone."""

    place: int
    failed: Four = (0, 0, 0, 0)
    limits: tuple[int | None, ...] = ()
    slow: tuple[Four, ...] = ()
    alone: tuple[Two, ...] = ()


@dataclass(frozen=True, slots=True)
class Paired:
    """The blocks of a hold so far, `block_s` seconds each, and what is compared: `edges` of live's latencies. `alone`
    are gates that ask the new slot alone."""

    new: Slot
    live: Slot | None
    since: float
    block_s: float
    edges: tuple[Edge, ...]
    blocks: tuple[Block, ...] = ()
    alone: tuple[Gate, ...] = ()

    def plus(self, sample: Sample, past: Histogram) -> "Paired":
        """With one second more of one slot; `past` is how long live's answers took in the minute before it."""
        place = max(0, int((sample.at - self.since - sample.seconds / 2) / self.block_s))
        block, others = self._open(place, past)
        side = 0 if sample.slot == self.new else 2
        failed = _add(block.failed, side, sample.requests, sample.failures)
        late = sample.failed.get(TIMEOUT, 0)
        slow = tuple(
            four
            if limit is None
            # What never came was slow, however long nobody waited for it.
            else _add(four, side, sample.latency.count + late, late + _beyond(sample.latency, limit, edge, side))
            for four, limit, edge in zip(block.slow, block.limits, self.edges, strict=True)
        )
        alone = block.alone
        if side == 0:
            found = (bad_of(gate, sample) for gate in self.alone)
            alone = tuple((of + more, bad + worse) for (of, bad), (worse, more) in zip(block.alone, found, strict=True))
        return replace(self, blocks=(*others, replace(block, failed=failed, slow=slow, alone=alone)))

    def _open(self, place: int, past: Histogram) -> tuple[Block, tuple[Block, ...]]:
        """The block of a place, begun where it is not there, and all before it. What comes late goes to the last."""
        if self.blocks and self.blocks[-1].place >= place:
            return self.blocks[-1], self.blocks[:-1]
        limits = tuple(_limit(past, edge) for edge in self.edges)
        slow, alone = ((0, 0, 0, 0),) * len(limits), ((0, 0),) * len(self.alone)
        return Block(place, limits=limits, slow=slow, alone=alone), self.blocks

    def counts(self, edge: Edge | None) -> list[Four]:
        """One count a block, none left out: of failures, or of answers beyond an edge of live's past."""
        place = None if edge is None else self.edges.index(edge)
        found = {one.place: one.failed if place is None else one.slow[place] for one in self.blocks}
        return [found.get(at, (0, 0, 0, 0)) for at in range(self._last + 1)]

    def counts_alone(self, gate: Gate) -> list[Two]:
        """One count a block, none left out, of a gate that asks the new slot alone."""
        place = self.alone.index(gate)
        found = {one.place: one.alone[place] for one in self.blocks}
        return [found.get(at, (0, 0)) for at in range(self._last + 1)]

    @property
    def _last(self) -> int:
        return self.blocks[-1].place if self.blocks else -1


def paired(gates: Sequence[Gate], new: Slot | None, live: Slot | None, since: float, hold_s: float) -> Paired | None:
    """An empty one for a hold whose gates bet, on both slots or on the new one alone; None where none does."""
    compared = [gate for gate in gates if gate.compared and live is not None]
    alone = tuple(dict.fromkeys(gate for gate in gates if gate.alone))
    if not (compared or alone) or new is None:
        return None
    edges = sorted({edge for gate in compared if (edge := edge_of(gate)) is not None})
    block_s = float(max(1, ceil(hold_s / MOST_BLOCKS)))
    return Paired(new, live, since, block_s, tuple(edges), alone=alone)


def _limit(past: Histogram, edge: Edge) -> int | None:
    """The bucket of live's percentile, where enough answers say where it lies."""
    percent, _ = edge
    if past.count < max(LEAST_ANSWERS, 5 / (1 - percent / 100)):
        return None
    ms = past.percentile_ms(percent)
    return None if ms is None else bucket(ms)


def _beyond(latency: Histogram, limit: int, edge: Edge, side: int) -> int:
    """How many answers lie beyond the bucket; the new slot's have the dead band more."""
    highest = limit + edge[1] if side == 0 else limit
    return _count(latency.counts, highest)


def _count(counts: Mapping[int, int], highest: int) -> int:
    return sum(count for at, count in counts.items() if at > highest)


def _add(four: Four, side: int, answers: int, bad: int) -> Four:
    if side == 0:
        return (four[0] + answers, four[1] + bad, four[2], four[3])
    return (four[0], four[1], four[2] + answers, four[3] + bad)

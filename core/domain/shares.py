"""Shares of what a slot answered, as counts that say how surely they are known; and the labels of two slots. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, sqrt
from typing import TypeAlias

from core.domain.intervals import sure_difference
from core.domain.sample import LABEL, Sample

Part: TypeAlias = tuple[float, float]
"""How many, and of how many."""
MIX_Z = 3.5
"""Of standard errors: by simulation, two slots that say the same then differ for a gate in one of a thousand holds."""


def _by_request(part: int, rows: int, sample: Sample) -> Part:
    """Rows that came together in one request are no draws of their own: a share is known no better than by requests."""
    scale = min(1.0, sample.requests / rows) if rows else 0.0
    return part * scale, rows * scale


def _unknown(sample: Sample) -> Part:
    found = sample.inputs
    return (0, 0) if found is None else _by_request(found.unknown, found.rows, sample)


def _outside(sample: Sample) -> Part:
    found = sample.inputs
    return (0, 0) if found is None else _by_request(found.outside, found.compared, sample)


PARTS: Mapping[str, Callable[[Sample], Part]] = {
    "unprocessable_percent": lambda s: (s.unprocessable, s.asked),
    "unknown_percent": _unknown,
    "out_of_range_percent": _outside,
    "differing_percent": lambda s: (s.differing, s.compared),
}
"""Metrics that are shares and are judged by what is surely so."""


def percent_of(metric: str, sample: Sample) -> float | None:
    """A share in percent; None of nothing."""
    some, of = PARTS[metric](sample)
    return 100 * some / of if of else None


@dataclass(frozen=True, slots=True)
class Mix:
    """The label whose share differs most between two slots: its shares in percent, and by how many points the largest
    difference is there for sure, whichever label that is."""

    label: str
    new: float
    live: float
    sure_points: float

    @property
    def points(self) -> float:
        """By how much it differs, up or down."""
        return abs(self.new - self.live)


def labelled(sample: Sample | None) -> float:
    """How many answers with a label a sample is worth."""
    return 0.0 if sample is None else _by_request(0, sum(_labels(sample).values()), sample)[1]


def mix_of(new: Sample, live: Sample) -> Mix:
    """How the labels of two slots differ; both have answered some.

    Each further label is another chance to differ by chance: the bound is as much wider as that needs.
    """
    one, two = _labels(new), _labels(live)
    z = sqrt(MIX_Z**2 + 2 * log(max(1, len(one.keys() | two.keys()))))
    found = []
    for label in sorted(one.keys() | two.keys()):
        mine = _by_request(one.get(label, 0), sum(one.values()), new)
        other = _by_request(two.get(label, 0), sum(two.values()), live)
        sure = max(sure_difference(*mine, *other, z), sure_difference(*other, *mine, z))
        name = label.removeprefix(LABEL)
        found.append(Mix(name, 100 * mine[0] / mine[1], 100 * other[0] / other[1], 100 * sure))
    most = max(found, key=lambda each: each.points)
    return Mix(most.label, most.new, most.live, max(each.sure_points for each in found))


def _labels(sample: Sample) -> Mapping[str, int]:
    return {name: count for name, count in sample.mix.items() if name.startswith(LABEL)}

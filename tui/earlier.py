"""What was measured before all that a snapshot keeps, for charts that show an hour."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from core.domain.sample import Sample
from core.state import events as ev
from core.state.snapshot import SeriesKey
from tui.history import History

LookBack: TypeAlias = Callable[[float, float], Sequence[ev.Event]]
"""Reads the telemetry between two moments, as finely as it is kept; may take a moment."""


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """Samples by endpoint and slot, oldest first, and how many replicas there were."""

    samples: Mapping[SeriesKey, tuple[Sample, ...]] = field(default_factory=dict)
    history: History = field(default_factory=History)


NOTHING_EARLIER = Earlier()


def earlier(events: Iterable[ev.Event]) -> Earlier:
    """What these events measured."""
    samples: dict[SeriesKey, list[Sample]] = {}
    history = History()
    for event in events:
        history = history.plus(event)
        if isinstance(event.body, ev.Sampled):
            samples.setdefault((event.body.endpoint, event.body.sample.slot), []).append(event.body.sample)
    return Earlier({key: tuple(found) for key, found in samples.items()}, history)

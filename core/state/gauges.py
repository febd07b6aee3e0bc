"""What sources elsewhere said of one slot since a hold began: added to as it comes. Pure."""

from dataclasses import dataclass, replace

from core.state.endpoint_events import Gauged

KEEP = 100
MOST = 1200
"""So many values are kept, within the longest window that a gate asks for, and at least `KEEP`."""


@dataclass(frozen=True, slots=True, eq=False)
class Gauge:
    """`values` with their moments, oldest first; `asked` counts the answers, and `why` is what the last one had in
    place of a value: `failed` where it could not be measured."""

    values: tuple[tuple[float, float], ...] = ()
    asked: int = 0
    why: str = ""
    failed: bool = False

    def plus(self, said: Gauged, since: float, window_s: float) -> "Gauge":
        """With one answer more; a value of before the hold is none of its."""
        asked = replace(self, asked=self.asked + 1, why=said.why, failed=said.failed)
        if said.value is None:
            return asked
        if said.at < since:
            return replace(asked, why="the newest value is of before the hold")
        if self.values and said.at <= self.values[-1][0]:
            # The same value again: who is asked measures more seldom.
            return asked
        values = (*self.values, (said.at, said.value))
        young = sum(at >= said.at - window_s for at, _ in values)
        return replace(asked, values=values[-min(MOST, max(KEEP, young)) :])

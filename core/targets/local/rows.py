"""What the rows were that replicas scored: labels given, categories unknown, numbers out of range, slot by slot.

Differences between the pages of counters that replicas show. Rows count for a slot while it has users' requests, or
copies of them: what a smoke test asks before that is none of theirs. Pure but for what it remembers.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from core.domain.figures import Inputs
from core.domain.model import Slot
from core.domain.sample import LABEL
from core.targets.local.counters import Exposition
from core.targets.local.scraped import Scraped

MOST_LABELS = 20
"""So many labels are told apart, the first that a model names; of all others only how many there were."""
OTHERS = "(others)"
LONGEST = 60
_LABEL = re.compile(r'scoring_predictions_total\{label="((?:[^"\\]|\\.)*)"\}')
_ESCAPED = re.compile(r"\\(.)")
_ROWS, _UNKNOWN = "scoring_rows_total", "scoring_unknown_category_rows_total"
_COMPARED, _OUTSIDE = "scoring_range_rows_total", "scoring_out_of_range_rows_total"


@dataclass(slots=True)
class SlotRows:
    """The rows of one slot since they were taken last. `inputs` None: no replica says what they were like."""

    mix: dict[str, int] = field(default_factory=dict)
    inputs: Inputs | None = None


class RowMeter:
    """Takes page after page of each replica."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Slot, Mapping[str, float]]] = {}
        self._named: dict[str, None] = {}
        self._found: dict[Slot, SlotRows] = {}

    def take(self, replica: Scraped, page: Exposition) -> None:
        """What a replica has counted until now."""
        now = {name: value for name, value in page.values.items() if _counts(name)}
        slot, before = self._last.get(replica.who, ("", {}))
        self._last[replica.who] = (replica.slot, now)
        for name in now:
            if len(self._named) < MOST_LABELS and _LABEL.fullmatch(name):
                self._named.setdefault(name)
        # It has begun anew, or its slot had no users when it was asked last.
        if not slot or slot != replica.slot or any(now.get(name, 0.0) < value for name, value in before.items()):
            return
        since = {name: int(value - before.get(name, 0.0)) for name, value in now.items()}
        found = self._found.setdefault(slot, SlotRows())
        for name, count in since.items():
            if count and (label := self._label(name)):
                found.mix[label] = found.mix.get(label, 0) + count
        _add(found, since)

    def living(self, names: Collection[str]) -> None:
        """Only these are left."""
        self._last = {who: last for who, last in self._last.items() if who in names}

    def taken(self) -> Mapping[Slot, SlotRows]:
        """What was counted since this was asked last."""
        found, self._found = self._found, {}
        return found

    def _label(self, name: str) -> str:
        """As a sample names it; empty where a counter counts something else."""
        match = _LABEL.fullmatch(name)
        if match is None:
            return ""
        text = _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], match[1])
        return f"{LABEL}{text[:LONGEST] if name in self._named else OTHERS}"


def _counts(name: str) -> bool:
    return name in (_ROWS, _UNKNOWN, _COMPARED, _OUTSIDE) or name.startswith("scoring_predictions_total{")


def _add(found: SlotRows, since: Mapping[str, int]) -> None:
    """A model without categories counts no unknown ones, which is not to say that there were none."""
    before = found.inputs or Inputs()
    looked_up, compared = _UNKNOWN in since, since.get(_COMPARED, 0) if _OUTSIDE in since else 0
    if not looked_up and not compared:
        return
    found.inputs = Inputs(
        before.rows + (since.get(_ROWS, 0) if looked_up else 0),
        before.unknown + since.get(_UNKNOWN, 0),
        before.compared + compared,
        before.outside + since.get(_OUTSIDE, 0),
    )

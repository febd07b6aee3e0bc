"""What the reporter says in a line, as a sample. Names of kinds and versions are not ours: they are cleaned here."""

from collections.abc import Mapping

from core.domain.histogram import Histogram
from core.domain.sample import Sample
from core.load.process import Line
from core.load.tally import LONGEST_KIND
from core.system.text import clean_line


def sample_of(line: Line) -> Sample:
    """One line of the reporter as a sample."""
    counts = {int(index): count for index, count in line["counts"].items()}
    answered = line["answered"]
    return Sample(
        slot=None,
        at=line["at"],
        ok=line["ok"],
        failed=cleaned(line["failed"]),
        users=line["users"],
        latency=Histogram(counts, line["sum_ms"], line["min_ms"], line["max_ms"]),
        mix=cleaned(line["mix"]),
        seconds=line["seconds"],
        errors=cleaned(line["errors"]),
        quiet_s=max(0.0, line["at"] - answered) if answered is not None else None,
    )


def cleaned(counts: Mapping[str, int]) -> Mapping[str, int]:
    """Counts by names that are not ours; what reads alike is one."""
    found: dict[str, int] = {}
    for name, count in counts.items():
        line = clean_line(name, LONGEST_KIND)
        found[line] = found.get(line, 0) + count
    return found

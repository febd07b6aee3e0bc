"""`quarterdeck doctor`: what is wrong with this machine, this project and what serves, and what to do about each."""

import json
from collections import Counter
from collections.abc import Callable, Sequence

from core.doctor.project import doctor as examined
from core.domain.diagnosis import Condition, Diagnosis
from core.engine.project import Project
from core.system.text import escaped
from tui.output import Document

NAME, OF = 9, 12
"""The least cells of a line's name and of the endpoint that it is about."""

FIELDS = ("name", "of", "condition", "text", "do")


async def doctor(project: Project, write: Callable[[str], None], as_json: bool = False) -> int:
    """Exit code 1 where something is in the way of a release or of users, else 0."""
    found = await examined(project)
    for line in document(found) if as_json else lines(found):
        write(line)
    return 1 if any(one.condition is Condition.FAIL for one in found) else 0


def lines(found: Sequence[Diagnosis]) -> list[str]:
    """A line for each, what to do under it, and how many there are of each kind."""
    width = max([OF, *(len(one.of) for one in found)])
    told: list[str] = []
    for one in found:
        told.append(f"{one.condition.value:<4}  {one.name:<{NAME}} {one.of:<{width}} {one.text}")
        if one.do:
            told.append(f"{'':<4}  {'':<{NAME}} {'':<{width}} → {one.do}")
    counts = Counter(one.condition for one in found)
    return [*told, ", ".join(f"{counts[condition]} {condition.value}" for condition in Condition)]


def document(found: Sequence[Diagnosis]) -> list[str]:
    """The same for programs: one JSON document, each of its lines told whole."""
    counts = Counter(one.condition for one in found)
    whole = {
        "ok": not counts[Condition.FAIL],
        "counts": {condition.value: counts[condition] for condition in Condition},
        "lines": [{field: getattr(one, field) for field in FIELDS} for one in found],
    }
    return [Document(escaped(line)) for line in json.dumps(whole, ensure_ascii=False, indent=1).splitlines()]

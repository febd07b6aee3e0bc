"""`quarterdeck truth FILE`: what answers should have been, and which of two versions was right more often.

Whoever calls the endpoint keeps what it answered: its label and `x-model-version`. Nothing of a request is kept here.
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from core.config.config import endpoint_name
from core.domain.errors import BadInput
from core.domain.figures import RightAnswers
from core.engine.project import Project
from core.rollout.sides import by_truth
from core.state import commands as c
from core.state.right_answers import sides_of
from tui.headless import opened

COLUMNS = ("version", "predicted", "actual")
LONGEST = 20
"""So many versions are told apart in one file; more are a sign that another column was taken for theirs."""


async def truth(project: Project, file: Path, write: Callable[[str], None]) -> int:
    """Write down how often each version was right, and say which is better; the newest file counts."""
    sides = read(file)
    name = endpoint_name(project.settings)
    async with opened(project) as engine:
        await engine.do(c.TellTruth(name, sides, file.name))
        release = engine.snapshot.release_of(name)
    told = sides_of(release) if release is not None else None
    if release is None or told is None or release.version is None or release.old_version is None:
        return 0
    new, old = release.version.label, release.old_version.label
    write(f"{name}: {new} was right in {told[0]}, {old} in {told[1]}")
    write(f"{name}: {by_truth(*told, new, old)}")
    return 0


def read(file: Path) -> dict[str, RightAnswers]:
    """How often each version was right; raises BadInput with the line that can't be read."""
    right: dict[str, int] = {}
    of: dict[str, int] = {}
    with _opened(file) as lines:
        rows = csv.DictReader(lines, restval="", strict=True)
        names = [name.strip().lower() for name in rows.fieldnames or ()]
        if missing := [name for name in COLUMNS if name not in names]:
            raise BadInput(f"{file}: has no column {missing[0]}; it needs {', '.join(COLUMNS)}, a line each answer")
        rows.fieldnames = names
        for row in rows:
            said = [(row[name] or "").strip() for name in COLUMNS]
            version = said[0].removeprefix("v")
            if "" in said:
                raise BadInput(f"{file}, line {rows.line_num}: {COLUMNS[said.index('')]} is empty")
            of[version] = of.get(version, 0) + 1
            right[version] = right.get(version, 0) + _same(said[1], said[2])
            if len(of) > LONGEST:
                raise BadInput(
                    f"{file}, line {rows.line_num}: more than {LONGEST} versions; is 'version' the right column?"
                )
    if not of:
        raise BadInput(f"{file}: holds no answer")
    return {version: RightAnswers(right[version], of[version]) for version in of}


@contextmanager
def _opened(file: Path) -> Iterator[IO[str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield lines
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{file}: is no CSV as UTF-8: {error}") from None


def _same(one: str, other: str) -> bool:
    """Whether two labels are the same, also where one was written as 1 and the other as 1.0."""
    if one == other:
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return False

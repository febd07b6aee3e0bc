"""What would stop a release before it began, as far as that is seen without doing any of it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from core.config.config import data_path
from core.config.settings import Settings
from core.domain.errors import QuarterdeckError
from core.domain.model import Version
from core.domain.plan import Plan, Work
from core.engine.project import READ_ONLY
from core.engine.shell_variables import check
from core.targets.kinds import Forewarning, TrainingPlace, kind_of

HEAD_BYTES = 1 << 16


def foreseen(settings: Settings, environ: Mapping[str, str], reads_rows: bool) -> Iterator[str]:
    """Why a release with these settings would fail now, a line each."""
    if settings.read_only:
        yield READ_ONLY
    for look in (_place, partial(check, reads_rows=reads_rows)):
        try:
            look(settings, environ)
        except QuarterdeckError as error:
            yield str(error)
    if not reads_rows:
        return
    data = settings.data
    if data.target in data.drop:
        yield f"data.drop: {data.target} is what data.target is to be predicted"
    path = data_path(settings)
    if path is not None and not path.exists():
        yield f"data.source: {path}: no such file"
    elif path is not None and path.suffix == ".csv" and not _named(path, data.target):
        yield f"data.target: {path.name} has no column {data.target!r}"


def _place(settings: Settings, environ: Mapping[str, str]) -> None:
    """The place looks at its settings and at the key; what it gives is never asked for anything."""
    kind_of(settings.target).opened(settings, _no_model, environ)


async def refused_there(settings: Settings, plan: Plan) -> Sequence[str]:
    """Why what serves or trains would refuse a release by this plan, a line each; raises Unreachable where it does not
    answer."""
    kind = kind_of(settings.target)
    whys = [*(await kind.beforehand(settings, plan) if isinstance(kind, Forewarning) else ())]
    trains = kind_of(settings.train.on)
    if isinstance(trains, TrainingPlace) and Work("train") in plan.steps:
        whys += await trains.training_beforehand(settings)
    return list(dict.fromkeys(whys))


async def _no_model(version: Version) -> Path:
    raise NotImplementedError(version)


def _named(path: Path, column: str) -> bool:
    """Whether a name stands anywhere in a table's beginning; what can't be read says nothing against it."""
    try:
        with path.open("rb") as file:
            return column.encode() in file.read(HEAD_BYTES)
    except OSError:
        return True

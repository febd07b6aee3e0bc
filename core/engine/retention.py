"""What a project gathers, kept small: its journal, its folders of runs, what was kept of a shell."""

import contextlib
import shutil
from collections.abc import Collection
from pathlib import Path

from core.config.config import runs_folder, state_folder
from core.config.settings import Settings
from core.domain.errors import Failed
from core.engine import shell_variables
from core.engine.project import JOURNAL
from core.engine.report import PAGE, REPORT
from core.journal.journal import Journal
from core.journal.retention import maintain
from core.state.reversal import rollback_of
from core.state.snapshot import Snapshot

LOADS = "load"
FETCHED = "fetch"
"""Where a model is unpacked on its way back from the registry: no release's folder."""


def look_after(settings: Settings, snapshot: Snapshot, now: float) -> None:
    """Once a minute where somebody steers, and at a steered release's end; in a thread. Raises QuarterdeckError."""
    shell_variables.forget_others(state_folder(settings), way_back_needs(snapshot))
    tidy(settings, snapshot)
    with contextlib.closing(Journal(state_folder(settings) / JOURNAL)) as journal:
        maintain(journal, now, settings.retention.telemetry_days)


def tidy(settings: Settings, snapshot: Snapshot) -> list[Path]:
    """Remove the oldest folders beyond the number that the settings ask for, and tell which; raises Failed.

    What a release under way needs stays, as does what a way back may still need.
    """
    most, needed = settings.retention.runs, way_back_needs(snapshot)
    runs, work = runs_folder(settings), state_folder(settings) / "work"
    reports = [path for path in _folders(runs) if path.name != LOADS and _is_report(path, snapshot)]
    loads = [path for path in _folders(runs / LOADS) if not _runs(snapshot, path)]
    steps = [path for path in _folders(work) if path.name != FETCHED]
    gone = [path for found in (reports, loads, steps) for path in _oldest(found, most, needed)]
    for path in gone:
        try:
            shutil.rmtree(path)
        except OSError as error:
            raise Failed(f"{error.filename or path}: {error.strerror or error}; remove it by hand") from error
    return gone


def way_back_needs(snapshot: Snapshot, endpoints: Collection[str] | None = None) -> set[str]:
    """The releases that are live, and of each endpoint the newest and the one that a rollback would take back."""
    live = [release for release in snapshot.releases.values() if release.live]
    needed = {release.id for release in live if endpoints is None or release.endpoint in endpoints}
    for name in snapshot.endpoints if endpoints is None else endpoints:
        needed |= {release.id for release in (snapshot.release_of(name), rollback_of(snapshot, name)) if release}
    return needed


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder; a link is somebody else's."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]


def _is_report(path: Path, snapshot: Snapshot) -> bool:
    """Whether we wrote it: what a person keeps beside our folders is theirs."""
    return path.name in snapshot.releases or (path / REPORT).exists() or (path / PAGE).exists()


def _runs(snapshot: Snapshot, path: Path) -> bool:
    """Whether a load under way writes there: its begin is the newest, and its artifacts come last."""
    running = [e.load.started_at for e in snapshot.endpoints.values() if e.load is not None and e.load.running]
    return any(path.stat().st_mtime >= began - 60 for began in running)


def _oldest(found: list[Path], most: int, needed: Collection[str]) -> list[Path]:
    """Beyond the newest; their names begin with a date, but a folder's own time says it too."""
    newest_first = sorted(found, key=lambda path: (path.stat().st_mtime, path.name), reverse=True)
    return [path for path in newest_first[most:] if path.name not in needed]

"""A project that lies elsewhere than it did: moved, it goes on; copied, it is another project from now on."""

import contextlib
import json
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path

from core.config.config import STATE
from core.domain.errors import Failed, JournalError
from core.domain.model import Observation
from core.journal.journal import Journal
from core.state import events as ev
from core.state.fold import fold_all
from core.state.snapshot import Snapshot

JOURNAL, REGISTRY = "journal.db", "mlflow.db"
LOCKED_S = 0.5
"""So long a registry that somebody else writes to is waited for."""
_ID, _ROOT = "project", "root"
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)
"""Where MLflow's tables hold the address of a file."""


def settle(journal: Journal, root: Path, who: str) -> str:
    """To be called when a project's journal is opened, before anything is driven: what to say, or nothing.

    A registry that can't be written now stands in nobody's way: it is said, and tried again the next time. Raises
    JournalError.
    """
    root = root.resolve()
    known, before = journal.meta(_ID), journal.meta(_ROOT)
    if not known or not before:
        journal.note(**{_ID: uuid.uuid4().hex, _ROOT: str(root)})
        return ""
    old = Path(before)
    if old == root or _same_folder(old, root):
        return ""
    said = f"this project was moved here from {old}; its artifacts are found here now"
    if _project_at(old) == known:
        # What runs there is the original's: it must not be found, adopted or ended from here.
        for name in ("endpoints", "variables"):
            shutil.rmtree(root / STATE / name, ignore_errors=True)
        (root / STATE / "watch.json").unlink(missing_ok=True)
        detach(journal, who, f"this project is a copy of {old}, where it goes on")
        journal.note(**{_ID: uuid.uuid4().hex})
        said = f"this is a copy of {old} and another project from now on: nothing of it runs yet"
    try:
        _models_found_again(old, root)
        found_again(root / STATE / REGISTRY, old, root)
    except Failed as error:
        return str(error)
    journal.note(**{_ROOT: str(root)})
    return said


def detach(journal: Journal, who: str, why: str) -> None:
    """Write down that nothing runs here: what did belongs to where the journal comes from."""
    now = journal.clock.now()
    snapshot = fold_all(journal.recent(now))
    journal.free()
    journal.append(tuple(_nothing_runs(snapshot, why)), who, now)


def _nothing_runs(snapshot: Snapshot, why: str) -> Iterator[ev.Body]:
    for release in snapshot.releases.values():
        if release.live:
            yield ev.Ended(release.id, ev.Outcome.ABORTED, why)
    for name, endpoint in snapshot.endpoints.items():
        for slot in endpoint.slots:
            yield ev.Observed(name, Observation(slot, None, 0, 0, 0.0))
        for slot in endpoint.retire:
            yield ev.Removed(name, slot)
        if endpoint.weights:
            yield ev.Routed(name, {})
        if endpoint.load is not None and endpoint.load.running:
            yield ev.LoadEnded(name, endpoint.load.kind, why)
        if endpoint.url:
            yield ev.Opened(name, "", endpoint.environment, endpoint.target, endpoint.production)


def found_again(registry: Path, old: Path, new: Path) -> None:
    """Let a registry that lies in the project name its files where they are now."""
    if not registry.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(registry, timeout=LOCKED_S)) as db:
            tables = {name for (name,) in db.execute("select name from sqlite_master where type = 'table'")}
            for table, column in _PLACES:
                if table in tables:
                    _rewrite(db, table, column, old, new)
            db.commit()
    except sqlite3.Error as error:
        raise Failed(f"{registry}: {error}; its artifacts lie in {new} now, call again to let it know") from error


def _models_found_again(old: Path, root: Path) -> None:
    """Let what an endpoint is to hold name the model folders where they are now."""
    before, now = (json.dumps(f"{place / STATE}/")[1:-1] for place in (old, root))
    for path in (root / STATE / "endpoints").glob("*/state.json"):
        try:
            text = path.read_text()
            if before in text:
                beside = path.with_name(".state.moved.json")
                beside.write_text(text.replace(before, now))
                beside.rename(path)
        except OSError as error:
            raise Failed(f"{path}: {error.strerror or error}; it names models where they were before") from error


def _rewrite(db: sqlite3.Connection, table: str, column: str, old: Path, new: Path) -> None:
    for was, now in ((old.as_uri(), new.as_uri()), (str(old), str(new))):
        for end in ("/", ""):
            db.execute(
                f"update {table} set {column} = ? || substr({column}, ?) "  # noqa: S608 - names of our own table
                f"where substr({column}, 1, ?) = ? and ({column} = ? or ? <> '')",
                (now + end, len(was + end) + 1, len(was + end), was + end, was + end, end),
            )


def _same_folder(old: Path, new: Path) -> bool:
    """The same folder by another path: a link, or a disk that is mounted twice."""
    try:
        return old.samefile(new)
    except OSError:
        return False


def _project_at(root: Path) -> str:
    """The id of the project that lies there; empty where none can be read."""
    path = root / STATE / JOURNAL
    if not path.exists():
        return ""
    try:
        with contextlib.closing(Journal(path, read_only=True)) as journal:
            return journal.meta(_ID)
    except JournalError:
        return ""

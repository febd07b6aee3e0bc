"""A project in one file: its yaml, journal, registry with all files, models and runs. Nothing that runs, no secrets."""

import contextlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO

from core.config.config import FILE, STATE, data_path, state_folder
from core.config.settings import Settings
from core.domain.errors import BadInput, Failed
from core.engine.relocate import JOURNAL, REGISTRY

FORMAT = 1
MANIFEST = "manifest.json"
DATABASES = (f"{STATE}/{JOURNAL}", f"{STATE}/{REGISTRY}")
FOLDERS = (f"{STATE}/mlartifacts", f"{STATE}/models", "runs")


@dataclass(frozen=True, slots=True)
class Backup:
    """What was written: a path, how many files are in it, and their bytes."""

    path: Path
    files: int
    size: int


def backup(settings: Settings, out: Path) -> Backup:
    """Write the project to a .tar.gz; it may be in use. Raises BadInput for a file that is there, Failed."""
    out = out.absolute()
    if out.exists():
        raise BadInput(f"{out}: is there already; name another file")
    if not out.parent.is_dir():
        raise BadInput(f"{out.parent}: no such folder; make it, or name a file elsewhere")
    if not state_folder(settings).joinpath(JOURNAL).exists():
        raise BadInput(f"{settings.folder}: nothing was released here; there is nothing to back up")
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".quarterdeck-") as scratch:
            files = _files(settings, Path(scratch))
            size = _write(settings, files, beside)
        _publish(beside, out)
    except FileExistsError:
        raise BadInput(f"{out}: is there already; name another file") from None
    except (OSError, sqlite3.Error) as error:
        raise Failed(f"{out}: the backup can't be written: {error}") from error
    finally:
        beside.unlink(missing_ok=True)
    return Backup(out, len(files), size)


def _files(settings: Settings, scratch: Path) -> dict[str, Path]:
    """What belongs to the project, by its name in the archive. Databases as they are at one moment."""
    root = settings.folder
    found = {FILE: root / FILE}
    for path in (data_path(settings), *_locustfiles(settings)):
        if path is not None and path.is_file() and path.resolve().is_relative_to(root.resolve()):
            found[path.resolve().relative_to(root.resolve()).as_posix()] = path
    for name in DATABASES:
        if (root / name).exists():
            copy = scratch / Path(name).name
            with (
                contextlib.closing(sqlite3.connect(root / name)) as db,
                contextlib.closing(sqlite3.connect(copy)) as to,
            ):
                db.backup(to)
            found[name] = copy
    # Only now: what a database names by then is in its folder.
    for folder in FOLDERS:
        found.update((path.relative_to(root).as_posix(), path) for path in _plain_files(root / folder))
    return found


def _locustfiles(settings: Settings) -> Iterator[Path]:
    named = settings.load.locustfile
    if named:
        yield settings.folder / named


def _plain_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def _write(settings: Settings, files: dict[str, Path], beside: Path) -> int:
    size = sum(path.stat().st_size for path in files.values())
    manifest = {
        "format": FORMAT,
        "quarterdeck": version("quarterdeck"),
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "root": str(settings.folder.resolve()),
        "files": len(files),
        "bytes": size,
    }
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
            content = json.dumps(manifest, indent=2).encode()
            _add(archive, MANIFEST, len(content), io.BytesIO(content))
            for name, path in sorted(files.items()):
                with path.open("rb") as source:
                    # As long as it is when its turn comes: the log of a run may grow meanwhile.
                    _add(archive, name, os.fstat(source.fileno()).st_size, source)
        file.flush()
        os.fsync(file.fileno())
    return size


def _add(archive: tarfile.TarFile, name: str, size: int, source: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, int(time.time())
    archive.addfile(member, source)


def _publish(beside: Path, out: Path) -> None:
    """Under its name at once and whole, and never over another file."""
    try:
        os.link(beside, out)
    except FileExistsError:
        raise
    except OSError:
        beside.rename(out)

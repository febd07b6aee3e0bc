"""A project out of a backup, into an empty folder. The archive may be anybody's: nothing of it is trusted."""

import contextlib
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from core.config.config import FILE, STATE
from core.domain.errors import BadInput, Failed, JournalError
from core.engine.backup import DATABASES, FOLDERS, FORMAT, MANIFEST
from core.engine.relocate import JOURNAL, REGISTRY, detach, found_again
from core.journal.journal import Journal

MANIFEST_BYTES = 1 << 16
MOST_FILES = 1_000_000
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """Where a project was restored to, how many files it has, and where it lay before."""

    folder: Path
    files: int
    was: str


def restore(archive: Path, folder: Path, who: str) -> Restored:
    """Unpack a backup beside the folder and rename; nothing runs of it. Raises BadInput, Failed."""
    folder = folder.absolute()
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise BadInput(f"{folder}: is not empty; name a folder that is")
    if not archive.is_file():
        raise BadInput(f"{archive}: no such file")
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        beside.mkdir(parents=True, mode=0o700)
        with tarfile.open(archive, mode="r|gz") as tar:
            manifest, files = _unpack(tar, archive, beside)
        _adopt(beside, folder, str(manifest["root"]), who)
        if folder.exists():
            folder.rmdir()
        beside.rename(folder)
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise BadInput(f"{archive}: is no whole backup: {error}") from error
    except OSError as error:
        raise Failed(f"{error.filename or archive}: {error.strerror or error}; nothing was restored") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Restored(folder, files, str(manifest["root"]))


def _unpack(tar: tarfile.TarFile, archive: Path, into: Path) -> tuple[dict[str, Any], int]:
    members = iter(tar)
    manifest = _manifest(tar, next(members, None), archive)
    room = shutil.disk_usage(into).free
    if manifest["bytes"] > room:
        raise BadInput(f"{archive}: needs {manifest['bytes'] / 1e6:.0f} MB, and {room / 1e6:.0f} MB are free")
    files, left = 0, int(manifest["bytes"] * 1.1) + CHUNK
    for name, member in _allowed(members, archive):
        files, left = files + 1, left - member.size
        if left < 0 or files > manifest["files"]:
            raise BadInput(f"{archive}: holds more than it says; it was tampered with")
        source = tar.extractfile(member)
        target = into.joinpath(*name.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source is None or target.exists():
            raise BadInput(f"{archive}: {name}: is in it twice or is no file; it was tampered with")
        with source, target.open("xb") as file:
            shutil.copyfileobj(source, file, CHUNK)
    if files != manifest["files"] or not (into / FILE).exists() or not (into / STATE / JOURNAL).exists():
        raise BadInput(f"{archive}: is no whole backup: {files} of {manifest['files']} files are in it")
    return manifest, files


def _manifest(tar: tarfile.TarFile, member: tarfile.TarInfo | None, archive: Path) -> dict[str, Any]:
    content = None
    if member is not None and member.name == MANIFEST and member.isreg() and member.size <= MANIFEST_BYTES:
        content = tar.extractfile(member)
    try:
        found: dict[str, Any] = dict(json.loads(content.read())) if content is not None else {}
        good = found["bytes"] >= 0 and 0 < found["files"] <= MOST_FILES and Path(found["root"]).is_absolute()
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise BadInput(f"{archive}: is no backup of Quarterdeck's; 'quarterdeck backup FILE' writes one")
    if found.get("format") != FORMAT:
        raise BadInput(f"{archive}: of format {found.get('format')}; install Quarterdeck {found.get('quarterdeck')}")
    return found


def _allowed(members: Iterator[tarfile.TarInfo], archive: Path) -> Iterator[tuple[PurePosixPath, tarfile.TarInfo]]:
    """Plain files in the places that a backup has, and nothing else: no links, no devices, no way out."""
    for member in members:
        name = PurePosixPath(member.name)
        plain = member.isreg() and not name.is_absolute() and ".." not in name.parts and "\\" not in member.name
        hidden = any(part.startswith(".") for part in name.parts[:1])
        ours = member.name in (FILE, *DATABASES) or any(name.is_relative_to(folder) for folder in FOLDERS)
        if not plain or not (ours or not hidden) or str(name) != member.name:
            raise BadInput(f"{archive}: {member.name!r}: has no place in a backup; it was tampered with")
        yield name, member


def _adopt(beside: Path, folder: Path, root: str, who: str) -> None:
    """What is absolute in it names the new folder, and what ran where it comes from does not run here."""
    found_again(beside / STATE / REGISTRY, Path(root), folder)
    try:
        with contextlib.closing(Journal(beside / STATE / JOURNAL)) as journal:
            detach(journal, who, f"restored from a backup of {root}; nothing of it runs here")
            journal.note(root=str(folder.resolve()))
    except JournalError as error:
        raise BadInput(f"{error}; nothing was restored") from error

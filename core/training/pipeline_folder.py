"""A pipeline's folder on disk: its own parts written anew, anything else left as it is."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from core.domain.errors import BadInput, Failed
from core.training.pipeline import DATA, MARK, PARTS, PIPELINE_FILE


def write(folder: Path, files: Mapping[str, bytes], table: Path | None) -> int:
    """Write the files, and the rows beside them; how many files that are. Raises BadInput, before anything is changed,
    where a part is there that no export wrote; Failed where it can't be done."""
    try:
        there = [name for name in PARTS if (folder / name).exists() or (folder / name).is_symlink()]
        if there and not _ours(folder / PIPELINE_FILE):
            raise BadInput(f"{folder / there[0]}: is there and was not written by an export; name another folder")
        if table is not None and (folder / DATA).resolve() in {table.resolve(), *table.resolve().parents}:
            raise BadInput(f"{table}: lies in the folder to be written; name another folder")
        for name in (one for one in there if one != PIPELINE_FILE):
            _removed(folder / name)
        # The mark goes first: what somebody who is killed leaves is known as ours.
        for name, content in sorted(files.items(), key=lambda one: one[0] != PIPELINE_FILE):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if table is not None:
            (folder / DATA).mkdir(exist_ok=True)
            into = folder / DATA / table.name
            shutil.copytree(table, into) if table.is_dir() else shutil.copyfile(table, into)
    except OSError as error:
        raise Failed(f"{error.filename or folder}: {error.strerror or error}; name another folder") from None
    return len(files) + (table is not None)


def _ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MARK.encode())) == MARK.encode()


def _removed(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

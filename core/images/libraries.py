"""The shared libraries of this machine that an image's programs need: the C library, OpenSSL, libstdc++."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from core.domain.errors import Failed
from core.images.tree import Entry, Tree, file

LOOK_S = 60.0
_FOUND = re.compile(r"^\t(?:(\S+) => )?(/\S+) \(0x[0-9a-f]+\)$")
_LOST = re.compile(r"^\t(\S+) => not found$")
_ELF = b"\x7fELF"


def is_elf(path: Path) -> bool:
    """Whether the kernel or the loader would run it."""
    with path.open("rb") as file_:
        return file_.read(4) == _ELF


def elves(tree: Tree) -> list[Path]:
    """The programs and modules of a tree."""
    return [entry.content for entry in tree.values() if isinstance(entry.content, Path) and is_elf(entry.content)]


def libraries(needing: Iterable[Path], inside: Iterable[Path] = ()) -> dict[str, Entry]:
    """What these need that does not lie in one of the folders `inside`; all in the folder where the loader looks first.

    Raises Failed where one is not on this machine.
    """
    found = _asked(sorted({path.resolve() for path in needing}))
    folders = [folder.resolve() for folder in inside]
    outside = {
        name: Path(where)
        for name, where in found.items()
        if not any(Path(where).resolve().is_relative_to(folder) for folder in folders)
    }
    homes = [Path(where).parent for name, where in found.items() if name.startswith(("libc.so", "libc.musl"))]
    home = str(homes[0]) if homes else "/lib"
    made = {}
    for name, where in outside.items():
        # The loader is called by its whole path, which stands in every program.
        path = name if name.startswith("/") else f"{home}/{name}"
        made[path.lstrip("/")] = file(where.resolve(), program=True)
    return made


def _asked(needing: list[Path]) -> dict[str, str]:
    """Where each library lies, by the name it is asked for under; the loader's own name is its whole path."""
    if not needing:
        return {}
    ldd = shutil.which("ldd")
    if ldd is None:
        raise Failed("ldd is not on this machine, so nobody says which libraries an image needs; use a builder")
    command = [ldd, *map(str, needing)]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=LOOK_S, env={"LC_ALL": "C"}, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"ldd did not say which libraries an image needs: {type(error).__name__}; use a builder") from None
    found: dict[str, str] = {}
    for line in told.stdout.splitlines():
        if lost := _LOST.match(line):
            raise Failed(f"{lost[1]} is not on this machine, and the image's programs need it; install it")
        if match := _FOUND.match(line):
            found[match[1] or match[2]] = match[2]
    return found

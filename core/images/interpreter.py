"""The root file system below the packages: the interpreter that runs here, its standard library, its C libraries."""

import os
import re
import sys
import sysconfig
from pathlib import Path

from core.domain.errors import Failed
from core.images.bytecode import with_bytecode
from core.images.libraries import elves, is_elf, libraries
from core.images.tree import Entry, Tree, file

USER = 65532
"""Neither root nor anybody of a usual machine; it owns nothing."""
LEFT_OUT = frozenset(
    {
        *("__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo"),
        *("lib2to3", "ensurepip", "venv", "pydoc_data", "unittest", "distutils", "curses", "sqlite3", "dbm"),
        *("turtle.py", "pydoc.py", "doctest.py", "pdb.py", "antigravity.py", "this.py"),
    }
)
"""What no service asks for; half of the whole."""
_MODULES_LEFT_OUT = re.compile(
    r"^(_?xx|_test|_ctypes_test|_tkinter|_curses|_sqlite3|readline|nis|ossaudiodev|_dbm|_gdbm|_crypt|audioop|spwd)"
)
_FILES = {
    "etc/passwd": f"root:x:0:0::/root:/sbin/nologin\nservice:x:{USER}:{USER}::/tmp:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nservice:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def interpreter() -> dict[str, Entry]:
    """The tree. Raises Failed where this machine's interpreter is not one that Linux runs by itself."""
    if sys.platform != "linux":
        raise Failed("an image of this machine's interpreter needs Linux; use docker, podman or buildah")
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = Path(sys.executable).resolve()
    if not is_elf(program):
        raise Failed(f"{program}: is a script, not the interpreter; use docker, podman or buildah")
    own: dict[str, Entry] = {f"usr/local/bin/{name}": file(program, program=True)}
    home = f"usr/local/{sys.platlibdir}/{name}"
    # Not those of a virtual environment, which has no library of its own.
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    for folder in {sysconfig.get_path(kind, vars=base) for kind in ("stdlib", "platstdlib")}:
        own |= _standard_library(Path(folder), home)
    return {
        **with_bytecode(own, str(sys.implementation.cache_tag)),
        **libraries(elves(own)),
        **_links(name),
        **{path: file(text.encode()) for path, text in _FILES.items()},
        "tmp": Entry(0o1777),
    }


def _standard_library(folder: Path, home: str) -> Tree:
    found: dict[str, Entry] = {}
    for where, folders, names in os.walk(folder):
        # Packages may lie below, a hundred times as many files.
        folders[:] = [name for name in folders if name not in LEFT_OUT and not name.startswith("config-")]
        for name in names:
            path = Path(where, name)
            if path.suffix in (".py", ".so") and name not in LEFT_OUT and not _MODULES_LEFT_OUT.match(name):
                found[f"{home}/{path.relative_to(folder).as_posix()}"] = file(path)
    return found


def _links(name: str) -> Tree:
    return {f"usr/local/bin/{short}": Entry(link=name) for short in ("python", "python3")}

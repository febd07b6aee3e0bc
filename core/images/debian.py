"""Of which Debian packages this machine's libraries are, so that a scanner knows what an image holds of them."""

import platform
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

LOOK_S = 30.0
MERGED = "/usr"
"""Since /lib is a link to /usr/lib, a package may name a file by either."""


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """One installed package, and the system that it is of: `debian` and `12`."""

    name: str
    version: str
    machine: str
    system: str
    release: str

    @property
    def purl(self) -> str:
        """As scanners look it up."""
        name = f"pkg:deb/{self.system}/{quote(self.name)}@{quote(self.version, safe='')}"
        return f"{name}?arch={self.machine}&distro={self.system}-{self.release}"


def packages_of(files: Iterable[Path]) -> list[DebianPackage]:
    """The packages that brought these files, each once; none where this machine knows of no such packages."""
    paths = {str(path) for path in files}
    either = {path.removeprefix(MERGED) for path in paths} | {f"{MERGED}{path}" for path in paths}
    said = [line.partition(": ")[0] for line in _asked("-S", *sorted(paths | either)) if ": /" in line]
    owners = {name for names in said if not names.startswith("diversion ") for name in names.split(", ")}
    if not owners:
        return []
    try:
        about = platform.freedesktop_os_release()
    except OSError:
        about = {}
    system, release = about.get("ID", "debian"), about.get("VERSION_ID", "")
    form = "${Package}\t${Version}\t${Architecture}\n"
    rows = [line.split("\t") for line in _asked("-W", "-f", form, *sorted(owners))]
    found = [DebianPackage(row[0], row[1], row[2], system, release) for row in rows if len(row) == 3]
    return sorted(found, key=lambda one: (one.name, one.machine))


def _asked(*arguments: str) -> list[str]:
    """What is said; of files that no package owns it complains, and goes on."""
    program = shutil.which("dpkg-query")
    if program is None:
        return []
    try:
        told = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=LOOK_S, env={"LC_ALL": "C"}, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return told.stdout.splitlines()

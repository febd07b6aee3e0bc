"""Stand-ins for docker, podman and buildah: scripts that write down how they were called and save a given image."""

import json
from pathlib import Path

import pytest

from core.images.archive import save
from core.images.build import manifest_of
from core.images.layout import Layout
from core.images.record import ImageRecord
from tests.images import small

SCRIPT = """\
#!/bin/sh
echo "$(basename $0) $*" >> {folder}/calls
case "$*" in
  version*|info*) exit {works} ;;
  inspect*|"image inspect"*|"image exists"*) exit {has} ;;
  pull*) echo "pulling"; echo "no such host"; exit {pulls} ;;
  build*) echo "STEP 1"; echo "last words"; for last; do :; done; cp -r "$last" {folder}/context; exit {builds} ;;
  save*) for name; do case "$before" in -o) cp {folder}/image.tar "$name" ;; esac; before="$name"; done ;;
  push*) for last; do :; done; cp {folder}/image.tar "${{last#oci-archive:}}" ;;
esac
"""


class Builders:
    """A PATH with some of them on it; `calls` is how they were called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        layout = Layout(folder / "layout")
        with layout.writing():
            manifest = manifest_of(layout, small.V3, {"code": layout.pack(small.TREE)})
            layout.name("late-v3", manifest)
        self.digest = manifest.digest
        save(layout, ImageRecord("late", "3", manifest.digest, "late-v3", "x", 1, 1), folder / "image.tar")
        for name in ("docker", "podman", "buildah"):
            # Those of this machine are further back on the PATH.
            self.put(name, works=1)

    def put(self, name: str, works: int = 0, has: int = 0, pulls: int = 0, builds: int = 0) -> None:
        """One of them; its answers as exit codes."""
        script = SCRIPT.format(folder=self.folder, works=works, has=has, pulls=pulls, builds=builds)
        (self.folder / name).write_text(script)
        (self.folder / name).chmod(0o755)

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def index(self) -> dict[str, object]:
        """What the archive says of itself."""
        found: dict[str, object] = json.loads((self.folder / "layout" / "index.json").read_text())
        return found

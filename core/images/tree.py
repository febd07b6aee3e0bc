"""What a layer holds, before it is packed: paths, and for each a file, a folder or a link. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

PROGRAM = 0o755
PLAIN = 0o644


@dataclass(frozen=True, slots=True)
class Entry:
    """One path: a file by its bytes or by where it lies here, a link by its target, else a folder."""

    mode: int = PROGRAM
    content: Path | bytes | None = None
    link: str = ""

    def read(self) -> bytes:
        """A file's bytes."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content or b""

    @property
    def is_file(self) -> bool:
        """Neither a folder nor a link."""
        return self.content is not None


Tree: TypeAlias = Mapping[str, Entry]
"""By path without a slash in front."""


def file(content: Path | bytes, program: bool = False) -> Entry:
    """A file that all may read; a `program` is one that all may run too."""
    return Entry(PROGRAM if program else PLAIN, content)


def under(folder: str, tree: Tree) -> dict[str, Entry]:
    """The same a folder deeper."""
    return {f"{folder}/{path}": entry for path, entry in tree.items()}


def ordered(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Every entry, and the folders that lead to it, a folder before what is in it: always in the same order."""
    whole: dict[str, Entry] = {}
    for path in tree:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            whole["/".join(parts[:depth])] = Entry()
    whole.update(tree)
    for path in sorted(whole, key=lambda path: path.split("/")):
        yield path, whole[path]

"""What the images of the tests are: one that pretends, one that is not there, or a real program."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOME = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class PodImage:
    """How a container of this image behaves.

    With a `command` it is a process of this machine, started with `environment`, and its probes are real ones. A pod
    may have a command of its own; `instead` says what stands here for a word of it: a program, a folder. In the
    command the container's port stands as the pod's spec has it; the kubelet puts the real port there, which is on
    127.0.0.1. Without, it pretends: running after `starts_s`, ready `ready_s` later (None: never), gone `stops_s`
    after it was told.
    """

    command: tuple[str, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    missing: bool = False
    starts_s: float = 0.05
    ready_s: float | None = 0.05
    stops_s: float = 0.05


PRETENDS = PodImage()
MISSING = PodImage(missing=True)
"""An image that no registry has."""


class ProjectImages(dict[str, PodImage]):
    """Images of whatever a project in `folder` has built: each runs the version that is written down for its digest."""

    def __init__(self, folder: Path, known: Mapping[str, PodImage]) -> None:
        super().__init__(known)
        self._state = folder.absolute() / ".quarterdeck"

    def get(self, name: str, default: PodImage | None = None) -> PodImage | None:  # type: ignore[override]
        """By its digest."""
        for path in (self._state / "images").glob("*.json"):
            about = json.loads(path.read_text())
            if name.endswith(f"@{about.get('digest')}"):
                model = self._state / "models" / f"{about['model']}-{about['number']}"
                words = {"python": sys.executable, "/model": str(model)}
                return PodImage(("python",), words, {"PYTHONPATH": str(HOME)})
        return super().get(name, default)

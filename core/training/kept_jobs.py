"""Which jobs were begun for which release, on disk: whoever comes after a process that died finds them again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.domain.errors import Failed


@dataclass(frozen=True, slots=True)
class KeptJob:
    """One job that was asked for, by its name. `begun` is in seconds since the epoch, `read` how many bytes of its log
    were passed on. `unwanted`: its release needs it no more, and it is to be cancelled."""

    release: str
    name: str
    begun: float
    read: int = 0
    unwanted: bool = False


class KeptJobs:
    """The folder of one endpoint's jobs, a file each; each write is whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, job: KeptJob) -> None:
        """Write it down; raises Failed."""
        path = self._path(job.release)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".new")
            scratch.write_text(json.dumps(asdict(job)), encoding="utf-8")
            scratch.replace(path)
        except OSError as error:
            raise Failed(f"{path}: {error.strerror or error}; a job that is begun can't be kept track of") from None

    def of(self, release: str) -> KeptJob | None:
        """A release's; None without one."""
        return _read(self._path(release))

    def every(self) -> Sequence[KeptJob]:
        """All that are not known to have ended."""
        try:
            paths = sorted(self._folder.glob("*.json"))
        except OSError:
            return ()
        return tuple(job for path in paths if (job := _read(path)) is not None)

    def forget(self, job: KeptJob) -> None:
        """It has ended, unless another one took its place."""
        if (held := self.of(job.release)) is not None and held.name == job.name:
            self._path(job.release).unlink(missing_ok=True)

    def _path(self, release: str) -> Path:
        return self._folder / f"{release}.json"


def _read(path: Path) -> KeptJob | None:
    """What a file says; one that can't be read says nothing."""
    try:
        return KeptJob(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None

"""Which jobs were begun for which release, on disk: whoever comes after a process that died finds them again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.domain.errors import Failed
from core.system.moment import KeptMoment


@dataclass(frozen=True, slots=True)
class KeptJob:
    """One job that was asked for, by its name. `read`: how many bytes of its log were passed on. `unwanted`: its
    release needs it no more, and it is to be cancelled; `why` that was not done yet. `ran`: when it was first seen to
    run."""

    release: str
    name: str
    begun: KeptMoment
    read: int = 0
    unwanted: bool = False
    why: str = ""
    ran: KeptMoment | None = None


class KeptJobs:
    """One endpoint's jobs in a project's state folder, a file each; each write is whole."""

    def __init__(self, state: Path, endpoint: str) -> None:
        self._folder = state / "azureml" / "jobs" / endpoint

    def keep(self, job: KeptJob) -> None:
        """Write it down; raises Failed."""
        path = self._path(job)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".new")
            scratch.write_text(json.dumps(asdict(job)), encoding="utf-8")
            scratch.replace(path)
        except OSError as error:
            raise Failed(f"{path}: {error.strerror or error}; a job that is begun can't be kept track of") from None

    def of(self, release: str) -> KeptJob | None:
        """A release's, the one that is still wanted before others; None without one."""
        own = [job for job in self.every() if job.release == release]
        return max(own, key=lambda job: (not job.unwanted, -job.begun.age_s), default=None)

    def again(self, job: KeptJob) -> KeptJob:
        """As it is known now."""
        return _read(self._path(job)) or job

    def every(self) -> Sequence[KeptJob]:
        """All that are not known to have ended."""
        try:
            paths = sorted(self._folder.glob("*.json"))
        except OSError:
            return ()
        return tuple(job for path in paths if (job := _read(path)) is not None)

    def forget(self, job: KeptJob) -> None:
        """It has ended."""
        self._path(job).unlink(missing_ok=True)

    def _path(self, job: KeptJob) -> Path:
        return self._folder / f"{job.name}.json"


def _read(path: Path) -> KeptJob | None:
    """What a file says; one that can't be read says nothing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        begun = found["begun"]
        # An older version wrote seconds since the epoch alone.
        moment = KeptMoment(**begun) if isinstance(begun, dict) else KeptMoment(float(begun), "", 0.0)
        ran = KeptMoment(**found["ran"]) if found.get("ran") else None
        return KeptJob(**{**found, "begun": moment, "ran": ran})
    except (OSError, ValueError, TypeError, KeyError):
        return None

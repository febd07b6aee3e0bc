"""Where a project's watch process keeps what makes it known: its lock, its socket, who it is, its log."""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from core.config.config import STATE
from core.domain.errors import BadInput
from core.system.processes import ProcessId
from core.system.sockets import socket_address

LOCK, SOCKET, WHO, LOG = "watch.lock", "watch.sock", "watch.json", "watch.log"


@dataclass(frozen=True, slots=True)
class WatchPlace:
    """The watch of the project that a quarterdeck.yaml describes."""

    config: Path

    @property
    def folder(self) -> Path:
        """The project's state folder."""
        return self.config.parent / STATE

    @property
    def socket(self) -> Path:
        """Where it answers; readable and writable for its owner alone. Raises BadInput where that can't be."""
        try:
            return Path(socket_address(str(self.folder), SOCKET))
        except PermissionError as error:
            raise BadInput(str(error)) from None

    @property
    def here(self) -> str:
        """The state folder as an answer names it: in a moved or copied project it is another."""
        return str(self.folder.resolve())

    @property
    def lock(self) -> Path:
        """Held by the one that runs."""
        return self.folder / LOCK

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / LOG

    def write_who(self, who: ProcessId, ended: bool = False) -> None:
        """Write down which process this is; or that it is to end, or has, in good order."""
        beside = self.folder / f".{WHO}"
        more = {"version": package_version(), "folder": self.here, "ended": ended}
        beside.write_text(json.dumps({**who.to_json(), **more}))
        beside.rename(self.folder / WHO)

    @property
    def ended(self) -> bool:
        """Whether the last watch said that it ends in good order."""
        try:
            return bool(json.loads((self.folder / WHO).read_text()).get("ended"))
        except (OSError, ValueError, AttributeError):
            return False

    def who(self) -> ProcessId | None:
        """The process that was the watch last, whether it still runs or not; None after an orderly end."""
        try:
            written = json.loads((self.folder / WHO).read_text())
            # In a copy of a project it is the original's.
            return ProcessId.from_json(written) if written["folder"] == self.here else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def was_there(self) -> bool:
        """Whether a watch ran here, or where this project lay before, and did not end in good order."""
        return (self.folder / WHO).exists()

    def forget(self) -> None:
        """An orderly end: nobody need start another."""
        (self.folder / WHO).unlink(missing_ok=True)


def package_version() -> str:
    """The installed version of Quarterdeck."""
    return version("quarterdeck")

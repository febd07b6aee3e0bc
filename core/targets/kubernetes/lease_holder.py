"""Who holds the Lease of an endpoint, and for which release, as its body says it. Pure."""

import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.system.text import clean_line
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.traffic import PREFIX
from core.targets.protocol import Turn

LASTS_S = 30
TOKEN, RELEASE, BY = (f"{PREFIX}{one}" for one in ("token", "release", "by"))
BY_LENGTH = 120


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """A driver: `identity` is its machine and project, `by` who began its last release, `release` the one under way.

    `since` and `renewed` (when it last said that it lives) are in seconds since the epoch, `number` is the claim's,
    `alive` whether it said so lately.
    """

    identity: str = ""
    token: int = 0
    number: int = 0
    release: str = ""
    by: str = ""
    since: float = 0.0
    renewed: float = 0.0
    alive: bool = False

    @property
    def label(self) -> str:
        """As people are told: `a driver on vm (ada, in the folder late)`."""
        of = f" ({self.by})" if self.by else ""
        return f"a driver on {self.identity.partition('/')[0]}{of}"

    @property
    def since_when(self) -> str:
        """The moment of its claim, by this machine's clock."""
        return time.strftime("%d %b %H:%M:%S", time.localtime(self.since))


def holder_of(lease: Json | None) -> LeaseHolder:
    """What a Lease says; nobody where there is none."""
    if lease is None:
        return LeaseHolder()
    spec, said = lease.get("spec") or {}, lease["metadata"].get("annotations") or {}
    token, renewed = str(said.get(TOKEN) or ""), _moment(spec.get("renewTime"))
    return LeaseHolder(
        identity=str(spec.get("holderIdentity") or ""),
        token=int(token) if token.isdecimal() else 0,
        number=int(spec.get("leaseTransitions") or 0),
        release=clean_line(str(said.get(RELEASE) or ""), BY_LENGTH),
        by=clean_line(str(said.get(BY) or ""), BY_LENGTH),
        since=since.timestamp() if (since := _moment(spec.get("acquireTime"))) is not None else 0.0,
        renewed=renewed.timestamp() if renewed is not None else 0.0,
        alive=renewed is not None and datetime.now(UTC) - renewed < timedelta(seconds=LASTS_S),
    )


def said_of(turn: Turn, by: str, folder: Path) -> dict[str, str]:
    """The annotations that say for what a driver holds its claim, and `by` whom."""
    return {RELEASE: turn.release, BY: f"{by}, in the folder {folder.name}" if by else ""}


def _moment(text: object) -> datetime | None:
    with contextlib.suppress(ValueError, TypeError):
        return datetime.fromisoformat(str(text))
    return None

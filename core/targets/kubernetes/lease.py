"""Who drives an endpoint in a cluster: a Lease, which every driver claims before its first change.

A claim is a number that only grows. Among drivers of one project a later one has a higher token, and the older is
refused. A driver of another machine takes over with a release and with a way back, for whoever must bring traffic back
has no time to ask; what else it would do, tidying above all, waits while the one that holds the Lease lives.
"""

import hashlib
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.domain.errors import Refused
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.labels import metadata
from core.targets.kubernetes.paths import LEASES
from core.targets.kubernetes.traffic import PREFIX

LASTS_S = 30
RENEW_S = 10.0
TOKEN = f"{PREFIX}token"


def driver_name(folder: Path) -> str:
    """This machine and this project, in a word that says no path."""
    digest = hashlib.sha256(str(folder.resolve()).encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{socket.gethostname()}/{digest}"


class ReleaseLease:
    """The claim of one driver. Each of its changes asks `claimed` first, which says no once somebody has followed."""

    def __init__(self, changes: ObjectChanges, driver: str, token: int) -> None:
        self._changes = changes
        self._driver = driver
        self._token = token
        self.number: int | None = None
        self.taken_from = ""
        """Who drove before and was alive, where that was another machine."""

    def claimed(self, *, takes_over: bool = True) -> int:
        """The number of this driver's claim, made now where it was not yet; raises Refused once it was followed.

        Without `takes_over` also where a driver of another machine lives.
        """
        name = self._changes.at.name
        if self._changes.owned(LEASES, name) is None:
            head = {**metadata(self._changes.at, name), "annotations": {TOKEN: str(self._token)}}
            self._changes.create(
                LEASES, {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": head, "spec": self._spec(1)}
            )
        found = self._changes.change(LEASES, name, lambda seen: self._edit(seen, takes_over=takes_over))
        self.number = _number(found)
        return self.number

    def inherited(self) -> bool:
        """Whether the claim that counts is this project's, made by this driver or by one before it."""
        seen = self._changes.owned(LEASES, self._changes.at.name)
        return seen is not None and _holder(seen) == self._driver and _token(seen) <= self._token

    def renew(self) -> None:
        """Say that this driver lives; raises Refused once it was followed."""
        if self.number is not None:
            self._changes.change(LEASES, self._changes.at.name, lambda seen: self._edit(seen, renews=True))

    def _edit(self, seen: Json, *, renews: bool = False, takes_over: bool = True) -> Json | None:
        """The change that makes it ours; None where it is. Raises Refused where a later driver holds it."""
        holder, token = _holder(seen), _token(seen)
        if (holder, token) == (self._driver, self._token):
            return {"spec": {"renewTime": _micro(datetime.now(UTC))}} if renews else None
        if self.number is not None or (holder == self._driver and token > self._token):
            who = f"driver {token}" if holder == self._driver else f"a driver on {holder.partition('/')[0]}"
            raise Refused(f"{self._changes.at.called}: {who} has followed this one, which changes nothing any more")
        if not takes_over and holder not in ("", self._driver) and _alive(seen):
            who = f"a driver on {holder.partition('/')[0]} looks after it"
            raise Refused(f"{self._changes.at.called}: {who}; do it there, or release here")
        self.taken_from = holder.partition("/")[0] if holder and holder != self._driver and _alive(seen) else ""
        spec = self._spec(_number(seen) + 1)
        return {"metadata": {"annotations": {TOKEN: str(self._token)}}, "spec": spec}

    def _spec(self, number: int) -> Json:
        now = _micro(datetime.now(UTC))
        return {
            "holderIdentity": self._driver,
            "leaseDurationSeconds": LASTS_S,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": number,
        }


def _holder(body: Json) -> str:
    return str((body.get("spec") or {}).get("holderIdentity") or "")


def _number(body: Json) -> int:
    return int((body.get("spec") or {}).get("leaseTransitions") or 0)


def _token(body: Json) -> int:
    text = str((body["metadata"].get("annotations") or {}).get(TOKEN) or "")
    return int(text) if text.isdecimal() else 0


def _micro(moment: datetime) -> str:
    """A time as a Lease takes it: with a fraction of a second, and no other way."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _alive(body: Json) -> bool:
    """Whether its holder said so lately; clocks may differ by a little."""
    try:
        renewed = datetime.fromisoformat(str(body["spec"]["renewTime"]))
        return datetime.now(UTC) - renewed < timedelta(seconds=LASTS_S)
    except (KeyError, ValueError):
        return False

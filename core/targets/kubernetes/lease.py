"""Who drives an endpoint in a cluster: a Lease, which every driver claims before its first change.

A claim is a number that only grows. Among drivers of one project a later one has a higher token, and the older is
refused. A driver of another machine takes over where nothing is under way there or nobody lives, and always with what a
person asks back, for whoever must bring traffic back has no time to ask; what else it would do, tidying above all,
waits while the one that holds the Lease lives.
"""

import hashlib
import socket
from datetime import UTC, datetime
from pathlib import Path

from core.domain.errors import Refused, TakenOver
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.labels import metadata
from core.targets.kubernetes.lease_holder import LASTS_S, TOKEN, LeaseHolder, holder_of, said_of
from core.targets.kubernetes.paths import LEASES
from core.targets.protocol import Turn

RENEW_S = 10.0


def driver_name(folder: Path) -> str:
    """This machine and this project, in a word that says no path."""
    digest = hashlib.sha256(str(folder.resolve()).encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{socket.gethostname()}/{digest}"


def refusal(holder: LeaseHolder, folder: Path) -> str:
    """Why a project may not release now: another machine's release is under way; empty where it may."""
    if not (holder.alive and holder.release) or holder.identity == driver_name(folder):
        return ""
    return (
        f"release {holder.release} of {holder.label} is under way since {holder.since_when}; wait for its end, or roll "
        "it back there"
    )


def elsewhere(holder: LeaseHolder, folder: Path) -> str:
    """Who drove last, where that is another machine or another project; empty where it is this one, or nobody did."""
    return holder.label if holder.identity not in ("", driver_name(folder)) else ""


class ReleaseLease:
    """The claim of one driver. Each of its changes asks `claimed` first, which says no once somebody has followed."""

    def __init__(self, changes: ObjectChanges, folder: Path, token: int) -> None:
        self._changes = changes
        self._folder = folder
        self._driver = driver_name(folder)
        self._token = token
        self._turn = self._said = Turn()
        self._by = ""
        self._anew = False
        self._lost = ""
        self.number: int | None = None
        self.taken_from: LeaseHolder | None = None
        """Who drove before from another machine."""

    def stand_for(self, turn: Turn) -> bool:
        """What the claim is held for from now on; whether that is another thing than before.

        A release that begins, and what a person asks for, may claim anew where somebody followed.
        """
        before, self._turn, self._by = self._turn, turn, turn.by or self._by
        begins = bool(turn.release) and turn.release != before.release
        if begins or (turn.asked_at is not None and turn != before):
            self._anew = True
        return turn != before

    def claimed(self, *, takes_over: bool = True, known: bool = True) -> int:
        """The number of this driver's claim, made now where it was not yet; `known`: by the Lease as the watch has it.

        Raises TakenOver once a driver of another machine followed or while its release is under way, Refused once one
        of this project did; without `takes_over` also where a driver of another machine lives.
        """
        name = self._changes.at.name
        if self._changes.owned(LEASES, name) is None:
            head = {**metadata(self._changes.at, name), "annotations": self._annotations()}
            self._changes.create(
                LEASES, {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": head, "spec": self._spec(1)}
            )
        made = False

        def edit(seen: Json) -> Json | None:
            nonlocal made
            change = self._edit(seen, takes_over=takes_over)
            made = change is not None
            return change

        found = self._changes.change(LEASES, name, edit, known=known)
        self.number = holder_of(found).number
        if made:
            self.spent()
        return self.number

    def spent(self) -> None:
        """What may claim anew has been done: the same word is no second one."""
        self._anew = False

    @property
    def ended_unsaid(self) -> bool:
        """Whether the Lease still names a release of this driver's that is over."""
        return self.number is not None and not self._turn.release and bool(self._said.release)

    def inherited(self) -> bool:
        """Whether the claim that counts is this project's, made by this driver or by one before it."""
        holder = holder_of(self._changes.owned(LEASES, self._changes.at.name))
        return holder.identity == self._driver and holder.token <= self._token

    def renew(self) -> None:
        """Say that this driver lives, and what for; raises Refused once it was followed."""
        if self.number is not None:
            self._changes.change(LEASES, self._changes.at.name, self._renewal)

    def took(self, holder: LeaseHolder) -> str:
        """The release of this driver that was under way when one of another machine followed; empty: none was."""
        followed = self.number is not None and not self._anew and self.is_elsewhere(holder)
        self._lost = (self._lost or self._turn.release) if followed else ""
        return self._lost

    def is_elsewhere(self, holder: LeaseHolder) -> bool:
        """Whether who holds it is not of this project."""
        return holder.identity not in ("", self._driver)

    def _renewal(self, seen: Json) -> Json:
        holder = holder_of(seen)
        if (holder.identity, holder.token) != (self._driver, self._token):
            raise self._refusal(holder)
        return {"metadata": {"annotations": self._annotations()}, "spec": {"renewTime": _micro(datetime.now(UTC))}}

    def _edit(self, seen: Json, *, takes_over: bool) -> Json | None:
        """The change that makes it ours; None where it is. Raises Refused where a later driver holds it."""
        holder = holder_of(seen)
        if (holder.identity, holder.token) == (self._driver, self._token):
            return None
        elsewhere = self.is_elsewhere(holder)
        if (self.number is not None and not (self._anew and elsewhere)) or (
            holder.identity == self._driver and holder.token > self._token
        ):
            raise self._refusal(holder)
        called = self._changes.at.called
        if elsewhere and holder.alive and not takes_over:
            raise Refused(f"{called}: {holder.label} looks after it; do it there, or release here")
        if self._turn.asked_at is None and (why_not := refusal(holder, self._folder)):
            raise TakenOver(f"{called}: {why_not}")
        self.taken_from = holder if elsewhere else None
        spec = self._spec(holder.number + 1)
        return {"metadata": {"annotations": self._annotations()}, "spec": spec}

    def _refusal(self, holder: LeaseHolder) -> Refused:
        called = self._changes.at.called
        if not self.is_elsewhere(holder):
            return Refused(f"{called}: driver {holder.token} has followed this one, which changes nothing any more")
        return TakenOver(f"{called}: taken over by {holder.label}; nothing is changed from here any more")

    def _annotations(self) -> dict[str, str]:
        self._said = self._turn
        return {TOKEN: str(self._token), **said_of(self._turn, self._by, self._folder)}

    def _spec(self, number: int) -> Json:
        now = _micro(datetime.now(UTC))
        return {
            "holderIdentity": self._driver,
            "leaseDurationSeconds": LASTS_S,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": number,
        }


def _micro(moment: datetime) -> str:
    """A time as a Lease takes it: with a fraction of a second, and no other way."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

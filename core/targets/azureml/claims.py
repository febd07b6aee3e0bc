"""Who drives an endpoint in Azure ML: a tag of whatever a driver changed. Pure.

The service has no precondition, so a claim stops who asks before it changes something, and no call that is under way.
"""

import hashlib
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused, TakenOver
from core.targets.azureml.workspace import PREFIX

TAG = f"{PREFIX}driver"
CHANGE = f"{PREFIX}change"
"""A tag with the id of the change that wrote it: what is read says so which call has landed last."""


@dataclass(frozen=True, slots=True)
class DriverClaim:
    """The `number` only grows; `driver` is a machine and a project, `token` counts the drivers of that project."""

    number: int
    driver: str
    token: int

    def __str__(self) -> str:
        return f"{self.number} {self.driver} {self.token}"

    @property
    def who(self) -> str:
        """Who made it, for people of another project."""
        machine, _, project = self.driver.rpartition("/")
        return f"a driver on {machine or 'a machine without a name'} (project {project})"


def driver_name(folder: Path) -> str:
    """This machine and this project, in a word that says no path."""
    digest = hashlib.sha256(str(folder.resolve()).encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{socket.gethostname()}/{digest}"


def read_claim(tags: Mapping[str, str] | None) -> DriverClaim | None:
    """The claim that tags hold; None where they hold none that can be read."""
    parts = (tags or {}).get(TAG, "").split(" ")
    if len(parts) != 3 or not (parts[0].isdecimal() and parts[2].isdecimal()):
        return None
    return DriverClaim(int(parts[0]), parts[1], int(parts[2]))


def newest_claim(tagged: Iterable[Mapping[str, str] | None]) -> DriverClaim | None:
    """The last claim of all that was made; None before the first."""
    return max((one for one in map(read_claim, tagged) if one is not None), key=lambda one: one.number, default=None)


def changed_by(tags: Mapping[str, str] | None) -> str:
    """The id of the change that wrote these tags; empty where it was none of ours."""
    return (tags or {}).get(CHANGE, "")


def next_claim(
    tagged: Iterable[Mapping[str, str] | None], driver: str, token: int, held: int | None, called: str
) -> DriverClaim:
    """The claim to write with the next change; raises Refused once a later driver of this project has written its own,
    TakenOver once one of another machine or project has.

    `held` is the number of this driver's claim, if it made one.
    """
    last = newest_claim(tagged) or DriverClaim(0, "", 0)
    if (last.driver, last.token) == (driver, token):
        return last
    followed = held is not None and last.number >= held
    if followed or (last.driver == driver and last.token > token):
        if last.driver != driver:
            raise TakenOver(f"{called}: taken over by {last.who}; nothing is changed from here any more")
        raise Refused(f"{called}: driver {last.token} has followed this one, which changes nothing any more")
    return DriverClaim(last.number + 1, driver, token)

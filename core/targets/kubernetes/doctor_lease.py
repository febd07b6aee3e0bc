"""What the doctor finds of who drives an endpoint: its Lease, held here, on another machine, or by nobody."""

import time
from pathlib import Path

from core.domain.diagnosis import Diagnoses, Diagnosis, fail, ok, warn
from core.domain.errors import Refused
from core.system.text import rough
from core.targets.kubernetes.api_errors import ApiMissing
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import ClusterEndpoint, ours
from core.targets.kubernetes.lease import driver_name
from core.targets.kubernetes.lease_holder import LeaseHolder, holder_of
from core.targets.kubernetes.paths import LEASES

STEPS_IN = "wait for its end, or take it back there; a rollback from here steps in if this folder knows it"
ONE_MACHINE = "release from one machine: end its watch there ('quarterdeck watch --stop'), or release from here no more"
LEFT = "'quarterdeck status' says what serves; a release from here takes over"


def lease(calls: ApiCalls, at: ClusterEndpoint, folder: Path) -> Diagnoses:
    """Whether another machine drives this project's endpoint: who, since when, for which release, and does it live."""
    try:
        body = calls.ask("GET", LEASES.path(at.place.namespace, at.name))
    except ApiMissing:
        return [ok("nobody has released here from any machine")]
    except Refused:
        return [warn(f"the Lease {at.name} can't be seen with these rights", "see 'access'")]
    if not ours(body["metadata"].get("labels"), at):
        told = f"there is a Lease {at.name} that Quarterdeck has not made, and no release begins over it"
        return [fail(told, "remove it, or call the endpoint otherwise")]
    holder = holder_of(body)
    if holder.identity in ("", driver_name(folder)):
        return [ok("no other machine drives this endpoint")]
    return [_elsewhere(holder)] if holder.alive else [_silent(holder)]


def _elsewhere(holder: LeaseHolder) -> Diagnosis:
    """Of one that lives."""
    if holder.release:
        return warn(f"release {holder.release} of {holder.label} is under way since {holder.since_when}", STEPS_IN)
    return warn(f"{holder.label} looks after it since {holder.since_when}; nothing is under way there", ONE_MACHINE)


def _silent(holder: LeaseHolder) -> Diagnosis:
    """Of one that no longer says that it does."""
    age_s = max(0.0, time.time() - holder.renewed)
    silent = f"{holder.label}, since {holder.since_when}, and silent for {rough(age_s)}"
    if holder.release:
        return warn(f"release {holder.release} was begun by {silent}", LEFT)
    return ok(f"driven last by {silent}")

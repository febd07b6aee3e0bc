"""The same version on to the next environment: what may go there, and what is known of it already. Pure."""

from collections.abc import Mapping, Sequence

from core.domain.errors import BadInput, Refused
from core.domain.model import Version
from core.domain.plan import title
from core.state import events as ev
from core.state.release import Release, Status
from core.state.snapshot import Snapshot


def promotable(snapshot: Snapshot, came: str, number: str | None, environment: str) -> Version:
    """The version to promote out of the endpoint `came`: what serves there, or the one of that number that did.

    Raises Refused where it never served there, or was taken back since. `environment` is that endpoint's.
    """
    if number is None:
        version = snapshot.endpoint(came).served
        if version is None:
            raise Refused(f"{came} serves nothing that could be promoted; release to {environment} first")
        return version
    number = number.removeprefix("v")
    if not number.isdecimal():
        raise BadInput(f"{number}: name a version by its number, such as 3 or v3")
    live = snapshot.endpoint(came).served
    if live is not None and live.number == number:
        return live
    last = _last(snapshot, came, number)
    if last is not None and last.outcome is ev.Outcome.DONE and last.version is not None:
        return last.version
    how = last.outcome.value if last is not None and last.outcome is not None else "is under way"
    why = f"has not served in {environment}" if last is None else f"can't go on from {environment}: {last.id} {how}"
    raise Refused(f"v{number} {why}; release it there first, or set promote.after: anywhere")


def known_anywhere(snapshot: Snapshot, endpoints: Sequence[str], number: str) -> Version | None:
    """The version of a number that any of the endpoints was given."""
    number = number.removeprefix("v")
    found = (r.version for r in snapshot.releases.values() if r.endpoint in endpoints and r.version is not None)
    return next((version for version in found if version.number == number), None)


def measured(snapshot: Snapshot, version: Version, live: Version | None) -> ev.Result | None:
    """What the gate judges by, where a release measured this version beside `live` before: the options of its gate.

    None where none did. What was measured once need not be again: the rows are those that the version was not trained
    on.
    """
    for release in sorted(snapshot.releases.values(), key=lambda r: r.began_seq, reverse=True):
        if release.version != version:
            continue
        results = {title(s.step): s.result for s in release.steps if s.status is Status.DONE}
        found = results.get("evaluate")
        if found is None:
            continue
        beside = found.get("production_version")
        if live is None:
            found = {**found, "production": None, "production_version": None, "production_contract": None}
        elif not isinstance(beside, Mapping) or beside.get("number") != live.number:
            continue
        trained = results.get("train", {}).get("candidate", results.get("fetch", {}))
        return {"measured": found, "candidate": trained, "from": release.id}
    return None


def _last(snapshot: Snapshot, endpoint: str, number: str) -> Release | None:
    """The newest release of a version at an endpoint: how it ended is what is known of the version there."""
    of_version = (r for r in snapshot.releases.values() if r.version is not None and r.version.number == number)
    return max((r for r in of_version if r.endpoint == endpoint), key=lambda r: r.began_seq, default=None)

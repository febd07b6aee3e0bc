"""The same version on to the next environment: what may go there, and what is known of it already. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from core.domain.errors import BadInput, Refused
from core.domain.model import Version
from core.domain.plan import title
from core.state import events as ev
from core.state.release import Release, Status
from core.state.snapshot import Snapshot

_OF_ROWS = ("rows", "labels", "majority", "primary_metric")
"""What an evaluation says of its rows: where these differ, the rows do."""


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
    for release, found in _evaluations(snapshot, version):
        if live is None:
            alone = {"production": None, "production_version": None, "production_contract": None}
            return _options(release, {**found, **alone})
        beside = found.get("production_version")
        if isinstance(beside, Mapping) and beside.get("number") == live.number:
            return _options(release, found)
    return None


def measured_apart(snapshot: Snapshot, version: Version, live: Version) -> ev.Result | None:
    """As `measured`, of two versions that were measured each by itself; `beside` names the other one's release.

    Whoever uses it knows that the rows of both releases are the same.
    """
    mine = next(_evaluations(snapshot, version), None)
    theirs = next(_evaluations(snapshot, live), None)
    if mine is None or theirs is None or any(mine[1].get(name) != theirs[1].get(name) for name in _OF_ROWS):
        return None
    production = {
        "production": theirs[1].get("candidate"),
        "production_version": asdict(live),
        "production_absent": "",
        "production_contract": theirs[1].get("contract"),
    }
    tests = mine[1].get("against")
    # Row by row nobody compared them, and nothing is judged by that.
    against = {name: test for name, test in tests.items() if name != "production"} if isinstance(tests, Mapping) else {}
    return {**_options(mine[0], {**mine[1], **production, "against": against}), "beside": theirs[0].id}


def _evaluations(snapshot: Snapshot, version: Version) -> Iterator[tuple[Release, ev.Result]]:
    """Each release that measured a version, the newest first, with its figures."""
    for release in sorted(snapshot.releases.values(), key=lambda r: r.began_seq, reverse=True):
        if release.version == version and (found := _results(release).get("evaluate")) is not None:
            yield release, found


def _options(release: Release, found: ev.Result) -> ev.Result:
    results = _results(release)
    trained = results.get("train", {}).get("candidate", results.get("fetch", {}))
    return {"measured": found, "candidate": trained, "from": release.id}


def _results(release: Release) -> Mapping[str, ev.Result]:
    return {title(s.step): s.result for s in release.steps if s.status is Status.DONE}


def _last(snapshot: Snapshot, endpoint: str, number: str) -> Release | None:
    """The newest release of a version at an endpoint: how it ended is what is known of the version there."""
    of_version = (r for r in snapshot.releases.values() if r.version is not None and r.version.number == number)
    return max((r for r in of_version if r.endpoint == endpoint), key=lambda r: r.began_seq, default=None)

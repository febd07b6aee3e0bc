"""How long a place takes as a rule: as earlier releases there took, else as it says of itself. Pure."""

from collections.abc import Iterator
from statistics import median

from core.domain.plan import Deploy, Mirror, Shift, Step, UsualSpans
from core.state.release import Release, Status
from core.state.snapshot import Snapshot

LAST = 9
"""So many earlier steps are looked at: a place changes."""


def usual_spans(snapshot: Snapshot, endpoint: str, where: str, own: UsualSpans) -> UsualSpans:
    """What is normal for an endpoint at the place `where`; `own` is what the place says."""
    there = [one for one in snapshot.releases.values() if one.endpoint == endpoint and one.target == where]
    releases = sorted(there, key=lambda one: one.began_seq)
    deploys = [took for one in releases for took in _took(one, Deploy)][-LAST:]
    shifts = [took for one in releases for took in _took(one, Shift, Mirror)][-LAST:]
    return UsualSpans(
        median(deploys) if deploys else own.deploy_s,
        median(shifts) if shifts else own.shift_s,
        len(deploys),
    )


def _took(release: Release, *kinds: type[Step]) -> Iterator[float]:
    for state in release.steps:
        done = isinstance(state.step, kinds) and state.status is Status.DONE
        if done and state.started_at is not None and state.ended_at is not None:
            yield max(0.0, state.ended_at - state.started_at)

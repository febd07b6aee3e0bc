"""What a driver's changes are for, told to a target that drivers of other machines may take over."""

from core.domain.strategies import ROLLBACK
from core.state.release import Release, ReleaseState
from core.targets.protocol import Contended, Target, Turn


def stand(target: Target, release: Release | None) -> None:
    """Say which release is under way, and whether a person asked for the way that it goes; returns at once."""
    if not isinstance(target, Contended):
        return
    if release is None:
        target.stand_for(Turn())
        return
    way = release.way if release.state is not ReleaseState.RUNNING else None
    asked_at = way.asked_at if way is not None else None
    if way is None and release.plan.strategy == ROLLBACK:
        # To go further back is a release by its steps, and a person's word all the same.
        asked_at = release.began_at
    target.stand_for(Turn(release.id, release.by, asked_at))

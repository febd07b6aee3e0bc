"""The load that runs beside a release: in the background while traffic moves, or by hand when somebody asked for it."""

from core.loading import Loading
from core.plan import Hold, Shift
from core.site import Site
from core.snapshot import LoadState, Release, State
from core.watching import Desk

IDLE_S = 1.0


async def supply(desk: Desk, site: Site, loading: Loading) -> None:
    """Until cancelled. Starting and ending Locust takes seconds, and nothing waits for it."""
    while True:
        await _look(desk, site, loading)
        await desk.change(IDLE_S)


async def _look(desk: Desk, site: Site, loading: Loading) -> None:
    release, endpoint = desk.snapshot.live_release(site.endpoint), desk.snapshot.endpoint(site.endpoint)
    kind, load = loading.kind, endpoint.load
    profile = site.background
    wanted = release is not None and profile is not None and _moves(release)
    free = not kind and not _running(load) and not loading.rests
    if release is not None and profile is not None and _judged(release) and free and not _stopped(release, load):
        loading.start(profile, "background", release.version)
    elif kind == "background" and not wanted:
        await loading.stop()
    elif load is not None and load.running and load.kind == "manual" and not kind:
        serving = endpoint.slots.get(endpoint.serving or "")
        loading.start(load.profile, "manual", serving.version if serving else None, load.source)
    await loading.steer(endpoint.load)


def _stopped(release: Release, load: LoadState | None) -> bool:
    """Whether an operator ended the background load of this release."""
    return load is not None and load.kind == "background" and load.stop and load.started_at >= release.began_at


def _running(load: LoadState | None) -> bool:
    return load is not None and load.running


def _judged(release: Release) -> bool:
    """Whether the release is between its first shift and its last hold, with something to compare with."""
    kinds = [type(step) for step in release.plan.steps]
    if release.state is not State.RUNNING or Hold not in kinds or release.old is None:
        return False
    last_hold = len(kinds) - 1 - kinds[::-1].index(Hold)
    return kinds.index(Shift) <= release.index <= last_hold


def _moves(release: Release) -> bool:
    """Whether background load goes on: also on the way back, to show that no request failed."""
    return release.state is State.BACK or _judged(release)

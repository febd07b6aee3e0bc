"""The load that runs beside a release: in the background while traffic moves, or by hand when somebody asked for it."""

from core.domain.plan import Hold, Shift
from core.engine.environment import Environment
from core.engine.load_control import LoadControl
from core.engine.observer import Store
from core.state.snapshot import LoadState, Release, ReleaseState

IDLE_S = 1.0


async def supply(store: Store, environment: Environment, loads: LoadControl) -> None:
    """Until cancelled. Starting and ending Locust takes seconds, and nothing waits for it."""
    while True:
        await _look(store, environment, loads)
        await store.change(IDLE_S)


async def _look(store: Store, environment: Environment, loads: LoadControl) -> None:
    release, endpoint = store.snapshot.live_release(environment.endpoint), store.snapshot.endpoint(environment.endpoint)
    kind, load = loads.kind, endpoint.load
    profile = environment.background
    wanted = release is not None and profile is not None and _moves(release)
    free = not kind and not _running(load) and not loads.rests
    if release is not None and profile is not None and _judged(release) and free and not _stopped(release, load):
        loads.start(profile, "background", release.version)
    elif kind == "background" and not wanted:
        await loads.stop()
    elif load is not None and load.running and load.kind == "manual" and not kind:
        serving = endpoint.slots.get(endpoint.serving or "")
        loads.start(load.profile, "manual", serving.version if serving else None, load.source)
    await loads.steer(endpoint.load)


def _stopped(release: Release, load: LoadState | None) -> bool:
    """Whether an operator ended the background load of this release."""
    return load is not None and load.kind == "background" and load.stop and load.started_at >= release.began_at


def _running(load: LoadState | None) -> bool:
    return load is not None and load.running


def _judged(release: Release) -> bool:
    """Whether the release is between its first shift and its last hold, with something to compare with."""
    kinds = [type(step) for step in release.plan.steps]
    if release.state is not ReleaseState.RUNNING or Hold not in kinds or release.old is None:
        return False
    last_hold = len(kinds) - 1 - kinds[::-1].index(Hold)
    return kinds.index(Shift) <= release.index <= last_hold


def _moves(release: Release) -> bool:
    """Whether background load goes on: also on the way back, to show that no request failed."""
    return release.state is ReleaseState.BACK or _judged(release)

"""Which load is wanted now: in the background while traffic moves, or by hand for as long as its asker is there."""

from core.domain.plan import Hold, Mirror, Shift, Step
from core.domain.sample import Series
from core.engine.environment import Environment
from core.engine.load_control import LoadControl
from core.engine.observer import Store
from core.state.endpoint import LoadState
from core.state.release import Release, ReleaseState
from core.system.processes import has_gone

IDLE_S = 1.0
CLOSED = "its terminal was closed"


async def keep_load(store: Store, environment: Environment, loads: LoadControl) -> None:
    """Until cancelled. Starting and ending Locust takes seconds, and nothing waits for it."""
    while True:
        await _look(store, environment, loads)
        await store.change(IDLE_S)


async def _look(store: Store, environment: Environment, loads: LoadControl) -> None:
    endpoint = store.snapshot.endpoint(environment.endpoint)
    load = endpoint.load
    if load is not None and load.running and load.kind == "manual":
        serving = endpoint.slots.get(endpoint.serving or "")
        if load.stop and not loads.kind:
            await loads.bury(load, f"stopped by {load.stopped_by}")
        elif not load.stay and has_gone(load.by):
            await (loads.stop(CLOSED) if loads.kind == "manual" else loads.bury(load, CLOSED))
        elif not loads.kind:
            sent = store.snapshot.series.get((environment.endpoint, None), Series()).samples
            again = bool(sent) and sent[-1].at > load.started_at
            loads.take_up(load, serving.version if serving else None, again)
    else:
        await _background(store.snapshot.live_release(environment.endpoint), load, environment, loads)
    await loads.steer(store.snapshot.endpoint(environment.endpoint).load)


async def _background(
    release: Release | None, load: LoadState | None, environment: Environment, loads: LoadControl
) -> None:
    profile, kind = environment.background, loads.kind
    wanted = release is not None and profile is not None and _moves(release)
    free = not kind and not (load is not None and load.running) and not loads.rests
    if release is not None and profile is not None and _judged(release) and free and not _stopped(release, load):
        loads.start(profile, "background", release.version, release.old_version)
    elif kind == "background" and not wanted:
        await loads.stop("traffic moves no more")


def _stopped(release: Release, load: LoadState | None) -> bool:
    """Whether an operator ended the background load of this release."""
    return load is not None and load.kind == "background" and load.stop and load.started_at >= release.began_at


def _judged(release: Release) -> bool:
    """Whether the release is between its first shift, or copy, and its last hold, with something to compare with."""
    return _between(release, Hold)


def _between(release: Release, *last: type[Step]) -> bool:
    """Whether it is between its first shift, or copy, and the last step of these kinds; no plan without holds is."""
    kinds = [type(step) for step in release.plan.steps]
    if release.state is not ReleaseState.RUNNING or Hold not in kinds or release.old is None:
        return False
    first = next(place for place, kind in enumerate(kinds) if kind in (Shift, Mirror, Hold))
    return first <= release.index <= max(place for place, kind in enumerate(kinds) if kind in last)


def _moves(release: Release) -> bool:
    """Whether background load goes on: until the last shift is proved, which may take a place its time, and on the way
    back, to show that no request failed."""
    return release.state is ReleaseState.BACK or _between(release, Hold, Shift)

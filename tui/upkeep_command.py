"""What is done to a project as it stands: stop it, change its processes under load, write its report anew."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from core.config.config import endpoint_name, state_folder
from core.config.settings import Settings
from core.domain.errors import QuarterdeckError, Refused
from core.domain.model import Observation
from core.engine import shell_variables
from core.engine.project import Project
from core.engine.retention import way_back_needs
from core.journal.journal import Journal, me
from core.state import commands as c, events as ev
from core.state.fold import fold_all
from core.state.moved_place import serves_elsewhere
from core.state.snapshot import Snapshot
from core.system.clock import boottime_s
from core.targets.kinds import Standing, kind_of, standing
from core.training.unwanted import unwanted_lines
from tui.format import about
from tui.headless import have_watch, opened, watch_of
from tui.taking_down import confirmed_down, needed_by_others

TAKEN_DOWN = "the endpoint was taken down"
LOAD_ENDS_S = 15.0
LOOK_S = 0.5
SAY_S = 15.0


async def down(project: Project, write: Callable[[str], None], confirmed: str | None = None) -> int:
    """Drain and stop every endpoint, or the named environment's alone; the last one takes the watch along.

    What is gone is written down, also the release that nobody drove any more. What others have put there is taken down
    where its environment is `confirmed`. Where a place can't be asked all stays as it is, and 1 is given.
    """
    places, others = await meant_places(project)
    mute = [place for place in places if place.unknown]
    stay = {one.endpoint for one in (*others, *mute)}
    journal = project.journal()
    try:
        snapshot = fold_all(journal.recent(journal.clock.now()))
        _as_served(project, snapshot)
        for place in places:
            holder = journal.holder(place.endpoint)
            # Who has just brought a release to its end may hold the lease a moment longer.
            under_way = snapshot.live_release(place.endpoint) is not None
            if under_way and holder is not None and holder.alive and not holder.weak:
                raise Refused(f"{place.endpoint}: {holder.label} is releasing; abort that first")
            _others_stay(place, snapshot, project, confirmed)
        loaded = [name for name in snapshot.endpoints if _loaded(snapshot, name) and name not in stay]
        await _end_loads(project, loaded, write)
        for place in places:
            await _taken_down(project, place, journal, snapshot, write)
        gone = _gone_already(project, snapshot, [one.endpoint for one in (*places, *others)])
        for name in gone:
            journal.append([ev.Acted(name, "took it down"), ev.Routed(name, {})], me(), journal.clock.now())
            write(f"{name}: nothing stands there any more, whoever deleted it; nothing is expected there from now on")
        if places or gone:
            # There is no way back to what was taken down, so nobody needs what was kept of its shell.
            needed = way_back_needs(snapshot, list(stay))
            shell_variables.forget_others(state_folder(project.settings), needed)
        else:
            write(nothing_runs(project, others, "down"))
        for name, own in project.by_endpoint().items():
            for line in unwanted_lines(own, name):
                write(f"{name}: {line}")
        if not any(one.slots or one.unknown for one in (*others, *mute)):
            await watch_of(project).stop()
    finally:
        journal.close()
    return 1 if mute else 0


def _gone_already(project: Project, snapshot: Snapshot, stand: Sequence[str]) -> list[str]:
    """The endpoints that should serve by what was asked for, and of which nothing stands."""
    meant = project.meant or list(project.by_endpoint())
    asked = [name for name in meant if name not in stand and snapshot.endpoint(name).weights]
    return [name for name in asked if snapshot.live_release(name) is None]


async def _taken_down(
    project: Project, place: Standing, journal: Journal, snapshot: Snapshot, write: Callable[[str], None]
) -> None:
    """One endpoint, and what that makes of its release; where its place can't be asked, nothing."""
    name = place.endpoint
    if place.unknown:
        write(f"{name}: {place.unknown}; nothing was taken down there, and all of it stays; try again")
        return
    if place.costs:
        write(f"{name}: what it costs ends: {', '.join(place.costs)}")
    stopped = await _stopped(kind_of(place.kind).stop(settings_of(project, name), name), name, write)
    expected = place.slots or snapshot.endpoint(name).weights
    gone: list[ev.Body] = [ev.Acted(name, "took it down"), ev.Routed(name, {})] if expected else []
    gone += [ev.Observed(name, Observation(seen.slot, None, 0, 0, 0.0)) for seen in place.slots]
    if (left := snapshot.live_release(name)) is not None:
        gone.append(ev.Ended(left.id, ev.Outcome.ABORTED, TAKEN_DOWN))
        write(f"{left.id}: ends here, {TAKEN_DOWN}")
    journal.append(gone, me(), journal.clock.now())
    write(f"{name}: {'drained and stopped' if stopped else 'was not running'}")


async def _stopped(call: Coroutine[Any, Any, bool], name: str, write: Callable[[str], None]) -> bool:
    """Whether anything was taken down there; what takes long is said while it does."""
    stops, begun = asyncio.ensure_future(call), boottime_s()
    try:
        while not (await asyncio.wait({stops}, timeout=SAY_S))[0]:
            write(f"{name}: is being taken down there, for {about(boottime_s() - begun)} so far")
        return stops.result()
    finally:
        stops.cancel()


def _others_stay(place: Standing, snapshot: Snapshot, project: Project, confirmed: str | None) -> None:
    """Raises Refused where another machine releases there now, and where what serves is not this project's alone."""
    name, own = place.endpoint, settings_of(project, place.endpoint)
    if place.refuses:
        raise Refused(f"{name}: {place.refuses}")
    why = "" if confirmed == own.environment else needed_by_others(place, snapshot)
    if why:
        meant = confirmed_down(project, own)
        raise Refused(f"{name}: it serves, and {why}: whoever did may be using it; to delete it all the same: {meant}")


def _as_served(project: Project, snapshot: Snapshot) -> None:
    """Raise Refused where the settings name another place than the one that an endpoint serves from."""
    for name, own in project.by_endpoint().items():
        if (not project.meant or name in project.meant) and (
            moved := serves_elsewhere(snapshot.endpoint(name), own.where)
        ):
            raise Refused(moved)


async def meant_places(project: Project) -> tuple[Sequence[Standing], Sequence[Standing]]:
    """The endpoints that a verb means, and the others: all of the project, or what `--env` and `--endpoint` leave."""
    places = await standing(project.settings.folder, list(project.by_endpoint().values()))
    meant = project.meant
    if not meant:
        return places, []
    return [one for one in places if one.endpoint in meant], [one for one in places if one.endpoint not in meant]


def nothing_runs(project: Project, others: Sequence[Standing], verb: str) -> str:
    """That nothing of what is meant runs, and which other endpoints of the project do, each with the verb for it."""
    known = project.by_endpoint()
    rest = [
        f"{one.endpoint} does in {known[one.endpoint].environment}: {project.typed(verb, known[one.endpoint])}"
        for one in others
        if one.slots and one.endpoint in known
    ]
    here = f"in {project.settings.environment}" if rest else "here"
    return "; ".join([f"nothing runs {here}", *rest])


def settings_of(project: Project, endpoint: str) -> Settings:
    """The settings of an endpoint; of one that no environment is called after any more, the chosen ones."""
    return project.by_endpoint().get(endpoint, project.settings)


async def _end_loads(project: Project, names: Sequence[str], write: Callable[[str], None]) -> None:
    """End the load that runs on these endpoints: against nothing it would count errors only."""
    if not names:
        return
    async with opened(project) as engine:
        until_s = boottime_s() + LOAD_ENDS_S
        for name in names:
            try:
                await engine.do(c.SetLoad(name, stop=True))
            except QuarterdeckError as error:
                # It has ended meanwhile, or nobody can be told: endpoints are stopped all the same.
                write(str(error))
                continue
            while _loaded(engine.snapshot, name) and boottime_s() < until_s:
                await engine.change(LOOK_S)
            runs_on = _loaded(engine.snapshot, name)
            write(f"{name}: its load {f'does not end within {LOAD_ENDS_S:g} s' if runs_on else 'was ended'}")


def _loaded(snapshot: Snapshot, name: str) -> bool:
    load = snapshot.endpoint(name).load
    return load is not None and load.running


async def restart(project: Project, write: Callable[[str], None]) -> int:
    """Change host, router and replicas of every endpoint, or of one environment, and then the watch, under load."""
    found, others = await meant_places(project)
    places = [place for place in found if place.slots]
    for place in places:
        await kind_of(place.kind).restart(settings_of(project, place.endpoint), place.endpoint, write)
    if not places:
        write(nothing_runs(project, others, "restart"))
    client = watch_of(project)
    if client.wanted:
        await client.stop()
        await have_watch(project, write)
    # Only now: an older watch, and what it wrote in, is out of the way.
    if done := [ev.Acted(place.endpoint, "restarted what serves") for place in places]:
        with contextlib.closing(project.journal()) as journal:
            journal.append(done, me(), journal.clock.now())
    return 0


async def report(project: Project, write: Callable[[str], None]) -> int:
    """The newest release's run folder, written anew."""
    async with opened(project) as engine:
        name = endpoint_name(project.settings)
        newest = engine.snapshot.release_of(name)
        if newest is None:
            raise Refused(f"{name}: no release yet; begin one with {project.typed('release')}")
        environment = project.environment_of(name, newest.options)
        try:
            folder = await environment.report(engine.snapshot, newest)
        finally:
            await environment.close()
        write(f"report: {folder}")
    return 0

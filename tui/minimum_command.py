"""`quarterdeck down --to-minimum`: every slot keeps what it has, with as few replicas as it may have."""

from collections.abc import Callable, Iterator

from core.engine.engine import Engine
from core.engine.project import Project
from core.state import commands as c
from core.state.endpoint import Endpoint
from core.system.text import counted
from core.targets.kinds import Standing
from tui.headless import driven, have_watch, opened
from tui.scale_command import followed, met
from tui.upkeep_command import meant_places, nothing_runs, settings_of

WHY = "down to the minimum"


async def to_minimum(project: Project, write: Callable[[str], None]) -> int:
    """Scale every endpoint, or the named environment's alone, and say what goes on to be paid for."""
    places, others = await meant_places(project)
    if not any(place.slots for place in places):
        # Where a place could not be asked, its line says why.
        said = [f"{place.endpoint}: {line}" for place in places for line in place.lines]
        for line in said or [nothing_runs(project, others, "down --to-minimum")]:
            write(line)
        return 1 if said else 0
    await have_watch(project, write)
    async with opened(project) as engine:
        for place in places:
            await _scaled(project, engine, place, write)
    for place in (await meant_places(project))[0]:
        if place.costs:
            write(f"{place.endpoint}: goes on to cost {', '.join(place.costs)}")
    return 0


async def _scaled(project: Project, engine: Engine, place: Standing, write: Callable[[str], None]) -> None:
    name = place.endpoint
    await met(settings_of(project, name), engine)
    asked = list(_asked(engine.snapshot.endpoint(name)))
    async with driven(project, engine, [name]):
        for command in asked:
            await followed(engine, settings_of(project, name), command, write)
    if not asked:
        write(f"{name}: has as few replicas as it may have")


def _asked(endpoint: Endpoint) -> Iterator[c.ScaleSlot]:
    """What makes each slot smaller that may be: to its autoscaler's minimum, without one to one replica."""
    for slot, seen in sorted(endpoint.slots.items()):
        look = endpoint.scaled.get(slot)
        least = look.min if look is not None else 1
        if seen.version is not None and seen.wanted > least:
            yield c.ScaleSlot(endpoint.name, least, slot, f"{WHY}: {counted(least, 'replica')}")

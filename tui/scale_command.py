"""`quarterdeck scale`: another number of replicas by hand, followed until they serve."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.domain.errors import Failed, Refused, Unreachable
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.moved_place import serves_elsewhere
from core.state.scaling_asked import lacks_autoscaler, scaled_slot
from core.system.text import counted
from tui.asked_place import asked, why_nothing
from tui.headless import driven, have_watch, opened
from tui.rollback_command import agreed

MET_S = 20.0
"""A watch that begins has told within so long what stands there."""


async def scale(project: Project, wanted: c.ScaleSlot, write: Callable[[str], None]) -> int:
    """Ask for it, and say when it is so."""
    await have_watch(project, write)
    async with opened(project) as engine:
        name = endpoint_name(project.settings)
        await met(project.settings, engine)
        try:
            slot = scaled_slot(engine.snapshot.endpoint(name), wanted.slot)
            command = replace(wanted, endpoint=name, slot=slot, least=project.settings.place.least)
            # Before anybody is asked to agree: to what is refused, or is so already, nobody need say yes.
            accepted = accept(command, engine.snapshot, engine.now())
        except Refused as error:
            if engine.snapshot.endpoint(name).slots or not (why := await why_nothing(project.settings)):
                raise
            raise Refused(f"{error}: {why}") from None
        if not accepted and (code := await _already(project.settings, engine, command, write)) is not None:
            return code
        if not agreed(project, engine, command, write):
            return Refused.exit_code
        async with driven(project, engine, [name]):
            return await followed(engine, project.settings, command, write)


async def _already(
    settings: Settings, engine: Engine, command: c.ScaleSlot, write: Callable[[str], None]
) -> int | None:
    """That as many were asked for; None where its place lacks an autoscaler, which a watch has only now seen.

    Raises Unreachable where the place can't be asked whether it has them.
    """
    so_many = counted(command.replicas, "replica")
    there, unknown = await asked(settings, engine.snapshot, engine.now())
    if lacks_autoscaler(there.endpoint(command.endpoint).scaled.get(command.slot)):
        engine.attend(command.endpoint)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MET_S):
                while not accept(command, engine.snapshot, engine.now()):
                    await engine.change(1.0)
                return None
    if unknown:
        known = f"{command.endpoint}: {command.slot} was asked for {so_many} already"
        raise Unreachable(f"{known}; whether it has them is not known: {unknown}")
    write(f"{command.endpoint}: {command.slot} has, or was asked for, {so_many} already")
    return 0


async def met(settings: Settings, engine: Engine) -> None:
    """Where the journal knows nothing of the endpoint, what stands at its place is met first.

    Raises Refused where the settings name another place, Unreachable where the place can't be asked.
    """
    name = endpoint_name(settings)
    known = engine.snapshot.endpoint(name)
    if moved := serves_elsewhere(known, settings.where):
        raise Refused(moved)
    if known.slots:
        return
    there, unknown = await asked(settings, engine.snapshot, engine.now())
    if unknown:
        raise Unreachable(f"{name}: not known what serves there: {unknown}")
    if not there.endpoint(name).slots:
        return
    engine.attend(name)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MET_S):
            while engine.snapshot.endpoint(name).serving is None:
                await engine.change(1.0)


async def followed(engine: Engine, settings: Settings, command: c.ScaleSlot, write: Callable[[str], None]) -> int:
    """Ask, and wait until so many serve; raises Refused where it is not taken, Failed where they don't in time."""
    after, asked_at = engine.snapshot.seq, engine.now()
    await engine.do(command)
    await _taken(engine, command, after)
    return await _ready(engine, command, asked_at, _within_s(settings), write)


def _within_s(settings: Settings) -> float:
    """How long replicas may take until they serve."""
    return settings.endpoint.ready_deadline_s + settings.place.patience.deploy_s


async def _taken(engine: Engine, command: c.ScaleSlot, after: int) -> None:
    """Wait until the target took it; raises Refused with its reason, Failed where it does not answer."""
    name, slot, within_s = command.endpoint, command.slot, 30.0
    try:
        async with asyncio.timeout(within_s):
            async for event in engine.events(after):
                match event.body:
                    case ev.Resized(endpoint=endpoint, slot=of, why=why) if (endpoint, of) == (name, slot):
                        if why:
                            raise Refused(f"{name}: {why}")
                        return
    except TimeoutError:
        left = next((one.why for one in engine.snapshot.endpoint(name).pending if one.slot == slot and one.why), "")
        why_late = f": {left}" if left else ""
        raise Failed(f"{name}: not taken within {within_s:g} s{why_late}; it is tried again until it is") from None


async def _ready(
    engine: Engine, command: c.ScaleSlot, asked_at: float, within_s: float, write: Callable[[str], None]
) -> int:
    """Wait until so many serve; raises Failed where they don't in time, Refused once another size is asked for."""
    name, slot, begun = command.endpoint, command.slot, False
    while True:
        seen = engine.snapshot.endpoint(name).slots.get(slot)
        if begun and seen is not None and seen.wanted != command.replicas:
            raise Refused(f"{name}: {slot} was asked for {counted(seen.wanted, 'replica')} meanwhile")
        begun = seen is not None and seen.wanted == command.replicas
        if seen is not None and (seen.wanted, seen.ready) == (command.replicas, command.replicas):
            write(f"{name}: {slot} has {counted(seen.ready, 'replica')} ready after {engine.now() - asked_at:.1f} s")
            return 0
        if engine.now() - asked_at > within_s:
            break
        await engine.change(1.0)
    ready, wanted, why = (seen.ready, seen.wanted, seen.why) if seen is not None else (0, 0, "")
    because = f": {why}" if why else ""
    raise Failed(f"{name}: {slot} has {ready} of {counted(wanted, 'replica')} ready after {within_s:g} s{because}")

"""Why nothing here can be taken back: what is under way is of another endpoint, or another machine's."""

import asyncio
from collections.abc import Callable

from core.config.config import endpoint_name
from core.domain.errors import Refused
from core.engine.project import Project
from core.state.snapshot import Snapshot
from core.targets.kinds import standing_at

SAID_S, WITHIN_S = 1.0, 10.0
"""Whoever is refused is told that the place is asked, and waits no longer for it."""


async def refused_elsewhere(
    project: Project, snapshot: Snapshot, error: Refused, write: Callable[[str], None]
) -> Refused:
    """A refusal, with what is under way in its place; raises QuarterdeckError where the place can't be asked."""
    settings = project.settings
    own = endpoint_name(settings)
    if live := next((one for one in snapshot.releases.values() if one.live and one.endpoint != own), None):
        return Refused(f"{error}; {live.id} is under way, of the environment {live.environment}: --env names it")
    if not settings.place.shared:
        return error
    asking = asyncio.create_task(standing_at(settings), name="ask who releases there")
    try:
        await asyncio.wait({asking}, timeout=SAID_S)
        if not asking.done():
            write(f"{error}; {settings.place.where} is asked whether another machine releases there")
            await asyncio.wait({asking}, timeout=WITHIN_S)
        if not asking.done():
            return Refused(f"{error}; whether another machine releases there was not said within {WITHIN_S:g} s")
    finally:
        asking.cancel()
    place = await asking
    if not place.refuses:
        return error
    takes = f"from here {project.typed('rollback --to VERSION')} takes it over"
    return Refused(f"{place.endpoint}: {place.refuses}; {takes}")

"""`quarterdeck drill --on staging`: the way back, tried on a copy of the endpoint that no user asks anything of.

The same two versions come up in the place of another environment, by its settings, under a name of their own; what the
registry says moves no further, and all of it is taken away again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.config.config import endpoint_name
from core.config.planner import Wishes, release_of
from core.config.settings import Settings
from core.domain.errors import BadInput, Failed, QuarterdeckError, Refused
from core.domain.model import Observation, Version
from core.domain.strategies import of_copy
from core.engine import shell_variables
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.targets.kinds import kind_of
from tui.drill_command import REASON, Write, there_and_back, way_of
from tui.headless import driven, have_watch, opened
from tui.plain_lines import Lines

SUFFIX = "-drill"
LONGEST = 42
"""So long an endpoint's name may be."""
UP_S, GONE_S = 600.0, 150.0


async def drill(project: Project, there: Project, write: Write) -> int:
    """Exit code 0 where the way was proved on the copy and no request of the load failed, else 1."""
    name, settings = endpoint_name(project.settings), copied(there.settings)
    copy = endpoint_name(settings)
    await have_watch(project, write)
    async with opened(project) as engine:
        to, now = way_of(engine.snapshot, name), engine.snapshot.endpoint(name).served
        if now is None:
            raise Refused(f"drill: {name} serves nothing now")
        if engine.snapshot.live_release(copy) is not None and engine.driven(copy):
            raise Refused(f"drill: another one is under way on {copy}; wait for its end")
        # One that was killed may have left something.
        await _take_away(engine, settings, copy)
        began_at = datetime.now(UTC).astimezone()
        async with _there_for_a_while(engine, settings, copy, write):
            for at, version in enumerate((to, now)):
                write(f"{copy}: {version.label} comes up in {settings.environment}")
                await _bring_up(project, engine, settings, version, began_at + timedelta(seconds=at), write)
            took = await there_and_back(there, engine, copy, to, write)
        figures = (took.back_ms, took.forward_ms, took.requests, took.failed)
        await engine.do(c.RecordDrill(name, to, *figures, copy=copy))
        write(f"{name}: the way back is proven on a copy in {settings.environment}: {took}")
    return int(took.failed > 0)


def copied(settings: Settings) -> Settings:
    """The settings of a copy in this environment: its own name, whatever port is free; raises BadInput."""
    if settings.production:
        raise BadInput(f"--on {settings.environment}: is production, where a copy has no place; name dev or staging")
    name = f"{settings.endpoint.name}{SUFFIX}"
    if len(name) > LONGEST:
        raise BadInput(f"endpoint.name: {settings.endpoint.name} is too long for a copy to be called {name}")
    return settings.model_copy(update={"endpoint": settings.endpoint.model_copy(update={"name": name, "port": 0})})


async def _bring_up(
    project: Project, engine: Engine, settings: Settings, version: Version, at: datetime, write: Write
) -> None:
    """All of the copy's traffic to a version; raises Failed."""
    begin = release_of(settings, True, Wishes(version=version, confirmed=True, reason=REASON), at)
    begin = replace(begin, plan=of_copy(begin.plan))
    shell_variables.keep(settings, begin.release)
    after, lines = engine.snapshot.seq, Lines(begin.endpoint, write)
    await engine.do(begin)
    try:
        async with asyncio.timeout(UP_S), driven(project, engine, [begin.endpoint]):
            async for event in engine.events(after):
                lines.say(event, engine.snapshot)
                match event.body:
                    case ev.Ended(release=release, outcome=outcome, why=why) if release == begin.release:
                        if outcome is not ev.Outcome.DONE:
                            raise Failed(f"drill: {version.label} does not come up on the copy: {why}")
                        return
                    case _:
                        pass
    except TimeoutError:
        raise Failed(f"drill: {version.label} did not come up on the copy within {UP_S:g} s") from None


@asynccontextmanager
async def _there_for_a_while(engine: Engine, settings: Settings, copy: str, write: Write) -> AsyncIterator[None]:
    """Whatever comes of it, the copy goes again; one that does not go is said, with what takes it away."""
    try:
        yield
    finally:
        try:
            async with asyncio.timeout(GONE_S):
                await _take_away(engine, settings, copy)
            write(f"{copy}: gone again")
        except (QuarterdeckError, TimeoutError, OSError) as error:
            write(f"{copy}: is not gone: {error or 'no answer'}; the next drill there takes it away first")


async def _take_away(engine: Engine, settings: Settings, copy: str) -> None:
    """End what stands of the copy, and write down that it is gone."""
    stopped = await kind_of(settings.target).stop(settings, copy)
    known, left = engine.snapshot.endpoint(copy), engine.snapshot.live_release(copy)
    gone: list[ev.Body] = [ev.Acted(copy, "took it down"), ev.Routed(copy, {})] if stopped or known.slots else []
    gone += [ev.Observed(copy, Observation(slot, None, 0, 0, 0.0)) for slot in known.slots]
    if left is not None:
        gone.append(ev.Ended(left.id, ev.Outcome.ABORTED, "the copy was taken away"))
    if gone:
        await engine.emit(*gone)

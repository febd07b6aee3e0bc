"""`quarterdeck drill`: the way back is proven before it is needed, by going it and coming forward again under load."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass

from core.config.config import endpoint_name
from core.domain.errors import Failed, Refused
from core.domain.load_profile import LoadProfile, LoadSource
from core.domain.model import Version
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.state.reversal import refused_rollback, rollback_of
from core.state.snapshot import Snapshot
from core.state.together import asked_too
from tui.asked_place import asked
from tui.headless import AFTER_S, driven, have_watch, home_within_s, opened
from tui.plain_lines import Lines

LOADED_S = 30.0
ANSWERS = 20
"""So many requests of the load are answered before the key goes down, and after each move."""
REASON = "drill"
Write = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class WayThere:
    """What the way back and forward again took, from the key to the proof, and what the load saw meanwhile."""

    back_ms: float
    forward_ms: float
    requests: int
    failed: int

    def __str__(self) -> str:
        took = f"back in {self.back_ms:.0f} ms, forward in {self.forward_ms:.0f} ms"
        return f"{took}, {self.failed} of {self.requests} requests failed"


async def drill(project: Project, confirmed: bool, write: Write) -> int:
    """Go back and forward; exit code 0 where both were proved and no request of the load failed, else 1."""
    name = endpoint_name(project.settings)
    async with opened(project) as engine:
        _way(await _as_it_is(project, engine), name)
        _agreed(project, confirmed, write)
        await have_watch(project, write)
        to = _way(engine.snapshot, name)
        took = await there_and_back(project, engine, name, to, write)
        await engine.do(c.RecordDrill(name, to, took.back_ms, took.forward_ms, took.requests, took.failed))
        write(f"{name}: the way back is proven: {took}")
    return int(took.failed > 0)


async def there_and_back(project: Project, engine: Engine, name: str, to: Version, write: Write) -> WayThere:
    """Go back to the version before and forward again, under the load that runs, else a small one; raises Failed."""
    after, began_at = engine.snapshot.seq, engine.now()
    theirs = _loaded(engine.snapshot, name)
    if theirs:
        write(f"{name}: under the load that runs")
    else:
        profile = LoadProfile("drill", project.settings.drill.users, 5.0, None)
        await engine.do(c.StartLoad(name, profile, LoadSource()))
    try:
        async with driven(project, engine, [name, *asked_too(c.Rollback(name), engine.snapshot)]):
            await _answered(engine, name, after)
            back_ms, forward_ms = await _back_and_forward(engine, name, to, write)
    finally:
        ended = None if theirs else await _end_load(engine, name)
    total = engine.snapshot.series[name, None].since(began_at) if theirs else ended.total if ended else None
    return WayThere(back_ms, forward_ms, *((total.requests, total.failures) if total is not None else (0, 0)))


async def _back_and_forward(engine: Engine, name: str, to: Version, write: Write) -> tuple[float, float]:
    """How long each took, in ms. Forward again also where the load ended meanwhile, which is raised after that."""
    write(f"{name}: going back to {to.label}, as R does")
    back_ms, why = await _move(engine, name, c.Rollback(name, engine.now(), REASON, drill=True), write), None
    try:
        await _still_answered(engine, name)
    except Failed as error:
        why = error
    write(f"{name}: and forward again")
    forward_ms = await _move(engine, name, c.Undo(name, engine.now(), REASON), write)
    if why is not None:
        raise why
    await _still_answered(engine, name)
    return back_ms, forward_ms


def _loaded(snapshot: Snapshot, name: str) -> bool:
    """Whether load runs, as somebody started it."""
    load = snapshot.endpoint(name).load
    return load is not None and load.running


def _agreed(project: Project, confirmed: bool, write: Write) -> None:
    """In production users get the version before for some seconds: somebody must mean that. Raises Refused."""
    environment = project.settings.environment
    if not project.settings.production or confirmed:
        return
    what = f"users of {environment} get the version before for some seconds"
    if not sys.stdin.isatty():
        raise Refused(f"drill: {what}; name it to mean it: {project.typed('drill')}")
    write(f"{what}. Type {environment} to do it")
    if sys.stdin.readline().strip() != environment:
        raise Refused("drill: not confirmed; nothing was done")


async def _as_it_is(project: Project, engine: Engine) -> Snapshot:
    """The state as the endpoint's place has it: a drill waits for nothing, and another machine may have released."""
    snapshot, unknown = await asked(project.settings, engine.snapshot, engine.now())
    if unknown:
        raise Refused(f"drill: {unknown}")
    return snapshot


def _way(snapshot: Snapshot, name: str) -> Version:
    """The version that a rollback goes to; raises Refused where there is none, or something is under way."""
    live = snapshot.live_release(name)
    if live is not None:
        raise Refused(f"drill: {live.id} is under way; wait for its end")
    return way_of(snapshot, name)


def way_of(snapshot: Snapshot, name: str) -> Version:
    """The version that a rollback goes to; raises Refused where there is none."""
    endpoint, release = snapshot.endpoints.get(name), rollback_of(snapshot, name)
    why = refused_rollback(endpoint, release)
    to = release.old_version if release is not None else None
    if why is not None or to is None or endpoint is None:
        nothing = release is None or release.old_version is None
        more = "; release a second version first, or name another --env" if nothing else ""
        raise Refused(f"drill: {why or 'nothing served before'}{more}")
    return to


async def _move(engine: Engine, name: str, command: c.Command, write: Write) -> float:
    """Ask for it and wait until traffic is proved and the release rests; raises Failed."""
    after = engine.snapshot.seq
    await engine.do(command)
    lines, took_ms = Lines(name, write), None
    release = engine.snapshot.release_of(name)
    within_s = home_within_s(release) if release is not None else AFTER_S
    try:
        async with asyncio.timeout(within_s):
            async for event in engine.events(after):
                lines.say(event, engine.snapshot)
                match event.body:
                    case ev.Verified(endpoint=endpoint, since="key", took_ms=ms) if endpoint == name:
                        took_ms = ms
                    case ev.Ended(outcome=outcome, why=why) if outcome is ev.Outcome.STUCK:
                        raise Failed(f"drill: {why}")
                    case ev.Ended() if took_ms is not None and not _moves(engine.snapshot, name):
                        return took_ms
                    case _:
                        pass
    except TimeoutError:
        raise Failed(f"drill: traffic was not proved within {within_s:g} s; see 'quarterdeck status'") from None
    raise Failed("drill: the journal was closed before traffic was proved")


def _moves(snapshot: Snapshot, name: str) -> bool:
    """Whether the endpoint, or one that goes with it, has not arrived yet."""
    names = (name, *asked_too(c.Rollback(name), snapshot))
    return any(snapshot.live_release(one) is not None for one in names)


async def _answered(engine: Engine, name: str, after: int) -> None:
    """Wait until the load has had some answers since; raises Failed."""
    seen = 0
    try:
        async with asyncio.timeout(LOADED_S):
            async for event in engine.events(after):
                match event.body:
                    case ev.Sampled(endpoint=endpoint, sample=sample) if endpoint == name and sample.slot is None:
                        seen += sample.requests
                    case ev.LoadEnded(endpoint=endpoint, why=why) if endpoint == name:
                        raise Failed(f"drill: its load ended: {why}")
                    case _:
                        pass
                if seen >= ANSWERS:
                    return
    except TimeoutError:
        raise Failed(f"drill: the load got {seen} answers within {LOADED_S:g} s") from None


async def _still_answered(engine: Engine, name: str) -> None:
    """Wait until the load has had some answers from now on; raises Failed, at once where it is over."""
    if not _loaded(engine.snapshot, name):
        raise Failed("drill: its load ended")
    await _answered(engine, name, engine.snapshot.seq)


async def _end_load(engine: Engine, name: str) -> ev.LoadEnded | None:
    """End the load, and what it came to."""
    after = engine.snapshot.seq
    if not _loaded(engine.snapshot, name):
        return None
    await engine.do(c.SetLoad(name, stop=True))
    try:
        async with asyncio.timeout(LOADED_S):
            async for event in engine.events(after):
                if isinstance(event.body, ev.LoadEnded) and event.body.endpoint == name:
                    return event.body
    except TimeoutError:
        pass
    return None

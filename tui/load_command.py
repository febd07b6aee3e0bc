"""`quarterdeck load`: load on what is served, its lines, its verdicts, its exit code."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path

from core.config.config import endpoint_name
from core.config.planner import limits_of
from core.config.settings import Settings
from core.domain.errors import BadInput, QuarterdeckError, Refused
from core.domain.gates import GateResult
from core.domain.load_profile import LoadProfile, LoadSource
from core.engine.engine import Engine
from core.engine.project import Project
from core.load.check import check
from core.state import commands as c, events as ev
from core.system.tasks import TaskGuard
from tui.headless import INTERRUPTED, have_watch, opened
from tui.plain_lines import Lines, judged

Write = Callable[[str], None]
LOOK_S = 2.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def source_of(settings: Settings, locustfile: str, attach: str, web: bool) -> LoadSource:
    """What sends the load, by the flags and then by the project as it is now."""
    named = str(Path(locustfile).resolve()) if locustfile else ""
    if not named and settings.load.locustfile:
        named = str(settings.folder / settings.load.locustfile)
    return LoadSource(named, attach, web or settings.load.web, settings.load.processes)


async def load(project: Project, profile: LoadProfile, source: LoadSource, write: Write, stay: bool = False) -> int:
    """Load on the endpoint until it ends, judged by the project's limits.

    Ctrl-c ends it in good order, a second one at once; one that is to `stay` goes on. Exit code 0: everything held;
    1: it did not, or the load did not run its time; 2: it could not be begun like this.
    """
    name = endpoint_name(project.settings)
    await check(profile, source)
    await have_watch(project, write)
    async with opened(project) as engine:
        after = engine.snapshot.seq
        await engine.do(c.StartLoad(name, profile, source, limits_of(project.settings), stay))
        following = asyncio.create_task(_follow(engine, name, after, write), name="follow the load")
        interrupted = _Interrupts(engine, name, following, write, stay)
        try:
            return _verdict(await following, write)
        except asyncio.CancelledError:
            if stay:
                write(f"the load goes on; 'X' on the deck or {project.typed('load --stop')} ends it")
            return INTERRUPTED
        finally:
            await interrupted.close()


async def stop(project: Project, write: Write) -> int:
    """End the load that runs, whoever began it."""
    async with opened(project) as engine:
        name = endpoint_name(project.settings)
        endpoint = engine.snapshot.endpoints.get(name)
        if endpoint is None or endpoint.load is None or not endpoint.load.running:
            raise Refused(f"{name}: no load runs")
        await engine.do(c.SetLoad(name, stop=True))
        write(f"{name}: {endpoint.load.kind} load was told to stop")
    return 0


class _Interrupts:
    """What ctrl-c, SIGTERM and a terminal that closes mean while load is followed."""

    def __init__(self, engine: Engine, name: str, following: asyncio.Task[ev.LoadEnded], write: Write, stay: bool):
        self._engine = engine
        self._name = name
        self._following = following
        self._write = write
        self._guard = TaskGuard("load command")
        self._pressed = 0
        self._guard.keep(self._have_driven, "have the load driven")
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, following.cancel if stay else self._interrupt)

    def _interrupt(self) -> None:
        self._pressed += 1
        if self._pressed == 1:
            self._write("stopping the load; again: at once")
            self._guard.start(self._stop(), "stop the load")
        else:
            self._following.cancel()

    async def _have_driven(self) -> None:
        """Whoever drives may die: a load that nobody sends would be waited for without end."""
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._engine.driven(self._name):
                with contextlib.suppress(QuarterdeckError):
                    await self._engine.resume(self._name)

    async def _stop(self) -> None:
        try:
            await self._engine.do(c.SetLoad(self._name, stop=True))
        except QuarterdeckError as error:
            self._write(str(error))

    async def close(self) -> None:
        """Signals mean again what they did before."""
        for number in SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
        self._following.cancel()
        await self._guard.close()


async def _follow(engine: Engine, name: str, after: int, write: Write) -> ev.LoadEnded:
    """Say what happens until our load has ended."""
    lines, begun = Lines(name, write), False
    async for event in engine.events(after):
        lines.say(event, engine.snapshot)
        match event.body:
            case ev.LoadStarted(kind="manual", endpoint=endpoint) if endpoint == name:
                begun = True
            # The end of an earlier one, whose driver was killed, may be said first.
            case ev.LoadEnded(kind="manual", endpoint=endpoint) as ended if begun and endpoint == name:
                return ended
            case _:
                pass
    raise Refused(f"{name}: the journal was closed before the load had ended")


def _verdict(ended: ev.LoadEnded, write: Write) -> int:
    """The last lines of a load, and its exit code. What was never judged did not pass."""
    for verdict in ended.verdicts:
        write(judged(verdict))
    for path in ended.artifacts:
        write(path)
    if ended.given:
        return BadInput.exit_code
    return 0 if ended.verdicts and all(verdict.outcome is GateResult.PASS for verdict in ended.verdicts) else 1

"""What every command needs that asks the engine: the journal opened, somebody who drives, an end with a code."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

from core.domain.errors import JournalError, QuarterdeckError, Refused, Unreachable
from core.domain.hints import typed
from core.domain.plan import title
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import commands as c
from core.state.release import Release, ReleaseState
from core.system.tasks import TaskGuard
from core.watch.client import ANSWER_S, WatchClient
from core.watch.place import WatchPlace
from tui.output import say

AGAIN_S = 3.0
"""A second ctrl-c within this time aborts."""
AFTER_S = 60.0
"""What comes after the traffic of a way back, its aliases and its report, is waited for so much longer."""
INTERRUPTED = 130
UNDRIVEN_S, UNDRIVEN_LOOKS = 2.0, 2
"""A driver that goes is followed within a second; who has none after two looks is driven by whoever waits."""


@contextlib.asynccontextmanager
async def opened(project: Project, read_only: bool = False, attached: bool = False) -> AsyncIterator[Engine]:
    """An engine over the project's journal; what is asked there is driven by the watch, `attached` here."""
    if not read_only:
        await watch_of(project).retire_other()
    journal = project.journal(wait_s=0)
    if project.notice:
        say(project.notice, sys.stderr)
    try:
        async with project.engine(journal, read_only, None if attached or read_only else watch_of(project)) as engine:
            yield engine
    finally:
        journal.close()


def watch_of(project: Project) -> WatchClient:
    """The project's watch."""
    return WatchClient(WatchPlace(project.path))


async def have_watch(project: Project, write: Callable[[str], None]) -> None:
    """Start the project's watch where none runs; without one each command drives by itself, and it is said."""
    client = watch_of(project)
    try:
        await client.ensure()
        if told := replaced(client):
            write(told)
    except Unreachable as error:
        write(f"{error}; what is begun here ends with this command")


async def unheard(project: Project) -> list[str]:
    """Who can't be told, because the watch that runs lacks a variable that they need, a line each."""
    receivers = {name: one for own in project.by_endpoint().values() for name, one in own.alerts.receivers.items()}
    lacks = set(await watch_of(project).unset(name for one in receivers.values() for name in one.variables))
    return [
        f"{name} will be told nothing: the watch has no {', '.join(gone)}; set it, then {typed('watch --stop')} "
        f"and {typed('watch')}"
        for name, one in receivers.items()
        if (gone := [variable for variable in one.variables if variable in lacks])
    ]


def replaced(client: WatchClient) -> str:
    """What is to be said of a watch that hung and was ended; empty without one."""
    if client.hung is None:
        return ""
    return f"the watch before it, process {client.hung.pid}, gave no sign of life for {ANSWER_S:g} s and was ended"


@contextlib.asynccontextmanager
async def driven(
    project: Project, engine: Engine, names: Sequence[str], attached: bool = False, in_s: float = 0.0
) -> AsyncIterator[None]:
    """Whoever waits has somebody drive: a watch that dies or hangs meanwhile is replaced. `in_s`: not before then."""

    async def keep() -> None:
        await asyncio.sleep(in_s)
        await watch_of(project).keep(attend)

    def attend() -> None:
        for name in names:
            engine.attend(name)

    guard = TaskGuard("follow")
    if not attached:
        guard.start(keep(), "have a watch")
        for name in names:
            guard.start(_see_it_driven(engine, name), "see the release driven")
    try:
        yield
    finally:
        await guard.close()


async def _see_it_driven(engine: Engine, name: str) -> None:
    """A watch that is well may still not be able to drive this release: then whoever waits for it does."""
    looks, said = 0, ""
    while True:
        await asyncio.sleep(UNDRIVEN_S)
        try:
            live = engine.snapshot.live_release(name)
            looks = looks + 1 if live is not None and not engine.driven(name) else 0
            if looks >= UNDRIVEN_LOOKS:
                await engine.resume(name)
        except QuarterdeckError as error:
            if str(error) != said:
                said = str(error)
                say(f"nobody can drive it: {said}", sys.stderr)


def after_us(engine: Engine, name: str) -> str:
    """What is to be said of a live release when this process leaves it: where no watch can be had, it drove itself."""
    environment, live = engine.snapshot.endpoint(name).environment, engine.snapshot.live_release(name)
    way = {ReleaseState.BACK: " back", ReleaseState.FORWARD: " forward again"}
    going = "" if live is None else way.get(live.state, "")
    deck, ends = typed("", environment), f", {typed('abort', environment)} ends it" if not going else ""
    with contextlib.suppress(JournalError):
        if engine.drives(name) or not engine.driven(name):
            return f"nobody drives it once this ends, traffic flows on; {deck} goes on with it{ends}"
    return f"still going{going}; {deck} follows it{ends}"


def home_within_s(release: Release) -> float:
    """How long a release is waited for on its way back or forward, from each of its steps on: its place and whoever
    drives it give up before that."""
    pause_s = release.way.pause_s if release.way is not None else 0.0
    return release.plan.patience.back_s + pause_s + AFTER_S


def at_step(release: Release) -> str:
    """Where a release is, in words."""
    return title(release.current.step) if release.current else "its end"


async def interruptible(
    work: Coroutine[Any, Any, int],
    engine: Engine,
    name: str,
    write: Callable[[str], None],
    attached: bool = False,
) -> int:
    """The work's exit code. Ctrl-c and SIGTERM leave a release going and say so; a second ctrl-c aborts it.

    An attached release stays where it is: nobody else drives it until somebody comes.
    """
    task = asyncio.create_task(work, name="follow the release")
    loop = asyncio.get_running_loop()
    pressed = 0

    def interrupt() -> None:
        nonlocal pressed
        pressed += 1
        if attached or pressed > 2 or engine.snapshot.live_release(name) is None:
            task.cancel()
        elif pressed == 1:
            write(f"{after_us(engine, name)}; ctrl-c again within {AGAIN_S:g} s aborts")
            loop.call_later(AGAIN_S, lambda: pressed == 1 and task.cancel())
        else:
            write("aborting: traffic returns")
            aborting.append(asyncio.ensure_future(_abort(engine, name, write)))

    aborting: list[asyncio.Future[None]] = []
    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        live = engine.snapshot.live_release(name)
        if live is not None and attached:
            write(
                f"left {live.id} at {at_step(live)}: go on with {typed('release', live.environment)}, "
                f"take it back with {typed('rollback', live.environment)}; traffic flows on"
            )
        elif live is not None and pressed == 0:
            write(after_us(engine, name))
        return INTERRUPTED
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _abort(engine: Engine, name: str, write: Callable[[str], None]) -> None:
    try:
        await engine.do(c.Abort(name, engine.now()))
    except QuarterdeckError as error:
        write(str(error))


def pending_of(engine: Engine, name: str, write: Callable[[str], None]) -> bool:
    """Whether something that was promised has not come true yet; each is said in a line."""
    pending = [one for one in engine.snapshot.endpoint(name).pending if one.why]
    for one in pending:
        write(f"pending: {one.what}: {one.why}; it is tried again until it is done, see 'quarterdeck status'")
    return bool(pending)


def run(work: Coroutine[Any, Any, int], complain: Callable[[str], None]) -> int:
    """Run to the end; an error of ours becomes its one line and its exit code."""
    try:
        return asyncio.run(work)
    except Refused as error:
        complain(f"refused: {error}")
        return error.exit_code
    except QuarterdeckError as error:
        complain(f"error: {error}")
        return error.exit_code

"""The commands that need no screen: ask the engine, say what happens, end with a code."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from core.config.config import endpoint_name
from core.config.planner import Wishes, release_of
from core.domain.errors import BadInput, Failed, QuarterdeckError, Refused, Unreachable
from core.domain.model import Observation
from core.domain.plan import title
from core.engine import shell_variables
from core.engine.engine import Engine
from core.engine.project import Project
from core.journal.journal import me
from core.state import commands as c, events as ev
from core.state.snapshot import Release, ReleaseState
from core.system.processes import running_s
from core.system.tasks import TaskGuard
from core.targets.local.client import listing, stop
from core.targets.local.upkeep import restart as local_restart
from core.watch.client import WatchClient
from core.watch.place import WatchPlace
from tui.output import say
from tui.plain_lines import Lines
from tui.quick_rollback import TakenUp

REPORT_S = 60.0
STILL = "still going; 'quarterdeck' follows it, 'quarterdeck abort' ends it"
AGAIN_S = 3.0
"""A second ctrl-c within this time aborts."""
MOVED_S = 1.0
"""Traffic has moved by then; a watch is not started beside it."""
BACK_S = 180.0
"""A rollback is waited for so long; its own deadlines are shorter."""
INTERRUPTED = 130


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
    try:
        await watch_of(project).ensure()
    except Unreachable as error:
        write(f"{error}; what is begun here ends with this command")


async def release(project: Project, wishes: Wishes, write: Callable[[str], None], attached: bool = False) -> int:
    """Release, or go on with one that nobody drives; returns the exit code. `attached`: driven by this process."""
    async with opened(project, attached=attached) as engine:
        name = endpoint_name(project.settings)
        after = engine.snapshot.seq
        before = None if engine.driven(name) else engine.snapshot.live_release(name)
        if not attached:
            await have_watch(project, write)
        back = engine.snapshot.live_release(name)
        if back is not None and back.state is not ReleaseState.RUNNING:
            await _finish_way(engine, name, back, write)
            before, after = None, engine.snapshot.seq
        if before is not None:
            write(f"resuming {before.id} at {_at(before)}: nobody drove it")
            await engine.resume(name)
            id_ = before.id
        else:
            id_ = await begun(engine, project, wishes)
        async with _driven(project, engine, name, attached):
            work = _follow(engine, name, id_, after, write)
            return await _interruptible(work, engine, name, write, attached)


@contextlib.asynccontextmanager
async def _driven(
    project: Project, engine: Engine, name: str, attached: bool = False, in_s: float = 0.0
) -> AsyncIterator[None]:
    """Whoever waits has somebody drive: a watch that dies or hangs meanwhile is replaced. `in_s`: not before then."""

    async def keep() -> None:
        await asyncio.sleep(in_s)
        await watch_of(project).keep(lambda: engine.attend(name))

    guard = TaskGuard("follow")
    if not attached:
        guard.start(keep(), "have a watch")
    try:
        yield
    finally:
        await guard.close()


async def _finish_way(engine: Engine, name: str, before: Release, write: Callable[[str], None]) -> None:
    """A release that was left on its way back is seen home first; it is not what was asked for now."""
    write(f"{before.id} was left on its way {before.state.value}: finishing that first")
    await engine.resume(name)
    try:
        async with asyncio.timeout(BACK_S):
            while engine.snapshot.releases[before.id].live:
                await engine.change(1.0)
    except TimeoutError:
        raise Failed(f"{name}: {before.id} did not come home within {BACK_S:g} s; see 'quarterdeck status'") from None


async def begun(engine: Engine, project: Project, wishes: Wishes) -> str:
    """Begin a new release with this shell's variables; gives its name. Raises Refused while another is under way."""
    name = endpoint_name(project.settings)
    serving = engine.snapshot.endpoints.get(name)
    begin = release_of(project.settings, serving is None or serving.serving is None, wishes)
    shell_variables.keep(project.settings, begin.release)
    await engine.do(begin)
    return begin.release


def _at(release: Release) -> str:
    return title(release.current.step) if release.current else "its end"


async def _follow(engine: Engine, name: str, id_: str, after: int, write: Callable[[str], None]) -> int:
    """Say what happens until the release has ended and its report is written, or could not be."""
    lines = Lines(name, write)
    given = False
    over = asyncio.Event()

    async def follow() -> None:
        nonlocal given
        async for event in engine.events(after):
            lines.say(event, engine.snapshot)
            body = event.body
            if isinstance(body, ev.StepFailed) and body.release == id_:
                given = body.given
            if isinstance(body, ev.Ended) and body.release == id_:
                over.set()
            no_report = isinstance(body, ev.Logged) and body.source == "summary" and over.is_set()
            if no_report or (isinstance(body, ev.Reported) and body.release == id_):
                return

    following = asyncio.create_task(follow(), name="follow the release")
    ending = asyncio.create_task(over.wait(), name="the release's end")
    try:
        await asyncio.wait({following, ending}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({following}, timeout=REPORT_S)
        if following.done():
            following.result()
    finally:
        following.cancel()
        ending.cancel()
    code = _verdict(engine.snapshot.releases[id_], given, write)
    return code or int(_pending(engine, name, write))


def _verdict(release: Release, given: bool, write: Callable[[str], None]) -> int:
    """The last lines of a release, and its exit code. `given`: it failed at what it was given, not at what it is."""
    version = f"{release.version.model} {release.version.label}" if release.version else "no new version"
    outcome = release.outcome.value if release.outcome else "under way"
    write(f"{outcome}: {version} on {release.endpoint}{': ' + release.why if release.why else ''}")
    if release.folder:
        write(f"report: {release.folder}")
    if release.outcome is ev.Outcome.FAILED and given:
        return BadInput.exit_code
    return 0 if release.outcome is ev.Outcome.DONE else 1


async def _interruptible(
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
            write(f"{STILL}; ctrl-c again within {AGAIN_S:g} s aborts")
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
                f"left {live.id} at {_at(live)}: go on with 'quarterdeck release', "
                "take it back with 'quarterdeck rollback'; traffic flows on"
            )
        elif live is not None and pressed == 0:
            write(STILL)
        return INTERRUPTED
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _abort(engine: Engine, name: str, write: Callable[[str], None]) -> None:
    try:
        await engine.do(c.Abort(name, engine.now()))
    except QuarterdeckError as error:
        write(str(error))


Moving = Callable[[str, float], c.Command]
"""From an endpoint's name and the moment of the key to what is asked."""


def _agreed(engine: Engine, command: c.Command, write: Callable[[str], None]) -> bool:
    """Whether it may be asked: what takes a service down asks once, where somebody can answer."""
    wanted = c.confirmation(command, engine.snapshot, engine.now())
    if wanted is None or wanted.typed or not isinstance(command, c.Rollback | c.Abort):
        return True
    if not sys.stdin.isatty():
        write(f"refused: {wanted.text}; 'quarterdeck down' stops the endpoint in good order")
        return False
    write(f"{wanted.text}. Do it? y/n")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def move(project: Project, make: Moving, write: Callable[[str], None], asked: TakenUp | None = None) -> int:
    """Rollback, undo or abort: asked unless it was `asked` already, followed until traffic is proved, and said."""
    async with opened(project) as engine:
        name = endpoint_name(project.settings)
        if asked is None:
            after = engine.snapshot.seq
            # What is timed from the key counts the interpreter's start too.
            command = make(name, engine.now() - running_s())
            if not _agreed(engine, command, write):
                return Refused.exit_code
            await engine.do(command)
            moving = engine.snapshot.live_release(name)
            if moving is None:
                return 0
            asked = TakenUp(name, moving.id, after)
        async with _driven(project, engine, asked.endpoint, in_s=MOVED_S):
            work = _arrive(engine, asked.endpoint, asked.release, asked.after, write)
            code = await _interruptible(work, engine, asked.endpoint, write)
    # Only now: the way back did not wait for it.
    await have_watch(project, write)
    return code


async def _arrive(engine: Engine, name: str, id_: str, after: int, write: Callable[[str], None]) -> int:
    """Say what happens until traffic is where it was asked to be, and the report is written."""
    lines = Lines(name, write)
    try:
        async with asyncio.timeout(BACK_S):
            async for event in engine.events(after):
                lines.say(event, engine.snapshot)
                body = event.body
                if isinstance(body, ev.Reported | ev.Resumed) and body.release == id_:
                    break
    except TimeoutError:
        raise Failed(f"{name}: not verified within {BACK_S:g} s; see 'quarterdeck status'") from None
    done = engine.snapshot.releases[id_]
    if done.state is ReleaseState.RUNNING:
        write(f"{done.id} goes on; 'quarterdeck' follows it")
        return 0
    return 1 if done.outcome is ev.Outcome.STUCK or _pending(engine, name, write) else 0


def _pending(engine: Engine, name: str, write: Callable[[str], None]) -> bool:
    """Whether something that was promised has not come true yet; each is said in a line."""
    pending = [one for one in engine.snapshot.endpoint(name).pending if one.why]
    for one in pending:
        write(f"pending: {one.what}: {one.why}; it is tried again until it is done, see 'quarterdeck status'")
    return bool(pending)


async def tell(project: Project, make: Callable[[str], c.Command], write: Callable[[str], None]) -> int:
    """A command that whoever drives carries out; said is what came of it."""
    await have_watch(project, write)
    async with opened(project) as engine:
        name = endpoint_name(project.settings)
        await engine.do(make(name))
        live = engine.snapshot.live_release(name)
        if live is not None and live.paused:
            write(f"{name}: {live.id} stays at {_at(live)}; go on with 'quarterdeck pause' or 'quarterdeck next'")
        elif live is not None:
            write(f"{name}: {live.id} goes on at {_at(live)}")
    return 0


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


async def down(project: Project, write: Callable[[str], None]) -> int:
    """Drain and stop every endpoint of the project, and then its watch; what is gone is written down."""
    hosts = await listing(project.settings.folder)
    journal = project.journal()
    try:
        for host in hosts:
            holder = journal.holder(host.endpoint)
            if holder is not None and holder.alive and not holder.weak:
                raise Refused(f"{host.endpoint}: {holder.label} is releasing; abort that first")
        for host in hosts:
            stopped = await stop(host.folder)
            gone = [ev.Observed(host.endpoint, Observation(seen.slot, None, 0, 0, 0.0)) for seen in host.slots]
            journal.append(gone, me(), journal.clock.now())
            write(f"{host.endpoint}: {'drained and stopped' if stopped else 'was not running'}")
        if not hosts:
            write("nothing runs here")
        await watch_of(project).stop()
    finally:
        journal.close()
    return 0


async def restart(project: Project, write: Callable[[str], None]) -> int:
    """Change host, router and replicas of every endpoint of the project, and then its watch, under load."""
    hosts = await listing(project.settings.folder)
    for host in hosts:
        if host.slots:
            await local_restart(host.folder, write)
    if not any(host.slots for host in hosts):
        write("nothing runs here")
    client = watch_of(project)
    if client.wanted:
        await client.stop()
        await have_watch(project, write)
    return 0


async def report(project: Project, write: Callable[[str], None]) -> int:
    """The newest release's run folder, written anew."""
    async with opened(project) as engine:
        name = endpoint_name(project.settings)
        newest = engine.snapshot.release_of(name)
        if newest is None:
            raise Refused(f"{name}: no release yet; begin one with 'quarterdeck release'")
        environment = project.environment_of(name, newest.options)
        try:
            folder = await environment.report(engine.snapshot, newest)
        finally:
            await environment.close()
        write(f"report: {folder}")
    return 0

"""`quarterdeck release`: begin one or go on with one, say what happens, end with a code."""

import asyncio
import sys
from collections.abc import Callable
from typing import TypeAlias

from core.config.config import endpoint_name
from core.config.planner import Wishes, consent, release_of
from core.domain.errors import BadInput, Failed, QuarterdeckError
from core.engine import shell_variables
from core.engine.engine import Engine
from core.engine.project import Project
from core.engine.retention import look_after
from core.state import events as ev
from core.state.release import Release, ReleaseState
from core.state.snapshot import Snapshot
from tui.headless import BACK_S, INTERRUPTED, at_step, driven, have_watch, interruptible, opened, pending_of
from tui.plain_lines import Lines

REPORT_S = 60.0


Choose: TypeAlias = Callable[[Snapshot], Wishes]
"""What is known only once the journal is open, such as which version is promoted."""


async def release(
    project: Project,
    wishes: Wishes,
    write: Callable[[str], None],
    attached: bool = False,
    choose: Choose | None = None,
) -> int:
    """Release, or go on with one that nobody drives; returns the exit code. `attached`: driven by this process."""
    consent(project.settings, wishes, sys.stdin.isatty())
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
            write(f"resuming {before.id} at {at_step(before)}: nobody drove it")
            await engine.resume(name)
            id_ = before.id
        else:
            id_ = await begun(engine, project, wishes if choose is None else choose(engine.snapshot))
        async with driven(project, engine, name, attached):
            work = _follow(engine, name, id_, after, write)
            code = await interruptible(work, engine, name, write, attached)
            if attached:
                await asyncio.to_thread(_tidy, project, engine, write)
    if not attached and code != INTERRUPTED:
        # One that died in the last moments would be missed by nobody until the next call.
        await have_watch(project, write)
    return code


def _tidy(project: Project, engine: Engine, write: Callable[[str], None]) -> None:
    """What a watch does each minute, where there is none."""
    try:
        look_after(project.settings, engine.snapshot, engine.now())
    except (QuarterdeckError, OSError) as error:
        write(f"tidying up: {error}")


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
    """Begin a new release with this shell's variables; gives its name. Raises Refused while another is under way,
    and says why a model that was named can't be released.
    """
    name = endpoint_name(project.settings)
    serving = engine.snapshot.endpoints.get(name)
    if wishes.model_uri:
        await project.look(wishes.model_uri)
    begin = release_of(project.settings, serving is None or serving.serving is None, wishes)
    shell_variables.keep(project.settings, begin.release)
    await engine.do(begin)
    return begin.release


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
        late = not following.done()
        if not late:
            following.result()
    finally:
        following.cancel()
        ending.cancel()
    code = _verdict(engine.snapshot.releases[id_], given, write)
    if late:
        write(f"pending: its report is not written after {REPORT_S:g} s; see 'quarterdeck status'")
    return code or int(pending_of(engine, name, write) or late)


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

"""`quarterdeck release`: begin one or go on with one, say what happens, end with a code."""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from core.config.config import endpoint_name
from core.config.measurable import hardly_measured
from core.config.planner import Wishes, as_one, consent, release_of
from core.config.settings import Settings
from core.domain.errors import BadInput, Failed, QuarterdeckError, Refused, Unreachable
from core.domain.plan import Plan
from core.engine import shell_variables
from core.engine.as_it_stands import as_it_stands, deploys
from core.engine.engine import Engine
from core.engine.known_figures import by_known_figures
from core.engine.project import Project
from core.engine.retention import look_after
from core.state import events as ev
from core.state.release import Release, ReleaseState
from core.state.snapshot import Snapshot
from tui.foreseen import refused_there
from tui.headless import (
    INTERRUPTED,
    at_step,
    driven,
    have_watch,
    home_within_s,
    interruptible,
    opened,
    pending_of,
    unheard,
    watch_of,
)
from tui.plain_lines import lines_of
from tui.real_weights import users_a_s

REPORT_S = 60.0
ASKED_S = 600.0
MUTE_S, AGAIN_S = 30.0, 2.0
"""For so long a place that does not answer is asked again before a release is given up, and so often."""


Choose: TypeAlias = Callable[[Project, Snapshot], Wishes]
"""What is known only once the journal is open, such as which version is promoted."""


def can_answer(settings: Settings, attached: bool) -> bool:
    """Whether a person can be asked: at this terminal, or by a message whose links the watch hears."""
    return sys.stdin.isatty() or (settings.alerts.answerable and not attached)


def waits_s(settings: Settings, attached: bool) -> float:
    """How long a question waits: with a terminal another terminal's deck can answer it too, without one a chat may."""
    if sys.stdin.isatty():
        return ASKED_S
    answers = settings.alerts.answers
    return answers.wait_s if answers is not None and can_answer(settings, attached) else 0.0


async def release(
    project: Project,
    wishes: Wishes,
    write: Callable[[str], None],
    attached: bool = False,
    choose: Choose | None = None,
) -> int:
    """Release, or go on with what nobody drives; returns the exit code. `attached`: driven by this process.

    Of several endpoints all are released, together, unless one is named.
    """
    members = project.together
    if len(members) > 1 and wishes.model_uri:
        why = "is one model, and there are several endpoints; say which with --endpoint NAME"
        raise BadInput(f"--model-uri {wishes.model_uri}: {why}")
    for one in members:
        consent(one.settings, wishes, can_answer(one.settings, attached))
    names = [endpoint_name(one.settings) for one in members]
    async with opened(project, attached=attached) as engine:
        after = engine.snapshot.seq
        before = [live for name in names if not engine.driven(name) and (live := engine.snapshot.live_release(name))]
        if not attached:
            await have_watch(project, write)
            for line in await unheard(project):
                write(line)
        elif await watch_of(project).status() is None:
            write("attached: no watch looks on, so that no alert rule is looked at and nobody is told; gates are asked")
        for name in names:
            back = engine.snapshot.live_release(name)
            if back is not None and back.state is not ReleaseState.RUNNING:
                await _finish_way(engine, name, back, write)
                before, after = [], engine.snapshot.seq
        for left in before:
            write(f"resuming {left.id} at {at_step(left)}: nobody drove it")
            await engine.resume(left.endpoint)
        ids: Mapping[str, str] = {left.endpoint: left.id for left in before}
        if not ids:
            ids = await begun(
                engine, members, lambda of: wishes if choose is None else choose(of, engine.snapshot), write
            )
        async with driven(project, engine, list(ids), attached):
            work = _follow(engine, ids, after, write)
            code = await interruptible(work, engine, next(iter(ids)), write, attached)
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
    within_s = home_within_s(before)
    try:
        async with asyncio.timeout(within_s):
            while engine.snapshot.releases[before.id].live:
                await engine.change(1.0)
    except TimeoutError:
        raise Failed(f"{name}: {before.id} did not come home within {within_s:g} s; see 'quarterdeck status'") from None


async def begun(
    engine: Engine,
    members: Sequence[Project],
    wishes_of: Callable[[Project], Wishes],
    write: Callable[[str], None] = lambda _: None,
) -> Mapping[str, str]:
    """Begin a new release of each, in one moment, with this shell's variables; gives their names by their endpoints.

    Raises Refused while another is under way, and says why a model that was named can't be released.
    """
    begins = []
    wished = [(one, wishes_of(one)) for one in members]
    stands = await as_it_stands([one for one, asked in wished if deploys(one, asked)], engine.snapshot)
    for one, asked in wished:
        serving = stands.snapshot.endpoint(endpoint_name(one.settings)).serving
        if asked.back_after_s is None:
            # What a person goes back to takes the endpoint over, whoever has it.
            stands.check(endpoint_name(one.settings))
        wishes = by_known_figures(one, stands.snapshot, asked)
        if wishes.measured is not asked.measured and wishes.measured and wishes.version:
            write(f"{wishes.version.label} was measured in {wishes.measured['from']} on the same rows: judged by that")
        if wishes.model_uri:
            await one.look(wishes.model_uri)
        begins.append(release_of(one.settings, serving is None, wishes))
    for one, begin in zip(members, begins, strict=True):
        for line in hardly_measured(begin.plan, one.settings, users_a_s(engine.snapshot, begin.endpoint)):
            write(f"{begin.endpoint}: {line}")
        await may_go(one, begin.plan, write)
    for one, begin in zip(members, begins, strict=True):
        shell_variables.keep(one.settings, begin.release, begin.plan.reads_rows)
    await engine.do(as_one(begins))
    return {begin.endpoint: begin.release for begin in begins}


async def may_go(project: Project, plan: Plan, write: Callable[[str], None]) -> None:
    """Ask the place before anything is trained for it; raises Refused with its reasons, Unreachable where it is mute.

    What can't be asked may come back within moments: it is asked again for a while.
    """
    until_s, said = time.monotonic() + MUTE_S, False
    while True:
        try:
            whys = await refused_there(project.settings, plan)
        except Unreachable as error:
            if time.monotonic() > until_s:
                raise
            if not said:
                said = True
                write(f"{error}; asked again for {MUTE_S:g} s before anything begins")
            await asyncio.sleep(AGAIN_S)
        else:
            break
    if whys:
        raise Refused(f"{endpoint_name(project.settings)}: {'; '.join(whys)}")


class _Following:
    """What was heard of some releases: which have ended, which have their report, or can't have one."""

    def __init__(self, ids: Mapping[str, str]) -> None:
        self.over = asyncio.Event()
        self.given: set[str] = set()
        self._ids = ids
        self._ended: set[str] = set()
        self._told: set[str] = set()

    def hear(self, body: ev.Body) -> bool:
        """Whether nothing is left to be heard."""
        match body:
            case ev.StepFailed(release=id_, given=given):
                (self.given.add if given else self.given.discard)(id_)
            case ev.TurnedBack(release=id_):
                # One that was done already goes back with the others.
                self._ended.discard(id_)
                self._told.discard(id_)
            case ev.Ended(release=id_):
                self._ended.add(id_)
            case ev.Reported(release=id_):
                self._told.add(id_)
            case ev.Pended(kind=ev.PendingKind.REPORT, release=id_, why=why) if id_ is not None and why:
                # It is tried again for as long as it takes; whoever waits is told why.
                self._told.add(id_)
            case ev.Logged(source="summary", endpoint=name) if self._ids.get(name) in self._ended:
                self._told.add(self._ids[name])
            case _:
                return False
        wanted = set(self._ids.values())
        if wanted <= self._ended:
            self.over.set()
        return wanted <= self._ended and wanted <= self._told


async def _follow(engine: Engine, ids: Mapping[str, str], after: int, write: Callable[[str], None]) -> int:
    """Say what happens until each release has ended and its report is written, or could not be."""
    lines, heard = lines_of(list(ids), write), _Following(ids)

    async def follow() -> None:
        async for event in engine.events(after):
            for one in lines:
                one.say(event, engine.snapshot)
            if heard.hear(event.body):
                return

    following = asyncio.create_task(follow(), name="follow the release")
    ending = asyncio.create_task(heard.over.wait(), name="the release's end")
    try:
        await asyncio.wait({following, ending}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({following}, timeout=REPORT_S)
        late = not following.done()
        if not late:
            following.result()
    finally:
        following.cancel()
        ending.cancel()
    code = max(_verdict(engine.snapshot.releases[id_], id_ in heard.given, write) for id_ in ids.values())
    if late:
        write(f"pending: its report is not written after {REPORT_S:g} s; see 'quarterdeck status'")
    pending = [name for name in ids if pending_of(engine, name, write)]
    return code or int(bool(pending) or late)


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

"""Rollback, undo and abort, followed until traffic is proved; and what whoever drives is told."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from core.config.config import endpoint_name
from core.config.planner import Wishes
from core.domain.errors import Failed, Refused
from core.domain.hints import typed
from core.engine.engine import Engine
from core.engine.housekeeping import KEEP_S
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.astray import moved_away
from core.state.confirmation import confirmation
from core.state.gone import gone_slots
from core.state.release import Release, ReleaseState
from core.state.reversal import earlier, just_taken_back, named_version, refused_rollback, rollback_of
from core.state.snapshot import Snapshot
from core.state.together import asked_too, others
from core.system.processes import running_s
from core.system.tasks import TaskGuard
from tui.asked_place import asked as asked_there
from tui.format import about
from tui.headless import AFTER_S, at_step, driven, have_watch, home_within_s, interruptible, opened, pending_of
from tui.plain_lines import lines_of
from tui.quick_rollback import TakenUp
from tui.refused_elsewhere import refused_elsewhere
from tui.release_command import release
from tui.silent_place import other_variables, say_silence, silence

MOVED_S = 1.0
"""Traffic has moved by then; a watch is not started beside it."""

Moving = Callable[[str, float], c.Command]
"""From an endpoint's name and the moment of the key to what is asked."""


def agreed(project: Project, engine: Engine, command: c.Command, write: Callable[[str], None]) -> bool:
    """Whether it may be asked: what takes a service down asks once; what brings more traffic to a new version in
    production wants the environment named, on the command line or by whoever sits there. Raises Refused where it would
    not be taken: nobody is asked for a yes to that.
    """
    wanted = confirmation(command, engine.snapshot, engine.now())
    if wanted is None:
        return True
    accept(command, engine.snapshot, engine.now(), engine.driven(command.endpoint))
    if wanted.typed and project.env == wanted.environment:
        return True
    if not sys.stdin.isatty():
        named = f"name it to mean it: --env {wanted.environment}"
        how = named if wanted.typed else f"{project.typed('down')} stops the endpoint in good order"
        write(f"refused: {wanted.text}; {how}")
        return False
    write(f"{wanted.text}. {f'Type {wanted.environment} to do it' if wanted.typed else 'Do it? y/n'}")
    said = sys.stdin.readline().strip()
    return said == wanted.environment if wanted.typed else said.lower() in ("y", "yes")


async def move(project: Project, make: Moving, write: Callable[[str], None], asked: TakenUp | None = None) -> int:
    """Rollback, undo or abort: asked unless it was `asked` already, followed until traffic is proved, and said."""
    async with opened(project) as engine:
        name = endpoint_name(project.settings)
        if asked is None:
            after = engine.snapshot.seq
            # What is timed from the key counts the interpreter's start too.
            command = make(name, engine.now() - running_s())
            if not agreed(project, engine, command, write):
                return Refused.exit_code
            try:
                await ask(engine, command, write)
            except Refused as error:
                raise await refused_elsewhere(project, engine.snapshot, error, write) from None
            names = (name, *asked_too(command, engine.snapshot))
            moving = next((live for one in names if (live := engine.snapshot.live_release(one)) is not None), None)
            if moving is None:
                return 0
            asked = TakenUp(moving.endpoint, moving.id, after)
        else:
            for one in _group(engine.snapshot, asked):
                engine.insist(one)
        group = _group(engine.snapshot, asked)
        if len(group) > 1:
            write(f"together: {', '.join(group)}")
        _say_who_stays(engine.snapshot, asked, write)
        async with driven(project, engine, list(group), in_s=MOVED_S):
            work = _arrive(engine, group, asked, write, partial(other_variables, project))
            code = await interruptible(work, engine, asked.endpoint, write)
    # Only now: the way back did not wait for it.
    await have_watch(project, write)
    return code


async def back_to(project: Project, number: str, rollback: c.Rollback, write: Callable[[str], None]) -> int:
    """Back to the version of a number: as `R` does where that is the one before, else as a release without holds."""
    async with opened(project) as engine:
        name = endpoint_name(project.settings)
        # Another machine may have moved traffic since; where the place can't be asked, the journal says all there is.
        snapshot, _ = await asked_there(project.settings, engine.snapshot, engine.now())
        served, live, last = snapshot.endpoint(name).served, snapshot.live_release(name), rollback_of(snapshot, name)
    wanted = named_version(snapshot, name, number)
    away = moved_away(snapshot.endpoint(name), snapshot.release_of(name))
    split = sum(one.weight > 0 for one in snapshot.endpoint(name).slots.values()) > 1
    if live is None and served is not None and wanted.means(served) and not (away or split):
        write(f"{name} serves {served.label} already")
        return 0
    before = last.old_version if last is not None and refused_rollback(snapshot.endpoint(name), last) is None else None
    if before is not None and wanted.means(before):
        return await move(project, lambda endpoint, at: replace(rollback, endpoint=endpoint, asked_at=at), write)
    if live is not None:
        why = f"{live.id} is under way{f', and takes back to {before.label}' if before else ''}"
        raise Refused(f"{name}: {why}; call {project.typed('rollback')} first, then name another version")

    def choose(one: Project, known: Snapshot) -> Wishes:
        its = endpoint_name(one.settings)
        version = earlier(known, its, number)
        write(f"{its}: back to {version.label if version.model == one.settings.model else version.full}")
        return replace(wishes, version=version)

    wishes = Wishes(confirmed=True, back_after_s=0.0 if rollback.delete else KEEP_S, reason=rollback.reason)
    return await release(project, wishes, write, choose=choose)


async def retire(project: Project, slot: str, reason: str, write: Callable[[str], None]) -> int:
    """A slot that is kept goes now; said once it is gone. One that went before is no mistake."""
    await have_watch(project, write)
    async with opened(project) as engine:
        name = endpoint_name(project.settings)
        newest = engine.snapshot.release_of(name)
        within_s = home_within_s(newest) if newest is not None else AFTER_S
        if newest is not None and slot in newest.plan.slots and slot not in engine.snapshot.endpoint(name).slots:
            write(f"{name}: {slot} is gone already")
            return 0
        await engine.do(c.RetireSlot(name, slot, reason))
        async with driven(project, engine, [name]):
            try:
                async with asyncio.timeout(within_s):
                    while slot in engine.snapshot.endpoint(name).slots:
                        await engine.change(1.0)
            except TimeoutError:
                seen = engine.snapshot.endpoint(name).slots.get(slot)
                still = f"; it still gets a copy of {seen.mirror:g} % of the traffic" if seen and seen.mirror else ""
                raise Failed(
                    f"{name}: {slot} is not gone after {within_s:g} s{still}; see 'quarterdeck status'"
                ) from None
        write(f"{name}: {slot} is gone")
    return 0


async def ask(engine: Engine, command: c.Command, write: Callable[[str], None]) -> None:
    """Ask for it; whoever asks for a way back that somebody drives already follows that one.

    Two who press at once both wanted what has come: the later one is told so, and has not failed.
    """
    try:
        await engine.do(command)
    except Refused:
        going = engine.snapshot.live_release(command.endpoint)
        if isinstance(command, c.Rollback) and going is None:
            back = just_taken_back(engine.snapshot, command.endpoint, engine.now())
            if back is None:
                raise
            gone = gone_slots(engine.snapshot, engine.snapshot.endpoint(command.endpoint), engine.now())
            if gone and gone[0].weight > 0:
                since = f"and since then {gone[0].text}; {gone[0].todo}"
                raise Refused(f"{back.id} was taken back already, {since}") from None
            write(f"{back.id} was taken back already, {about(engine.now() - (back.ended_at or 0.0))} ago: that is done")
            return
        if not isinstance(command, c.Rollback | c.Abort) or going is None or going.state is not ReleaseState.BACK:
            raise
        write(f"{going.id} is on its way back already; this follows it to its end")


def _group(snapshot: Snapshot, asked: TakenUp) -> Mapping[str, str]:
    """The release that was asked for and those that go with it, by their endpoints."""
    own = snapshot.releases.get(asked.release)
    found = others(own, snapshot) if own is not None else ()
    newest = {one.endpoint: one.id for one in found if snapshot.release_of(one.endpoint) is one}
    return {asked.endpoint: asked.release, **newest}


def _say_who_stays(snapshot: Snapshot, asked: TakenUp, write: Callable[[str], None]) -> None:
    own = snapshot.releases.get(asked.release)
    for one in others(own, snapshot) if own is not None else ():
        if snapshot.release_of(one.endpoint) is not one:
            write(f"{one.endpoint}: was released again since, alone; it stays as it is")


async def _arrive(
    engine: Engine,
    group: Mapping[str, str],
    asked: TakenUp,
    write: Callable[[str], None],
    compared: Callable[[Release], str] = lambda _: "",
) -> int:
    """Say what happens until traffic is where it was asked to be, and the reports are written."""
    lines, moving, arrived, back = lines_of(list(group), write), {asked.release}, set[str](), set[str]()
    guard = TaskGuard("who waits for traffic")
    guard.start(say_silence(engine, group, write, compared), "say which place is silent")
    within_s = max(home_within_s(engine.snapshot.releases[id_]) for id_ in group.values())
    asked_at = engine.now()
    try:
        async with asyncio.timeout(within_s) as waiting:
            async for event in engine.events(asked.after):
                for one in lines:
                    one.say(event, engine.snapshot)
                match event.body:
                    case ev.TurnedBack(release=id_) if id_ in group.values():
                        moving.add(id_)
                        back.add(id_)
                    case ev.TurnedForward(release=id_) if id_ in group.values():
                        moving.add(id_)
                        back.discard(id_)
                    case ev.SteppedBack(release=id_) if id_ in group.values():
                        # The next one has its own time.
                        within_s = home_within_s(engine.snapshot.releases[id_])
                        waiting.reschedule(asyncio.get_running_loop().time() + within_s)
                    case ev.Reported(release=id_) | ev.Resumed(release=id_):
                        arrived.add(id_)
                if moving <= arrived:
                    break
    except TimeoutError:
        late = [name for name, id_ in group.items() if id_ in moving - arrived]
        silent = [said for name in late if (said := silence(engine.snapshot.endpoint(name), engine.now(), asked_at))]
        why = "".join(f"; {one}" for one in dict.fromkeys(silent))
        rest = "it goes on without this command, see 'quarterdeck status'"
        raise Failed(f"{', '.join(late)}: not verified within {within_s:g} s{why}; {rest}") from None
    finally:
        await guard.close()
    code = 0
    for name, id_ in group.items():
        done = engine.snapshot.releases[id_]
        if done.state is ReleaseState.RUNNING:
            write(f"{done.id} goes on; {typed('', done.environment)} follows it")
        elif (
            done.outcome is ev.Outcome.STUCK
            or (done.outcome is ev.Outcome.DONE and id_ in back)
            or pending_of(engine, name, write)
        ):
            code = 1
    return code


async def tell(project: Project, make: Callable[[str], c.Command], write: Callable[[str], None]) -> int:
    """A command that whoever drives carries out; said is what came of it."""
    await have_watch(project, write)
    async with opened(project) as engine:
        name = endpoint_name(project.settings)
        command = make(name)
        if not agreed(project, engine, command, write):
            return Refused.exit_code
        await engine.do(command)
        live = engine.snapshot.live_release(name)
        if live is not None and live.together:
            write(f"together: {', '.join(live.together)}")
        if live is not None:
            write(f"{name}: {live.id} {came_of(command, live, project)}")
    return 0


def came_of(command: c.Command, live: Release, project: Project) -> str:
    """What a release does once it was told something, in words."""
    if isinstance(command, c.Answer) and not command.yes:
        return f"is given up; {'traffic returns' if live.touched else 'no traffic had moved'}"
    if live.paused:
        ways = f"{project.typed('pause')} or {project.typed('next')}"
        return f"stays at {at_step(live)}; go on with {ways}"
    return f"goes on at {at_step(live)}"


async def note(project: Project, make: Callable[[str], c.Reason], write: Callable[[str], None]) -> int:
    """A reason that is given afterwards: written down, and nothing moves."""
    async with opened(project) as engine:
        command = make(endpoint_name(project.settings))
        await engine.do(command)
        release = engine.snapshot.release_of(command.endpoint)
        write(f"{release.id if release else command.endpoint}: {release.reason if release else ''}")
    return 0

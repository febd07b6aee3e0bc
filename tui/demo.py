"""`quarterdeck demo`: the whole story on one machine, told by the deck itself or, without a terminal, in lines."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.config.config import endpoint_name
from core.config.planner import Wishes, release_of
from core.config.scaffold import init
from core.domain.errors import Failed
from core.domain.load_profile import LoadProfile
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.state.release import Release
from core.state.snapshot import Snapshot
from core.system.text import counted
from tui import headless, upkeep_command
from tui.demo_narrator import DemoFigures, Narrator
from tui.plain_lines import Lines

STEP_S = 240.0
"""So long the story waits for anything."""
SEEN_S = 3
"""So many seconds of load before and after the way back."""
MANUAL = LoadProfile("manual", 20, 20.0, None)
COMMON = (
    "data.rows=12000",
    "thresholds.beat_baseline=false",
    "train.n_iter=6",
    "endpoint.replicas=1",
    "endpoint.cpu=40m",
    "endpoint.autoscaling.min=1",
    "endpoint.autoscaling.max=4",
    "endpoint.autoscaling.cpu=60",
    "endpoint.autoscaling.fast=true",
    "release.hold_s=8",
    "release.background.users=20",
    "release.background.spawn_rate=20",
    "load.users=40",
    "load.spawn_rate=20",
    "load.duration_s=12",
)
FIRST = (*COMMON, "data.months=[1, 2, 3]")
SECOND = (*COMMON, "data.months=[1, 2, 3, 4, 5, 6]")


@dataclass(slots=True)
class InLines:
    """The story as plain lines."""

    engine: Engine
    write: Callable[[str], None]

    async def tell(self, words: str) -> None:
        """A line that stands out."""
        self.write(f"\n— {words}")

    async def press(self, key: str, words: str, command: c.Command) -> None:
        """The command that the key stands for."""
        self.write(f"[{key}] {words}")
        await self.engine.do(command)


async def story(write: Callable[[str], None], keep: bool, screen: bool) -> int:
    """Train, serve, release by canary under load, roll back; 0 when all of it worked."""
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-demo-"))
    try:
        init(folder, "flights")
        if screen:
            from tui.demo_screen import on_screen  # noqa: PLC0415

            told = await on_screen(_project(folder, FIRST), lambda engine, stage: _acts(engine, stage, folder))
        else:
            told = await _in_lines(folder, write)
        _say(told, write)
        return 0 if told.failed == 0 and told.back_ms is not None else 1
    finally:
        await _leave(folder, keep, write)


def _project(folder: Path, sets: tuple[str, ...]) -> Project:
    return Project(folder, "prod", sets)


async def _in_lines(folder: Path, write: Callable[[str], None]) -> DemoFigures:
    project = _project(folder, FIRST)
    async with headless.opened(project) as engine:
        name = endpoint_name(project.settings)
        lines = Lines(name, write)
        told = DemoFigures()

        async def follow() -> None:
            async for event in engine.events(0):
                told.take(event)
                lines.say(event, engine.snapshot)

        following = asyncio.create_task(follow(), name="tell the story")
        try:
            await _acts(engine, InLines(engine, write), folder)
            await asyncio.sleep(0)
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
    return told


async def _acts(engine: Engine, stage: Narrator, folder: Path) -> None:
    """The story itself."""
    first, second = _project(folder, FIRST), _project(folder, SECOND)
    name = endpoint_name(first.settings)
    await stage.tell("v1: trained on January to March, the flights out of New York in 2013, then served")
    begin = release_of(first.settings, True, Wishes(skip=("load",), auto_approve=True))
    await engine.do(begin)
    await _until(engine, "v1 to be served", lambda s: _ended(s.releases[begin.release]))
    await stage.tell("v2: trained on six months, released by canary, 10 → 50 → 100 %, under load")
    begin = release_of(second.settings, False, Wishes(auto_approve=True))
    await engine.do(begin)
    await _until(engine, "traffic on v2", lambda s: _reached(s.releases[begin.release], 10) and _loaded(s, name))
    await stage.press("W", "+10 users", c.SetLoad(name, change=10))
    await _until(engine, "v2 to take all traffic", lambda s: _ended(s.releases[begin.release]))
    await stage.tell("and back, under load: one key, all traffic on v1 again")
    await stage.press("w", "send load", c.StartLoad(name, MANUAL))
    await _until(engine, "load", lambda s: _samples(s, name, begin.release) >= SEEN_S)
    await stage.press("R", "roll back", c.Rollback(name, asked_at=engine.now()))
    await _until(engine, "the way back", lambda s: s.releases[begin.release].outcome is ev.Outcome.ROLLED_BACK)
    await _until(engine, "load after it", lambda s: _samples(s, name, begin.release) >= SEEN_S)
    await engine.do(c.SetLoad(name, stop=True))
    await _until(engine, "the load's end", lambda s: not _loaded(s, name))


def _samples(snapshot: Snapshot, endpoint: str, release: str) -> int:
    """Seconds of load since the release ended last."""
    since = snapshot.releases[release].ended_at or 0.0
    series = snapshot.series.get((endpoint, None))
    return sum(sample.at > since and sample.requests > 0 for sample in series.samples) if series else 0


def _ended(release: Release) -> bool:
    if release.outcome not in (None, ev.Outcome.DONE):
        raise Failed(f"the demo stopped: {release.id} {release.outcome.value}: {release.why}")
    return release.outcome is ev.Outcome.DONE and release.folder != ""


def _reached(release: Release, percent: float) -> bool:
    _ended(release)
    return release.reached >= percent


def _loaded(snapshot: Snapshot, endpoint: str) -> bool:
    load = snapshot.endpoints[endpoint].load
    return load is not None and load.running


async def _until(engine: Engine, for_: str, true: Callable[[Snapshot], bool]) -> None:
    try:
        async with asyncio.timeout(STEP_S):
            while not true(engine.snapshot):
                await engine.change(1.0)
    except TimeoutError:
        raise Failed(f"the demo waited {STEP_S:g} s for {for_}") from None


def _say(told: DemoFigures, write: Callable[[str], None]) -> None:
    back = "never" if told.back_ms is None else f"{told.back_ms:.0f} ms after the key"
    most = counted(told.most_replicas, "replica")
    write(f"\n{told.requests:,} requests, {told.failed} failed; up to {most}; back {back}")


async def _leave(folder: Path, keep: bool, write: Callable[[str], None]) -> None:
    if keep:
        write(f"kept in {folder}: cd there, then 'quarterdeck'")
        return
    await upkeep_command.down(_project(folder, FIRST), write)
    shutil.rmtree(folder, ignore_errors=True)

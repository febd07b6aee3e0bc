"""How long from the key to verified traffic, and what failed meanwhile: python -m tests.bench.rollback [ROUNDS].

The watch drives. "R at": asked by an engine as the deck asks; "command": by `quarterdeck rollback` from its own start.
"""

import asyncio
import logging
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from core.config.config import endpoint_name
from core.config.planner import Wishes, release_of
from core.config.scaffold import init
from core.domain.load_profile import LoadProfile
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.state.release import Release
from core.state.snapshot import Snapshot
from tui import headless, upkeep_command

USERS = LoadProfile("fifty", 50, 50.0, None)
MOMENTS = ("10 %", "50 %", "100 %", "after the end")
COMMAND = "command"
SETS = (
    "train.n_iter=2",
    "release.hold_s=4",
    "release.background.users=0",
    "endpoint.cpu=500m",
    "release.retire_after_s=3600",
)
WAIT_S = 120.0


async def until(engine: Engine, true: object) -> None:
    """Wait for the state; the deadline ends the bench."""
    async with asyncio.timeout(WAIT_S):
        while not true(engine.snapshot):  # type: ignore[operator]
            await engine.change(1.0)


def over(snapshot: Snapshot, release: str) -> bool:
    """Whether a release has ended and its report is written."""
    found = snapshot.releases.get(release)
    return found is not None and found.outcome is not None and found.folder != ""


def at(release: Release, moment: str) -> bool:
    """Whether a release has come to the moment of the key."""
    if moment in (MOMENTS[-1], COMMAND):
        return release.outcome is ev.Outcome.DONE and release.folder != ""
    return (
        release.reached == float(moment.split(maxsplit=1)[0])
        and release.current is not None
        and release.current.step.__class__.__name__ == "Hold"
    )


async def one(engine: Engine, project: Project, moment: str) -> tuple[float, int, int]:
    """One release taken back at a moment: ms from key to proof, requests, failures from its begin to 2 s after."""
    name = endpoint_name(project.settings)
    serving = engine.snapshot.endpoints[name]
    other = next(r.version for r in engine.snapshot.releases.values() if r.version and r.version.number == "2")
    began = time.time()
    wishes = Wishes(skip=("load",), auto_approve=True, version=other)
    begin = release_of(project.settings, serving.serving is None, wishes)
    await engine.do(begin)
    await until(engine, lambda s: at(s.releases[begin.release], moment))
    if moment == COMMAND:
        call = (Path(sys.executable).with_name("quarterdeck"), "rollback", "--config", project.path)
        process = await asyncio.create_subprocess_exec(*call, stdout=asyncio.subprocess.DEVNULL)
        await process.wait()
    else:
        await engine.do(c.Rollback(name, asked_at=time.time()))
    await until(
        engine, lambda s: s.releases[begin.release].outcome is ev.Outcome.ROLLED_BACK and over(s, begin.release)
    )
    took = engine.snapshot.endpoints[name].verified
    asked = time.time()
    await until(engine, lambda s: (last := s.series[(name, None)].last) is not None and last.at > asked + 2)
    total = engine.snapshot.series[(name, None)].since(began - 1)
    return (took.took_ms if took else -1.0), (total.requests if total else 0), (total.failures if total else 0)


async def main(rounds: int) -> None:
    """The table."""
    logging.basicConfig(level=logging.ERROR)
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-bench-"))
    init(folder, "iris")
    project = Project(folder, "prod", SETS)
    name = endpoint_name(project.settings)
    rows: dict[str, list[tuple[float, int, int]]] = {moment: [] for moment in (*MOMENTS, COMMAND)}
    try:
        await headless.have_watch(project, print)
        async with headless.opened(project) as engine:
            # Nobody is there yet whom a hold could count.
            at_once = Project(folder, "prod", (*SETS, "release.strategy=all-at-once")).settings
            for first in (True, False):
                begin = release_of(at_once, first, Wishes(skip=("load",), auto_approve=True))
                await engine.do(begin)
                await until(engine, lambda s, begin=begin: over(s, begin.release))
            await engine.do(c.Rollback(name))
            await until(engine, lambda s: s.endpoints[name].serving == "blue")
            await engine.do(c.StartLoad(name, USERS))
            await until(engine, lambda s: (name, None) in s.series)
            for _ in range(rounds):
                for moment, seen in rows.items():
                    seen.append(await one(engine, project, moment))
    finally:
        await upkeep_command.down(project, lambda _: None)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{'R at':<14} {'median ms':>10} {'max ms':>8} {'requests':>9} {'failed':>7}")
    for moment, seen in rows.items():
        ms = [row[0] for row in seen]
        requests, failed = sum(row[1] for row in seen), sum(row[2] for row in seen)
        print(f"{moment:<14} {statistics.median(ms):>10.0f} {max(ms):>8.0f} {requests:>9,} {failed:>7}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))

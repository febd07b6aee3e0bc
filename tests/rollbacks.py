"""Rollbacks at every moment of every strategy, under users: python -m tests.rollbacks [--count 92] [--users 20].

Two versions are made once; the second is released again and again and taken back at a moment, by the deck's key or by
the command. Printed by moment: how many, whether all answers came from the version before afterwards, requests and
failures from each release's begin to its end, ms from the key to the proof and to the last answer of the new version.
What tests.scaled_rollbacks goes through needs an autoscaler.
"""

import argparse
import asyncio
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from core.config.planner import Wishes, release_of
from core.domain.model import Version
from core.domain.plan import Hold
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.state.release import Release
from core.state.snapshot import Snapshot
from tests.story.kills_scene import QUICK, Scene
from tests.story.roles import MARK, kill
from tests.story.users import Users
from tui import headless

NAME = "iris"
WAIT_S = 60.0
HOLD = "release.hold_s={hold}"
STRATEGIES = {
    "canary": ("release.strategy=canary",),
    "blue-green": ("release.strategy=blue-green",),
    "gradual": ("release.strategy=gradual-blue-green",),
    "shadow": ("release.strategy=shadow", "release.mirror=20"),
    "A/B": ("release.strategy=ab", "release.ab.hold_s={hold}", "release.ab.split=40"),
    "all-at-once": ("release.strategy=all-at-once",),
    "written": ('release.plan=["smoke","shift 25","hold {hold}s",\'ask "all?"\',"shift 100"]',),
}
SHARE, QUESTION = "a share was asked for", "a question stands"
AFTER, RETIRED = "after the end", "the old slot is gone"
MOMENTS = (
    SHARE,
    "in a hold",
    "paused",
    QUESTION,
    AFTER,
    "from a second terminal",
    "the watch was killed",
    "the watch was killed, by command",
    RETIRED,
)
QUESTIONED = ("A/B", "written")
LONG_S, SHORT_S = 30.0, 1.0


@dataclass(frozen=True, slots=True)
class Back:
    """What came of one rollback; `clean_ms` from the key to the last answer of the new version."""

    strategy: str
    moment: str
    wrong: str
    requests: int
    failed: int
    proof_ms: float
    clean_ms: float


def pairs() -> Iterator[tuple[str, str]]:
    """Each strategy at each moment that it has."""
    for moment, strategy in itertools.product(MOMENTS, STRATEGIES):
        if moment == QUESTION and strategy not in QUESTIONED:
            continue
        if moment in ("in a hold", "paused") and strategy == "all-at-once":
            continue
        yield strategy, moment


class Operator:
    """Who releases the second version and takes it back."""

    def __init__(self, scene: Scene, engine: Engine, users: Users, version: Version) -> None:
        self.scene = scene
        self.engine = engine
        self.users = users
        self.version = version

    async def back(self, strategy: str, moment: str) -> Back:
        """One release, taken back at a moment."""
        self.users.forget()
        wrong, pressed, release = "", time.time(), ""
        try:
            release = await self._release(strategy, moment)
            await self.until(lambda s: comes(s.releases[release], moment, s), f"{moment} of {release}")
            pressed = await self._press(moment)
            await self.until(lambda s: over(s, release), f"the end of {release}")
            await asyncio.to_thread(self.users.back, time.time(), 40)
        except AssertionError as error:
            wrong = str(error)[:900]
        answers = list(self.users.answers)
        ended = self.engine.snapshot.releases.get(release)
        served = {one.version for one in answers[-40:]}
        if not wrong and (ended is None or ended.outcome is not ev.Outcome.ROLLED_BACK or served != {"1"}):
            wrong = f"{ended.outcome if ended else 'nothing'}: {ended.why if ended else ''}; {served} answers"
        verified = self.engine.snapshot.endpoints[NAME].verified
        clean = max((1000 * (one.at - pressed) for one in answers if one.version == "2"), default=0.0)
        failed = [one for one in answers if one.why]
        if failed:
            wrong = wrong or f"failed {1000 * (failed[0].at - pressed):+.0f} ms from the key: {failed[0].why}"
        if wrong or served != {"1"}:
            await asyncio.to_thread(self.scene.run, "abort")
            await asyncio.to_thread(self.scene.run, "rollback")
        await asyncio.to_thread(self.scene.run, "status")
        took = verified.took_ms if verified is not None and verified.release == release else float("nan")
        return Back(strategy, moment, wrong, len(answers), len(failed), took, max(0.0, clean))

    async def _release(self, strategy: str, moment: str) -> str:
        """Begin it; its id."""
        hold = SHORT_S if moment in (AFTER, RETIRED, QUESTION) or strategy == "all-at-once" else LONG_S
        lines = [line.format(hold=f"{hold:g}") for line in (*STRATEGIES[strategy], HOLD)]
        kept = f"release.retire_after_s={0 if moment == RETIRED else 3600}"
        asks = ("approve=person",) if moment == QUESTION else ()
        settings = Project(self.scene.folder, "prod", (*QUICK, *lines, kept, *asks)).settings
        wishes = Wishes(skip=("load",), version=self.version, auto_approve=moment != QUESTION)
        begin = release_of(settings, False, wishes)
        await self.engine.do(begin)
        if moment == QUESTION:
            # The one before any traffic is answered; the one that stands comes once some has moved.
            await self.until(lambda s: _asked(s.releases[begin.release]), "the question before traffic")
            await self.engine.do(c.Answer(NAME, yes=True))
        return begin.release

    async def _press(self, moment: str) -> float:
        """Take it back; when that was asked for."""
        if moment == "paused":
            await self.engine.do(c.Pause(NAME))
            await self.until(lambda s: self._newest(s).paused, "a pause")
        if moment.startswith("the watch"):
            for process in self.scene.roles().get("watch", []):
                kill(process)
        pressed = time.time()
        if moment == "from a second terminal" or moment.endswith("by command"):
            # Without flags, as people press it: with settings the whole command is loaded first.
            call = await asyncio.to_thread(self.scene.call, "rollback", sets=())
            await asyncio.to_thread(call.ends)
            assert call.process.returncode == 0, call.text
        else:
            await self.engine.do(c.Rollback(NAME, asked_at=pressed))
        return pressed

    def _newest(self, snapshot: Snapshot) -> Release:
        newest = snapshot.release_of(NAME)
        assert newest is not None
        return newest

    async def until(self, true: Callable[[Snapshot], object], what: str, within_s: float = WAIT_S) -> None:
        """Wait for a state; AssertionError where it does not come."""
        try:
            async with asyncio.timeout(within_s):
                while not true(self.engine.snapshot):
                    await self.engine.change(1.0)
        except TimeoutError:
            newest = self._newest(self.engine.snapshot)
            raise AssertionError(
                f"did not come: {what}; it is at {newest.index} of {newest.plan.strategy}; {newest.why}"
            ) from None


def comes(release: Release, moment: str, snapshot: Snapshot) -> bool:
    """Whether a release has come to the moment; AssertionError where it ended before."""
    at_end = moment in (AFTER, RETIRED) or (release.plan.strategy == "all-at-once" and moment != SHARE)
    if at_end:
        alone = moment != RETIRED or len(snapshot.endpoints[NAME].slots) == 1
        assert release.outcome in (None, ev.Outcome.DONE), f"{release.outcome}: {release.why}"
        return release.outcome is ev.Outcome.DONE and release.folder != "" and alone
    assert release.live, f"{release.outcome}: {release.why}"
    if moment == SHARE:
        # It is often proved within milliseconds: whatever comes next will do.
        return release.reached > 0
    step = release.current
    if step is None or step.started_at is None or release.reached == 0:
        return False
    return _asked(release) if moment == QUESTION else isinstance(step.step, Hold)


def _asked(release: Release) -> bool:
    """Whether a person is asked something now."""
    step = release.current
    return step is not None and step.question is not None and step.answer is None


def over(snapshot: Snapshot, release: str) -> bool:
    """Whether a release was taken back, or is stuck, and its report is written."""
    found = snapshot.releases[release]
    ended = found.outcome not in (None, ev.Outcome.DONE)
    return not found.live and ended and (found.folder != "" or found.outcome is ev.Outcome.STUCK)


@asynccontextmanager
async def operator(scene: Scene, users: int, pause_s: float = 0.1) -> AsyncIterator[Operator]:
    """Two versions, the first one serving, users at it, and somebody who looks on from this process."""
    os.environ[MARK] = scene.mark
    for _ in range(2):
        made = await asyncio.to_thread(scene.run, *RELEASE, deadline_s=120.0)
        assert made.process.returncode == 0, made.text
    release = scene.release
    assert release.version is not None
    back = await asyncio.to_thread(scene.run, "rollback")
    assert back.process.returncode == 0, back.text
    async with headless.opened(Project(scene.folder, "prod", scene.sets)) as engine:
        with Users(scene.port, users, pause_s) as asking:
            yield Operator(scene, engine, asking, release.version)


RELEASE = ("release", "--skip", "load", "--set", "release.strategy=all-at-once")


def report(backs: list[Back]) -> int:
    """The table by moment; 1 where one of them was not as it should be."""
    print(f"{'moment':<34} {'n':>3} {'good':>5} {'requests':>9} {'failed':>7} {'proof ms: median':>17} {'worst':>7} "
          f"{'last new answer ms: median':>27} {'worst':>7}")  # fmt: skip
    for moment, group in itertools.groupby(sorted(backs, key=lambda one: one.moment), lambda one: one.moment):
        rows = list(group)
        proof = [one.proof_ms for one in rows if one.proof_ms == one.proof_ms] or [float("nan")]
        clean = [one.clean_ms for one in rows]
        good = sum(not one.wrong for one in rows)
        print(
            f"{moment:<34} {len(rows):>3} {good:>5} {sum(one.requests for one in rows):>9,} "
            f"{sum(one.failed for one in rows):>7} {statistics.median(proof):>17.0f} {max(proof):>7.0f} "
            f"{statistics.median(clean):>27.0f} {max(clean):>7.0f}"
        )
    return int(any(one.wrong for one in backs))


async def play(count: int, users: int, only: str) -> list[Back]:
    """So many rollbacks, a line each."""
    found: list[Back] = []
    with tempfile.TemporaryDirectory(prefix="backs-") as folder, Scene(Path(folder) / NAME, QUICK) as scene:
        async with operator(scene, users) as somebody:
            tries = [pair for pair in pairs() if only in " ".join(pair)]
            for strategy, moment in itertools.islice(itertools.cycle(tries), count):
                one = await somebody.back(strategy, moment)
                found.append(one)
                print(f"{len(found):>3} {strategy:<12} {moment:<34} {one.failed:>3} of {one.requests:>5} failed, "
                      f"proof {one.proof_ms:>6.0f} ms, last new answer {one.clean_ms:>6.0f} ms  {one.wrong}",
                      flush=True)  # fmt: skip
        down = await asyncio.to_thread(scene.run, "down")
        assert down.process.returncode == 0, down.text
        assert scene.left() == []
        print(f"journal whole: {scene.whole()} events")
    return found


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=92)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--only", default="", help="Strategies and moments whose names hold this.")
    given = parser.parse_args()
    return report(asyncio.run(play(given.count, given.users, given.only)))


if __name__ == "__main__":
    sys.exit(main())

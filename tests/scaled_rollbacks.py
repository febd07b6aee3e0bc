"""Rollbacks to a slot that the autoscaler has taken down to one replica: python -m tests.scaled_rollbacks [--count 4].

The second version has 90 % of the traffic for so long that the first one's slot shrinks; then it is taken back. Half of
the time the load is more than one replica can carry within its CPU: printed is how many were ready when traffic was
asked for, what failed and how long the slowest tenth of the answers took, before the key and after it.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from core.config.planner import Wishes, release_of
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.state.fold import fold
from core.state.snapshot import Snapshot
from tests.rollbacks import NAME, Operator, operator, over
from tests.story.kills_scene import QUICK, Scene
from tests.story.users import Users

MOST, ROWS, PAUSE_S = 4, 400, 0.4
BODY = json.dumps({"data": [[5.1, 3.5, 1.4, 0.2]] * ROWS}).encode()
SETS = (
    *QUICK,
    "endpoint.cpu=50m",
    f"endpoint.replicas={MOST}",
    "endpoint.autoscaling.min=1",
    f"endpoint.autoscaling.max={MOST}",
    "endpoint.autoscaling.cpu=60",
    "endpoint.autoscaling.fast=true",
    "release.gates=[{metric: failed_percent, limit: 5}]",
)
PLAN = 'release.plan=["shift 90","hold 600s","shift 100"]'
SHRINKS_S = 150.0


@dataclass(frozen=True, slots=True)
class Scaled:
    """One rollback: ready replicas of both slots at the key, of the old one when traffic was asked for, and
    what users saw."""

    new_at_key: int
    at_key: int
    at_route: int
    requests: int
    failed: int
    proof_ms: float
    slow_before_ms: float
    slow_after_ms: float
    versions: tuple[str, ...]


async def back(somebody: Operator, users: Users) -> Scaled:
    """One release, taken back once what served before has one replica."""
    users.forget()
    settings = Project(somebody.scene.folder, "prod", (*SETS, PLAN)).settings
    begin = replace(release_of(settings, False, Wishes(skip=("load",), version=somebody.version)), auto_approve=True)
    await somebody.engine.do(begin)
    await somebody.until(lambda s: s.releases[begin.release].reached == 90, "90 %")
    await somebody.until(lambda s: _shrunk(s, begin.release), "one replica", SHRINKS_S)
    seq, key = somebody.engine.snapshot.seq, time.time()
    carry = somebody.engine.snapshot.endpoints[NAME].slots[somebody.engine.snapshot.releases[begin.release].slot or ""]
    await somebody.engine.do(c.Rollback(NAME, asked_at=key))
    await somebody.until(lambda s: over(s, begin.release), "the end")
    await asyncio.to_thread(users.back, time.time(), 60)
    answers = list(users.answers)
    at_key, at_route = _replicas(somebody.scene, begin.release, seq)
    verified = somebody.engine.snapshot.endpoints[NAME].verified
    assert verified is not None
    return Scaled(
        carry.ready,
        at_key,
        at_route,
        len(answers),
        sum(bool(one.why) for one in answers),
        verified.took_ms if verified.release == begin.release else float("nan"),
        _slow([one.took_ms for one in answers if one.at < key]),
        _slow([one.took_ms for one in answers if one.at > key]),
        tuple({one.version for one in answers[-40:]}),
    )


def _shrunk(snapshot: Snapshot, release: str) -> bool:
    mine = snapshot.releases[release]
    assert mine.live, mine.why
    seen = snapshot.endpoints[NAME].slots.get(mine.old or "")
    return seen is not None and (seen.wanted, seen.ready) == (1, 1)


def _replicas(scene: Scene, release: str, seq: int) -> tuple[int, int]:
    """How many of the old slot were ready at a place in the journal, and when traffic was asked for after it."""
    snapshot, at_key = Snapshot(), 0
    for event in scene.events():
        snapshot = fold(snapshot, event)
        mine = snapshot.releases.get(release)
        seen = snapshot.endpoints[NAME].slots.get(mine.old or "") if mine and NAME in snapshot.endpoints else None
        if event.seq <= seq:
            at_key = seen.ready if seen else 0
        elif isinstance(event.body, ev.Routed):
            return at_key, seen.ready if seen else 0
    return at_key, 0


def _slow(times: list[float]) -> float:
    """The slowest tenth begins here."""
    return sorted(times)[int(0.9 * len(times))] if times else float("nan")


async def play(count: int, users: int) -> int:
    """So many rollbacks, a line each."""
    bad = 0
    print(f"{'load':<6} {'new has':>8} {'old has':>8} {'at route':>9} {'requests':>9} {'failed':>7} {'proof ms':>9} "
          f"{'p90 before':>11} {'after':>7}", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="sized-") as folder, Scene(Path(folder) / NAME, SETS) as scene:
        async with operator(scene, 2, 0.2) as somebody:
            for number in range(count):
                heavy = number % 2 == 1
                with Users(scene.port, users if heavy else 2, PAUSE_S, BODY) as asking:
                    row = await back(somebody, asking)
                good = row.failed == 0 and row.versions == ("1",) and (row.at_route == MOST or not heavy)
                bad += not good
                print(f"{'heavy' if heavy else 'light':<6} {row.new_at_key:>8} {row.at_key:>8} {row.at_route:>9} "
                      f"{row.requests:>9} {row.failed:>7} {row.proof_ms:>9.0f} "
                      f"{row.slow_before_ms:>11.0f} {row.slow_after_ms:>7.0f} {'' if good else 'NOT SO'}",
                      flush=True)  # fmt: skip
    return int(bad > 0)


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--users", type=int, default=30)
    given = parser.parse_args()
    return asyncio.run(play(given.count, given.users))


if __name__ == "__main__":
    sys.exit(main())

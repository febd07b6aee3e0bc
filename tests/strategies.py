"""Each strategy end to end under users: python -m tests.strategies [--users 100] [--hold 8] [--count N] [--only TEXT].

Prints a table: how it ended, requests and failures of all users, and at each share what was wanted and what those
that answered were. With `--count 50 --only canary` it goes on so often: healthy releases of two versions in turn.
"""

import argparse
import itertools
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from core.domain.plan import Shift
from core.state import events as ev
from core.state.release import Release
from tests.story.kills_scene import QUICK, Scene
from tests.story.users import Answer, Users

PLANS = {
    "all-at-once": ("release.strategy=all-at-once",),
    "canary": ("release.strategy=canary", "release.steps=[10,50,100]"),
    "blue-green": ("release.strategy=blue-green",),
    "gradual blue-green": ("release.strategy=gradual-blue-green", "release.steps=[10,50,100]"),
    "shadow": ("release.strategy=shadow", "release.mirror=20", "release.steps=[10,100]"),
    "A/B": ("release.strategy=ab", "release.ab.hold_s={hold}", "release.ab.split=40"),
    "written by hand": ('release.plan=["smoke","mirror 10","hold {hold}s","shift 25","hold {hold}s","shift 100"]',),
}
SETTLED_S = 0.3
"""What was asked before a share was proved is answered by the one before it."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one release came to. `shares` are wanted and real percents of each step."""

    outcome: str
    requests: int
    failed: int
    shares: tuple[tuple[float, float], ...]


def run(scene: Scene, users: Users, name: str, version: str, hold_s: float) -> Row:
    """Release a version by one strategy, and measure who answered at each share."""
    users.forget()
    sets = [f"release.hold_s={hold_s:g}", *(line.format(hold=f"{hold_s:g}") for line in PLANS[name])]
    uri = f"models:/iris/{version}"
    told = scene.call("release", "--skip", "load", "--model-uri", uri, sets=(*QUICK, *sets))
    told.ends(120 + 10 * hold_s)
    release = scene.snapshot.release_of("iris")
    assert release is not None
    outcome = "done" if told.process.returncode == 0 else f"{release.outcome}: {release.why or told.text[-300:]}"
    answers = list(users.answers)
    return Row(outcome, len(answers), len(users.failed()), tuple(_shares(scene, release, answers)))


def _shares(scene: Scene, release: Release, answers: list[Answer]) -> list[tuple[float, float]]:
    """At each share: what was wanted, and which part of the answers came from the new version until the next."""
    events = [one for one in scene.events() if getattr(one.body, "release", None) == release.id]
    begins = [(e.at, e.body.index) for e in events if isinstance(e.body, ev.StepDone)]
    asked = [e.at for e in events if isinstance(e.body, ev.Routed)]
    found = []
    for at, index in begins:
        step = release.plan.steps[index]
        if not isinstance(step, Shift):
            continue
        until = min((moved for moved in asked if moved > at), default=release.ended_at or at)
        seen = Counter(one.version for one in answers if at + SETTLED_S < one.at < until and not one.why)
        total = sum(seen.values())
        real = 100 * seen[release.version.number if release.version else ""] / total if total else float("nan")
        found.append((step.percent, real))
    return found


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--hold", type=float, default=8.0)
    parser.add_argument("--pause", type=float, default=0.3, help="Seconds between a user's requests.")
    parser.add_argument("--count", type=int, default=0, help="So many releases, over and over; 0: each strategy once.")
    parser.add_argument("--only", default="", help="Strategies whose names hold this.")
    given, bad, version = parser.parse_args(), 0, "2"
    requests = failed = 0
    print(f"{'strategy':<20} {'requests':>9} {'failed':>7}  wanted → real %", flush=True)
    with tempfile.TemporaryDirectory(prefix="plans-") as folder, Scene(Path(folder) / "iris", QUICK) as scene:
        for _ in range(2):
            first = scene.run("release", "--skip", "load", "--set", "release.strategy=all-at-once", deadline_s=120)
            assert first.process.returncode == 0, first.text
        with Users(scene.port, given.users, given.pause) as users:
            names = [name for name in PLANS if given.only in name]
            for name in itertools.islice(itertools.cycle(names), given.count or len(names)):
                version = "1" if version == "2" else "2"
                row = run(scene, users, name, version, given.hold)
                requests, failed = requests + row.requests, failed + row.failed
                bad += row.outcome != "done" or row.failed > 0
                shares = ", ".join(f"{wanted:g} → {real:.1f}" for wanted, real in row.shares)
                print(f"{name:<20} {row.requests:>9} {row.failed:>7}  {shares}  {row.outcome}", flush=True)
    print(f"{requests:,} requests, {failed} failed, {bad} releases not as they should be")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Faults in a new version, by strategy: python -m tests.faulty_versions [--only TEXT] [--hold 40]. Prints a table.

For each fault and strategy: how far its share came, seconds from the first request to the new version until traffic
turned back (the fault begins some 8 s after that), users' requests that failed, who serves, and what caught it.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from core.state import events as ev
from core.state.release import Release
from tests.story.kills_scene import QUICK, Scene
from tests.story.users import Users, served

FAULTS = {
    "none": "none",
    "3 % answer 500": "fails:0.03",
    "8 % answer 500": "fails:0.08",
    "100 % answer 500": "fails:1",
    "400 ms slower": "slower:0.4",
    "crash at each answer": "start",
    "crash after 200": "crash:200",
    "silently wrong": "wrong",
    "leaks 4 MB an answer": "leaks:4",
}
_ERRORS = "{metric: failed_percent, limit: 5}"
GATES = {
    "leaks 4 MB an answer": f"release.gates=[{_ERRORS}, {{metric: memory_percent, limit: 70}}]",
    "silently wrong": f"release.gates=[{_ERRORS}, {{metric: mix_points, limit: 10, against: live}}]",
}
"""Gates that are not on by default, for faults that no other finds; --gates asks for them."""
PLANS = {
    "canary": ("release.strategy=canary", "release.steps=[10,50,100]"),
    "shadow": ("release.strategy=shadow", "release.steps=[50,100]", "release.mirror=50"),
    "blue-green": ("release.strategy=blue-green",),
}


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one release."""

    outcome: str
    seconds: float
    reached: float
    hurt: int
    requests: int
    serving: str


def registered(scene: Scene) -> dict[str, str]:
    """The number of each faulty version, by fault."""
    script = Path(__file__).with_name("faulty_scripts.py")
    registry = scene.named_registry()["MLFLOW_TRACKING_URI"]
    command = [sys.executable, str(script), registry, "faulty", *FAULTS.values()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=scene.folder, env=scene.environ())
    return dict(zip(FAULTS, done.stdout.split(), strict=True))


def release(scene: Scene, number: str, sets: tuple[str, ...]) -> None:
    """Release a version by its address."""
    told = scene.call("release", "--skip", "load", "--model-uri", f"models:/faulty/{number}", sets=sets)
    told.ends(600)


def run(scene: Scene, users: Users, number: str, good: str, sets: tuple[str, ...]) -> Row:
    """One release under users, and what it did to them."""
    users.forget()
    release(scene, number, sets)
    newest = scene.snapshot.release_of("iris")
    assert newest is not None
    answers = list(users.answers)
    seconds = _back_s(scene, newest)
    hurt = sum(bool(one.why) for one in answers)
    outcome = "done" if newest.outcome is ev.Outcome.DONE else f"{newest.why[:110]}"
    users.back(time.time(), 40)
    who = served(scene.port)
    serving = "old" if who == {good} else "new"
    if serving == "new":
        release(scene, good, (*QUICK, "release.strategy=all-at-once"))
    return Row(outcome, seconds, newest.reached, hurt, len(answers), serving)


def _back_s(scene: Scene, newest: Release) -> float:
    """From the first thing asked of the new version to its end, where it was taken back."""
    if newest.outcome is ev.Outcome.DONE:
        return float("nan")
    mine = [one for one in scene.events() if getattr(one.body, "release", None) == newest.id]
    first = min((one.at for one in mine if isinstance(one.body, ev.Routed)), default=newest.began_at)
    turned = [one.at for one in mine if isinstance(one.body, ev.TurnedBack)]
    return max(turned, default=first) - first


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="Faults whose names hold this.")
    parser.add_argument("--by", default="", help="Strategies whose names hold this.")
    parser.add_argument("--hold", type=float, default=40.0)
    parser.add_argument("--gates", action="store_true", help="With the gates that find what others don't.")
    parser.add_argument("--users", type=int, default=12)
    given = parser.parse_args()
    head = f"{'fault':<26} {'strategy':<11} {'reached':>7} {'s':>6} {'hurt':>5} {'of':>6} {'serves':>6}"
    print(f"{head}  caught by", flush=True)
    with tempfile.TemporaryDirectory(prefix="faulty-") as folder, Scene(Path(folder) / "iris", QUICK) as scene:
        first = scene.run("release", "--skip", "load", "--set", "release.strategy=all-at-once", deadline_s=120)
        assert first.process.returncode == 0, first.text
        numbers = registered(scene)
        good = numbers["none"]
        base = (*QUICK, "endpoint.cpu=1", f"release.hold_s={given.hold:g}", "thresholds.min_accuracy=0.1")
        loose = ("thresholds.min_precision=0.1", "thresholds.min_recall=0.1", "thresholds.max_regression_percent=100")
        release(scene, good, (*base, *loose, "release.strategy=all-at-once"))
        assert served(scene.port) == {good}
        with Users(scene.port, given.users, 0.1) as users:
            for fault in [name for name in FAULTS if given.only in name]:
                for strategy in [name for name in PLANS if given.by in name]:
                    own = (GATES[fault],) if given.gates and fault in GATES else ()
                    row = run(scene, users, numbers[fault], good, (*base, *loose, *PLANS[strategy], *own))
                    figures = f"{row.reached:>7g} {row.seconds:>6.1f} {row.hurt:>5} {row.requests:>6} {row.serving:>6}"
                    print(f"{fault:<26} {strategy:<11} {figures}  {row.outcome}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Faults in a new version, by strategy: python -m tests.faulty_versions [--only FAULT] [--by STRATEGY] [--gates].

Prints a table. For each fault and strategy: how far its share came, seconds from the first request to the new version
until traffic turned back (the fault begins some 8 s after that), users' requests that failed or were answered wrongly,
who serves, and what caught it. All at once has no hold: its load test and the alerts of ALERTS are what looks.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.state import events as ev
from core.state.release import Release
from tests.story.kills_scene import QUICK, Scene, wait_for
from tests.story.users import LABEL, Users, served

FAULTS = {
    "none": "none",
    "3 % answer 500": "fails:0.03",
    "8 % answer 500": "fails:0.08",
    "100 % answer 500": "fails:1",
    "400 ms slower": "slower:0.4",
    "30 % slower": "slower:0.008",
    "another form": "form",
    "crash before it is ready": "boot",
    "crash at each answer": "start",
    "crash after 200": "crash:200",
    "silently wrong": "wrong",
    "leaks 4 MB an answer": "leaks:4",
}
SKIP = ("--skip", "load")
PAUSE_S = 0.3
"""Between a user's requests: the replicas are asked for less than half of what they can do."""
LOOSE = (
    "thresholds.min_accuracy=0.1",
    "thresholds.min_precision=0.1",
    "thresholds.min_recall=0.1",
    "thresholds.max_regression_percent=100",
)
AT_ONCE = "all-at-once"
_ERRORS = "{metric: failed_percent, limit: 5}"
_MIX = f"release.gates=[{_ERRORS}, {{metric: mix_points, limit: 10, against: live}}]"
GATES = {
    "another form": _MIX,
    "crash after 200": f"release.gates=[{_ERRORS}, {{metric: restarts, limit: 2}}]",
    "leaks 4 MB an answer": f"release.gates=[{_ERRORS}, {{metric: memory_percent, limit: 70}}]",
    "silently wrong": _MIX,
}
"""Gates that are not on by default, for faults that no other finds; --gates asks for them."""
PLANS = {
    "canary": ("release.strategy=canary", "release.steps=[10,50,100]"),
    "shadow": ("release.strategy=shadow", "release.steps=[50,100]", "release.mirror=50"),
    "blue-green": ("release.strategy=blue-green",),
    "gradual": ("release.strategy=gradual-blue-green", "release.steps=[10,50,100]"),
    "A/B": ("release.strategy=ab", "release.ab.split=40"),
    AT_ONCE: ("release.strategy=all-at-once", "load.duration_s=25"),
}
ALERTS = """
alerts:
  look_s: 1
  rules:
    errors: {limit: 2, for_s: 5, window_s: 10, does: rollback}
    availability: {for_s: 5, window_s: 5}
    latency: {limit: 300, for_s: 5, window_s: 10, does: rollback}
"""
ALERT_S = 30.0
"""For so long an alert is waited for after a release that nothing stopped."""


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


def release(scene: Scene, number: str, sets: tuple[str, ...], *skip: str) -> None:
    """Release a version by its address."""
    told = scene.call("release", *skip, "--model-uri", f"models:/faulty/{number}", sets=sets)
    told.ends(600)


def run(scene: Scene, users: Users, numbers: tuple[str, str], strategy: str, sets: tuple[str, ...]) -> Row:
    """One release under users, of the first version beside the second, and what it did to them."""
    number, good = numbers
    users.forget()
    with alerted(scene) if strategy == AT_ONCE else contextlib.nullcontext():
        release(scene, number, (*sets, *PLANS[strategy]), *(() if strategy == AT_ONCE else SKIP))
        if strategy == AT_ONCE:
            with contextlib.suppress(AssertionError):
                wait_for(lambda: scene.release.outcome is not ev.Outcome.DONE, "an alert", ALERT_S)
        scene.settles()
    newest = scene.release
    answers = list(users.answers)
    hurt = sum(bool(one.why) or one.label != LABEL for one in answers)
    outcome = "done" if newest.outcome is ev.Outcome.DONE else (newest.reason or newest.why)[:120]
    users.back(time.time(), 40)
    serving = "old" if served(scene.port) == {good} else "new"
    if serving == "new":
        release(scene, good, (*sets, "release.strategy=all-at-once"), *SKIP)
    return Row(outcome, _back_s(scene, newest), newest.reached, hurt, len(answers), serving)


@contextlib.contextmanager
def alerted(scene: Scene) -> Iterator[None]:
    """The file has alerts that are quicker than the usual ones; as it was on leaving."""
    path = scene.folder / "quarterdeck.yaml"
    text = path.read_text()
    path.write_text(text + ALERTS)
    try:
        yield
    finally:
        path.write_text(text)


def _back_s(scene: Scene, newest: Release) -> float:
    """From the first thing asked of the new version to its end, where it was taken back."""
    if newest.outcome is ev.Outcome.DONE:
        return float("nan")
    mine = [one for one in scene.events() if getattr(one.body, "release", None) == newest.id]
    first = min((one.at for one in mine if isinstance(one.body, ev.Routed)), default=newest.began_at)
    turned = [one.at for one in mine if isinstance(one.body, ev.TurnedBack)]
    return max(turned, default=first) - first


def table(scene: Scene, given: argparse.Namespace) -> None:
    """A row for each fault and strategy that was asked for."""
    numbers = registered(scene)
    good = numbers["none"]
    hold = f"{given.hold:g}"
    base = (
        *QUICK,
        "load.users=5",
        "endpoint.cpu=1",
        f"release.hold_s={hold}",
        f"release.burst_s={given.burst:g}",
        *LOOSE,
    )
    release(scene, good, (*base, "release.strategy=all-at-once"), *SKIP)
    assert served(scene.port) == {good}
    with Users(scene.port, given.users, PAUSE_S) as users:
        for fault in [name for name in FAULTS if any(part in name for part in given.only)]:
            for strategy in [name for name in PLANS if given.by in name]:
                own = (GATES[fault],) if given.gates and fault in GATES else ()
                row = run(scene, users, (numbers[fault], good), strategy, (*base, f"release.ab.hold_s={hold}", *own))
                figures = f"{row.reached:>7g} {row.seconds:>6.1f} {row.hurt:>5} {row.requests:>6} {row.serving:>6}"
                print(f"{fault:<24} {strategy:<11} {figures}  {row.outcome}", flush=True)


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[""], help="Faults whose names hold any of these.")
    parser.add_argument("--by", default="", help="Strategies whose names hold this.")
    parser.add_argument("--hold", type=float, default=40.0)
    parser.add_argument("--burst", type=float, default=20.0, help="For how long a trouble of one slot is forgiven.")
    parser.add_argument("--gates", action="store_true", help="With the gates that find what others don't.")
    parser.add_argument("--users", type=int, default=12)
    given = parser.parse_args()
    head = f"{'fault':<24} {'strategy':<11} {'reached':>7} {'s':>6} {'hurt':>5} {'of':>6} {'serves':>6}"
    print(f"{head}  caught by", flush=True)
    with tempfile.TemporaryDirectory(prefix="faulty-") as folder, Scene(Path(folder) / "iris", QUICK) as scene:
        first = scene.run("release", *SKIP, "--set", "release.strategy=all-at-once", deadline_s=120)
        assert first.process.returncode == 0, first.text
        table(scene, given)
    return 0


if __name__ == "__main__":
    sys.exit(main())

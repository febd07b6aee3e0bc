"""A project with a past: two releases in dev, the second taken back, written at moments that a test knows."""

import contextlib
from pathlib import Path

from core.domain.plan import Hold, Plan, Shift
from core.engine.project import Project
from core.state import events as ev
from tests.environments import V1, V2

ENDPOINT = "late-dev"
WHERE = "build-7, /dev/pts/4, ssh from 10.0.0.7"
T = 1_790_000_000.0
"""When it began, in seconds since the epoch."""
PLAN = Plan("canary", (Shift(10), Hold(600.0, ()), Shift(100)))


def facts() -> list[tuple[float, str, ev.Body]]:
    """Seconds after `T`, who, and what."""
    first: list[tuple[float, str, ev.Body]] = [
        (0, "ada", ev.Began("r1", ENDPOINT, "dev", Plan("all-at-once", (Shift(100),)))),
        (1, "watch", ev.Chose("r1", V1)),
        (2, "watch", ev.Placed("r1", "blue", None, None)),
        (3, "watch", ev.StepStarted("r1", 0)),
        (3, "watch", ev.Routed(ENDPOINT, {"blue": 100.0}, "r1")),
        (3, "watch", ev.StepAsked("r1", 0)),
        (4, "watch", ev.Verified(ENDPOINT, {"blue": 100.0}, 4.0, 20, release="r1")),
        (5, "watch", ev.StepDone("r1", 0)),
        (60, "watch", ev.Ended("r1", ev.Outcome.DONE)),
    ]
    second: list[tuple[float, str, ev.Body]] = [
        (3600, "=bob", ev.Began("r2", ENDPOINT, "dev", PLAN)),
        (3610, "watch", ev.Chose("r2", V2)),
        (3611, "watch", ev.Placed("r2", "green", "blue", V1)),
        (3620, "watch", ev.StepStarted("r2", 0)),
        (3620, "watch", ev.Routed(ENDPOINT, {"blue": 90.0, "green": 10.0}, "r2")),
        (3620, "watch", ev.StepAsked("r2", 0)),
        (3621, "watch", ev.Verified(ENDPOINT, {"blue": 90.0, "green": 10.0}, 4.0, 20, release="r2")),
        (3622, "watch", ev.StepDone("r2", 0)),
        (3700, "bob", ev.TurnedBack("r2", ev.Outcome.ROLLED_BACK, "rolled back", T + 3699.9, "answers late")),
        (3700.1, "watch", ev.Routed(ENDPOINT, {"blue": 100.0, "green": 0.0}, "r2")),
        (3700.2, "watch", ev.Verified(ENDPOINT, {"blue": 100.0, "green": 0.0}, 300.0, 20, "key", "r2")),
        (3701, "watch", ev.Ended("r2", ev.Outcome.ROLLED_BACK, "by bob at 10 %")),
    ]
    return first + second


def project(folder: Path) -> Project:
    """The project, with all of that in its journal."""
    path = folder / "late" / "quarterdeck.yaml"
    path.parent.mkdir()
    path.write_text("data:\n  source: iris\n  target: species\nendpoint:\n  name: late\n")
    made = Project(path)
    with contextlib.closing(made.journal()) as journal:
        for at, who, body in facts():
            journal.append([body], who, T + at, where=WHERE if who != "watch" else "build-7, no terminal")
    return made

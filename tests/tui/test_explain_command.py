"""`quarterdeck explain`: the size of each slot, why it is not another, what was decided last."""

import contextlib
import json
from pathlib import Path

import pytest

from core.domain.model import Observation, Reading, Replica, ReplicaState, Scaled
from core.domain.obstacles import Cause, Obstacle
from core.domain.sample import Sample
from core.engine.project import Project
from core.state import events as ev
from tests.environments import V1, V2
from tests.tui import past
from tui.explain_command import explained

CPU = Reading("cpu", 142.0, 60.0)
NEW = Replica("green-1", ReplicaState.BACKOFF, why="out of memory")
FACTS: tuple[ev.Body, ...] = (
    ev.Observed(past.ENDPOINT, Observation("blue", V1, 4, 4, 100.0)),
    ev.Observed(past.ENDPOINT, Observation("green", V2, 2, 1, 0.0, (NEW,))),
    ev.Looked(past.ENDPOINT, Scaled("blue", past.T + 3990, 2, 4, "cpu 142 % of 60 %", (CPU,), 1, 4)),
    ev.Resized(past.ENDPOINT, "green", 2),
    ev.Looked(
        past.ENDPOINT,
        Scaled(
            *("blue", past.T + 3999, 4, 4, "maximum 4", (CPU,), 1, 4),
            proposed=10,
            obstacles=(Obstacle(Cause.MAXIMUM, "", 10, 4),),
        ),
    ),
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = past.project(tmp_path)
    with contextlib.closing(made.journal()) as journal:
        for body in FACTS:
            journal.append([body], "watch", past.T + 4000)
    monkeypatch.setattr("core.journal.clock.JournalClock.now", lambda _: past.T + 4002)
    return Project(made.path, "dev")


async def test_each_slot_has_its_line_its_reasons_and_the_next_step(project: Project) -> None:
    said: list[str] = []
    assert await explained(project, said.append) == 0
    assert said[:7] == [
        "late-dev",
        "  blue     late v1          100.0 %  real ?  4 of 1–4 replicas, 4 ready · cpu 142 % of 60 % · keeps 4, 3 s ago",  # noqa: E501
        "    ! cpu 142 % of 60 % asks for 10 replicas, the maximum is 4",
        "      → raise endpoint.autoscaling.max and release again, or make answers cheaper",
        "  green    late v2            0.0 %  real ?  1 of 2 replicas ready",
        "    ! 1 of 2 replicas of green ready: green-1 backoff, out of memory",
        "      → see its log: 4 on the deck, its line, l",
    ]
    assert said[7] == "last decisions"
    assert [line.split("  ", 2)[2] for line in said[8:]] == [
        "blue 2 → 4: cpu 142 % of 60 %",
        "green to 2: asked by hand",
    ]


async def test_as_json_it_says_the_same(project: Project) -> None:
    said: list[str] = []
    await explained(project, said.append, as_json=True)
    told = json.loads("".join(said))
    blue = told["slots"][0]
    assert (blue["slot"], blue["wanted"], blue["min"], blue["max"], blue["proposed"]) == ("blue", 4, 1, 4, 10)
    assert (blue["percent"], blue["real_percent"]) == (100.0, None)
    assert blue["metrics"] == [{"name": "cpu", "percent": 142.0, "target": 60.0}]
    assert [(one["cause"], one["calm"]) for one in blue["reasons"]] == [("maximum", False)]
    assert [one["text"] for one in told["decisions"]] == ["blue 2 → 4: cpu 142 % of 60 %", "green to 2: asked by hand"]


async def test_the_weight_that_slots_really_have_is_counted_from_who_answered(project: Project) -> None:
    with contextlib.closing(project.journal()) as journal:
        for slot, requests in (("blue", 30), ("green", 10)):
            journal.append([ev.Sampled(past.ENDPOINT, Sample(slot, past.T + 4001, requests))], "watch", past.T + 4001)
    said: list[str] = []
    await explained(project, said.append)
    assert said[1].startswith("  blue     late v1          100.0 %  real 75.0 %  4 of 1–4 replicas")
    assert any(line.startswith("  green    late v2            0.0 %  real 25.0 %  1 of 2") for line in said)


async def test_where_nothing_is_served_it_says_how_to_begin(tmp_path: Path) -> None:
    said: list[str] = []
    await explained(Project(past.project(tmp_path).path, "dev"), said.append)
    assert said == ["late-dev: nothing is served; begin with 'quarterdeck release'"]

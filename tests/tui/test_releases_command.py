"""`quarterdeck releases`: each release in a line, and how releasing goes against what the team wants."""

import json
from pathlib import Path

import pytest

from core.config.settings import ObjectivesSettings
from core.engine.project import Project
from core.state import events as ev
from core.state.delivery import WEEK_S, figures, releases
from tests.environments import V2
from tests.tui import past
from tui import releases_command


def told(facts: list[tuple[float, str, ev.Body]]) -> list[ev.Event]:
    return [ev.Event(seq, past.T + at, who, body) for seq, (at, who, body) in enumerate(facts, 1)]


def test_each_release_and_how_it_went() -> None:
    first, second = releases(told(past.facts()))
    assert (first.version, first.outcome, first.took_s, first.full_at) == ("late v1", "done", 60.0, past.T + 4)
    assert (second.by, second.outcome, second.reason) == ("=bob", "rolled back", "answers late")
    assert (second.served_at, second.full_at) == (past.T + 3621, None)
    (back,) = second.backs
    assert (back.by, back.key_ms) == ("bob", 300.0)
    assert back.restored_s == pytest.approx(0.3, abs=1e-3)


def test_the_four_figures_and_how_long_rollbacks_took() -> None:
    found = figures(releases(told(past.facts())), past.T, past.T + 2 * WEEK_S)
    assert (found.weeks, found.releases, found.a_week, found.lead_s) == (2.0, 2, 0.5, 4.0)
    assert (found.failed_percent, found.rollback_ms) == (50.0, 300.0)
    assert found.restore_s == pytest.approx(0.3, abs=1e-3)
    empty = figures([], past.T, past.T)
    assert (empty.a_week, empty.lead_s, empty.failed_percent, empty.restore_s) == (None, None, None, None)


def test_restoring_counts_from_the_gate_that_failed_and_a_version_from_its_first_release() -> None:
    facts = past.facts()[:-4]
    facts += [
        (3630, "watch", ev.StepFailed("r2", 1, "p95 is over its limit")),
        (3632, "watch", ev.TurnedBack("r2", ev.Outcome.FAILED, "p95 is over its limit")),
        (3634, "watch", ev.Verified(past.ENDPOINT, {"blue": 100.0, "green": 0.0}, 4.0, 20, "route", "r2")),
        (3635, "watch", ev.Ended("r2", ev.Outcome.FAILED)),
        (9000, "ada", ev.Began("r3", "late", "prod", past.PLAN)),
        (9001, "ada", ev.Chose("r3", V2)),
        (9002, "watch", ev.Placed("r3", "blue", None, None)),
        (9003, "watch", ev.Verified("late", {"blue": 100.0}, 4.0, 20, "route", "r3")),
    ]
    _, second, third = releases(told(facts))
    assert [(back.key_ms, back.restored_s) for back in second.backs] == [(None, 4.0)]
    assert (third.version_at, third.full_at, third.outcome) == (past.T + 3600, past.T + 9003, "")


def test_a_rollback_that_was_taken_back_and_a_release_tried_again_are_judged_by_their_last_end() -> None:
    facts = [
        *past.facts(),
        (3710, "bob", ev.TurnedForward("r2")),
        (3711, "watch", ev.Verified(past.ENDPOINT, {"blue": 0.0, "green": 100.0}, 5.0, 20, "key", "r2")),
        (3720, "watch", ev.Ended("r2", ev.Outcome.DONE)),
    ]
    _, second = releases(told(facts))
    assert (second.outcome, second.full_at, len(second.backs)) == ("done", past.T + 3711, 1)


def test_the_list_with_its_figures_against_the_objectives(tmp_path: Path) -> None:
    project = past.project(tmp_path)
    project.path.write_text(
        project.path.read_text() + "objectives:\n  rollback_ms: 1000\n  failed_percent: 10\n  lead_s: 3600\n"
    )
    said: list[str] = []
    assert releases_command.listed(Project(project.path), said.append) == 0
    assert "r1  late v1         done             1:00  ada" in said[0]
    assert "r2  late v2         rolled back      1:41  =bob  answers late" in said[1]
    assert [line[0] for line in said[3:]] == [" ", "✔", "✖", " ", "✔"]
    assert "wanted at most 10.0 %" in "\n".join(said)
    assert releases_command.listed(Project(project.path), said.append, as_json=True) == 0
    made = json.loads(said[-1])
    assert [row["id"] for row in made["releases"]] == ["r1", "r2"]
    assert made["objectives"]["rollback_ms"] == 1000


def test_without_a_release_there_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "quarterdeck.yaml"
    path.write_text("data:\n  source: iris\n  target: species\nendpoint:\n  name: late\n")
    said: list[str] = []
    assert releases_command.listed(Project(path), said.append) == 0
    assert said == ["no release yet; begin one with 'quarterdeck release'"]
    said.clear()
    project = past.project(tmp_path)
    assert releases_command.listed(project, said.append, since="1h") == 0
    assert said == ["no release since 1h"]


def test_a_figure_without_an_objective_or_without_releases_is_neither_met_nor_missed() -> None:
    none = figures([], past.T, past.T)
    assert [one.met for one in releases_command.against(none, ObjectivesSettings(releases_a_week=1.0))] == [None] * 5
    some = figures(releases(told(past.facts())), past.T, past.T + WEEK_S)
    met = [one.met for one in releases_command.against(some, ObjectivesSettings(releases_a_week=2.0, lead_s=5.0))]
    assert met == [False, True, None, None, None]

"""A version is released by figures that are known already only where nothing has changed by which it was measured."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from core.config.planner import Wishes
from core.domain.model import Observation, Version
from core.domain.plan import Plan, Shift, Work
from core.engine.known_figures import by_known_figures
from core.engine.project import Project
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.release import Release, Status, StepState
from core.state.snapshot import Snapshot
from tests.environments import V1, V2

BEGAN_AT = 1000.0
PLAN = Plan("canary", (Work("evaluate"), Work("check"), Shift(100)))
ASKED = Wishes(model_uri="models:/late/2")
TEXT = """
environment: dev
data: {source: rows.csv, target: late}
endpoint: {name: late}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Its rows are older than what was measured on them, and v2 lies here."""
    (tmp_path / "quarterdeck.yaml").write_text(TEXT)
    (tmp_path / "rows.csv").write_text("late\n1\n")
    os.utime(tmp_path / "rows.csv", (1.0, 1.0))
    model = tmp_path / ".quarterdeck" / "models" / "late-2"
    model.mkdir(parents=True)
    (model / "model.json").write_text("{}")
    return Project(tmp_path / "quarterdeck.yaml")


def known(project: Project, checked: Status = Status.DONE, serves: Version = V1) -> Snapshot:
    """V2 was measured beside V1."""
    figures = {"production_version": {"number": "1"}, "candidate": {"macro_f1": 0.9}}
    steps = [StepState(step) for step in PLAN.steps]
    steps[0] = replace(steps[0], status=Status.DONE, result=figures)
    steps[1] = replace(steps[1], status=checked)
    options = {"settings": project.settings.dump()}
    made = Release("r1", "late-dev", "dev", "local", PLAN, tuple(steps), "ada", BEGAN_AT, version=V2, options=options)
    release = replace(made, outcome=ev.Outcome.DONE, began_seq=1, ended_seq=1)
    slots = {"blue": Observation("blue", serves, 2, 2, 100.0)}
    return Snapshot(releases={"r1": release}, endpoints={"late-dev": Endpoint("late-dev", slots=slots)})


def test_what_was_measured_on_these_rows_is_not_measured_again(project: Project) -> None:
    wishes = by_known_figures(project, known(project), ASKED)
    assert (wishes.model_uri, wishes.version) == ("", V2)
    assert wishes.measured is not None
    assert wishes.measured["from"] == "r1"


@pytest.mark.parametrize(
    "change",
    [
        lambda p: (p.settings.folder / "rows.csv").write_text("late\n0\n"),
        lambda p: (p.settings.folder / "rows.csv").unlink(),
        lambda p: (p.settings.folder / ".quarterdeck/models/late-2/model.json").unlink(),
        lambda p: p.path.write_text(TEXT.replace("target: late", "target: late, split: 0.5")),
        lambda p: p.path.write_text(TEXT + "train: {primary_metric: accuracy}\n"),
    ],
    ids=["other rows", "no rows", "no model here", "another split", "another metric"],
)
def test_what_has_changed_since_is_measured(project: Project, change: Callable[[Project], object]) -> None:
    snapshot = known(project)
    change(project)
    again = Project(project.path)
    assert by_known_figures(again, snapshot, ASKED) is ASKED


def test_what_is_not_known_of_this_version_beside_this_one_is_measured(project: Project) -> None:
    unchecked = known(project, Status.FAILED)
    assert by_known_figures(project, unchecked, ASKED) is ASKED
    beside_another = known(project, serves=Version("late", "7"))
    assert by_known_figures(project, beside_another, ASKED) is ASKED
    assert by_known_figures(project, known(project, serves=V2), ASKED) is ASKED
    for uri in ("models:/late/9", "models:/late/latest", "models:/late@production", "models:/other/2", ""):
        wishes = Wishes(model_uri=uri)
        assert by_known_figures(project, known(project), wishes) is wishes


def apart(project: Project, began_at: float = BEGAN_AT) -> Snapshot:
    """V2 was measured beside V1, and V3, which serves, beside nothing."""
    snapshot, third = known(project), Version("late", "3")
    figures = {"production_version": None, "candidate": {"macro_f1": 0.8}}
    steps = [replace(one, result=figures) if one.result else one for one in snapshot.releases["r1"].steps]
    other = replace(snapshot.releases["r1"], id="r3", version=third, steps=tuple(steps), began_at=began_at, began_seq=3)
    slots = {"blue": Observation("blue", third, 2, 2, 100.0)}
    releases = {**snapshot.releases, "r3": other}
    return Snapshot(releases=releases, endpoints={"late-dev": Endpoint("late-dev", slots=slots)})


def test_of_two_versions_measured_on_the_same_rows_neither_is_measured_again(project: Project) -> None:
    wishes = by_known_figures(project, apart(project), ASKED)
    assert wishes.version == V2
    assert wishes.measured is not None
    figures = wishes.measured["measured"]
    assert isinstance(figures, Mapping)
    assert figures["production"] == {"macro_f1": 0.8}
    # The rows have changed since the one that serves was measured.
    assert by_known_figures(project, apart(project, began_at=0.5), ASKED) is ASKED

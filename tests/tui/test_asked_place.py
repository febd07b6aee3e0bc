"""Who looks once at an endpoint in a cluster is told what stands there now, or that nobody could be asked."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.errors import Refused, Unreachable
from core.domain.model import Contact, Observation, Scaled
from core.engine.project import Project
from core.state import events as ev
from core.state.acceptance import accept
from core.state.commands import ScaleSlot
from core.state.fold import fold_all
from tests.environments import V1, V2, V3, begin, canary_plan
from tests.kubernetes.cluster import Cluster
from tests.targets import kubernetes_scenes
from tests.targets.helpers import ONE, watching
from tests.targets.kubernetes.places import ClusterPlace, serving_cluster
from tui.drill_command import drill
from tui.explain_command import explained
from tui.scale_command import scale
from tui.upkeep_command import down

WHERE = "kubernetes stand-in/flights"


async def no_watch(*_: object) -> None:
    """None is started."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One whose pods answer."""
    with serving_cluster() as one:
        yield one


def _known(project: Project) -> None:
    """What a watch wrote down before the API server fell silent."""
    with contextlib.closing(project.journal()) as journal:
        now = journal.clock.now()
        facts: tuple[ev.Body, ...] = (
            ev.Opened("late", "http://late", "prod", WHERE, production=True),
            ev.Observed("late", Observation("blue", V1, 2, 2, 100.0)),
            ev.Looked("late", Scaled("blue", now - 600, 2, 2, "cpu 0 % of 60 %", min=2, max=4)),
            ev.Contacted("late", Contact(now - 180, "no answer")),
        )
        journal.append(facts, "watch", now)


def _released(project: Project) -> None:
    """What this folder did long ago: v2 in blue over v3 in green."""
    with contextlib.closing(project.journal()) as journal:
        begun = replace(begin(V2, canary_plan()), endpoint="late", release="r-old")
        journal.append(accept(begun, fold_all(journal.read(0)), journal.clock.now()), "ada", journal.clock.now())
        done: tuple[ev.Body, ...] = (
            ev.Placed("r-old", "blue", "green", V3, 2),
            ev.Ended("r-old", ev.Outcome.DONE, "done", ""),
        )
        journal.append(done, "ada", journal.clock.now())


async def test_an_empty_journal_is_no_reason_to_say_that_nothing_is_served(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ClusterPlace(cluster, tmp_path)
    monkeypatch.setenv("KUBECONFIG", place.kubeconfig)
    project = Project(kubernetes_scenes.project(tmp_path, {"namespace": place.namespace}), "prod")
    said: list[str] = []
    assert await explained(project, said.append) == 0
    assert said == ["late: nothing is served; begin with 'quarterdeck release'"]
    target = place.target(folder=tmp_path / "elsewhere")
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await target.route({"blue": 100.0})
        await watcher.until(lambda: watcher.slots["blue"].weight == 100.0, deadline_s=60)
    said.clear()
    assert await explained(project, said.append) == 0
    assert said[1].startswith("  blue     late v1          100.0 %")
    assert "1 of 1 replica ready" in said[1]
    with pytest.raises(Refused, match=r"this project has released nothing there: .* 'quarterdeck down --confirm prod"):
        await down(project, said.append)
    _released(project)
    with pytest.raises(
        Refused, match=r"it serves, and a driver on .* changed it last: .*'quarterdeck down --confirm prod"
    ):
        await down(project, said.append)
    with pytest.raises(Refused, match=r"drill: v1 serves in blue, and r-old, the last release known here, did not"):
        await drill(project, True, said.append)
    said.clear()
    assert await explained(project, said.append) == 0
    assert said[1].startswith("  blue     late v1          100.0 %")
    assert await down(project, said.append, "prod") == 0
    assert said[-1] == "late: drained and stopped"
    await place.close()


async def test_where_nobody_can_be_asked_what_is_said_is_as_of_then_and_nothing_known_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setattr("tui.scale_command.have_watch", no_watch)
    project = Project(kubernetes_scenes.project(tmp_path), "prod")
    with pytest.raises(Unreachable, match="late: nothing is known of it here, and its place can't be asked: "):
        await explained(project, print)
    with pytest.raises(Unreachable, match="late: not known what serves there: "):
        await scale(project, ScaleSlot("", 3, "", ""), print)
    _known(project)
    said: list[str] = []
    assert await explained(project, said.append) == 0
    assert said[0].startswith("as of ")
    assert "3 min ago: " in said[0]
    assert said[1] == f"  → {project.typed('doctor')} says what is wrong"
    assert not any("nothing is in its way" in line for line in said)


async def test_settings_that_name_another_place_are_told_from_a_place_that_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setattr("tui.scale_command.have_watch", no_watch)
    project = Project(kubernetes_scenes.project(tmp_path, {"namespace": "foreign"}), "prod")
    _known(project)
    told = f"late serves from {WHERE}, and these settings name kubernetes stand-in/foreign"
    for work in (down(project, print), scale(project, ScaleSlot("", 3, "", ""), print)):
        with pytest.raises(Refused, match=told):
            await work
    said: list[str] = []
    await explained(project, said.append)
    assert told in said[0]

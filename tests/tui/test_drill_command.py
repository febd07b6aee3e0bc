"""`quarterdeck drill`: what stands in its way is said before anything moves, and what it took is written down."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.config.config import endpoint_name, load
from core.config.planner import Wishes, release_of
from core.config.scaffold import init
from core.config.settings import Settings
from core.domain.errors import BadInput, Refused
from core.domain.load_profile import LoadProfile
from core.domain.model import Observation
from core.domain.plan import Plan, title
from core.domain.strategies import of_copy
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.endpoint import Endpoint
from core.state.fold import fold
from core.state.fold_endpoint import of_endpoint
from core.state.messages import message_of
from core.state.release import Release, ReleaseState
from core.state.snapshot import Snapshot
from tests.environments import V1, V2
from tui import drill_command, drill_copy

SERVES = {"green": Observation("green", V2, 2, 2, 100.0), "blue": Observation("blue", V1, 2, 2, 0.0)}
PLAN = Plan("canary", ())
DONE = Release(
    "r2", "late", "prod", "local", PLAN, (), "ada", 1.0, version=V2, slot="green", old="blue", old_version=V1
)
DONE = replace(DONE, outcome=ev.Outcome.DONE, state=ReleaseState.ENDED, ended_at=5.0, ended_seq=5)


def snapshot(release: Release = DONE, *facts: ev.Body) -> Snapshot:
    known = Snapshot(releases={release.id: release}, endpoints={"late": Endpoint("late", slots=SERVES)})
    for at, fact in enumerate(facts, 10):
        known = fold(known, ev.Event(at, float(at), "ada", fact))
    return known


def test_it_goes_where_a_rollback_would() -> None:
    assert drill_command._way(snapshot(), "late") == V1
    loaded = snapshot(DONE, ev.LoadStarted("late", "manual", LoadProfile("steady", 5, 5.0, None)))
    assert drill_command._way(loaded, "late") == V1


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (Snapshot(), "nothing was released here"),
        (snapshot(replace(DONE, old=None, old_version=None)), "nothing served before r2"),
        (snapshot(replace(DONE, outcome=None, state=ReleaseState.RUNNING)), "r2 is under way; wait for its end"),
        (snapshot(replace(DONE, outcome=ev.Outcome.ROLLED_BACK)), "was taken back already"),
    ],
)
def test_what_stands_in_its_way_is_said(known: Snapshot, why: str) -> None:
    with pytest.raises(Refused, match=f"drill: .*{why}"):
        drill_command._way(known, "late")


def test_in_production_somebody_must_mean_it(tmp_path: Path) -> None:
    project = Project(init(tmp_path / "late", sample="iris"))
    with pytest.raises(Refused, match=r"users of prod get the version before for some seconds.*--confirm prod"):
        drill_command._agreed(project, False, print)


async def test_where_there_is_no_way_back_nobody_is_asked_for_a_yes(tmp_path: Path) -> None:
    project = Project(init(tmp_path / "late", sample="iris"))
    with pytest.raises(Refused, match="nothing was released here"):
        await drill_command.drill(project, False, print)


def test_a_copy_has_a_name_and_a_port_of_its_own_and_none_in_production(tmp_path: Path) -> None:
    path = init(tmp_path / "late", sample="iris")
    there = load(path, "staging", ("endpoint.port=8080",), environ={})
    copy = drill_copy.copied(there)
    assert (endpoint_name(copy), copy.endpoint.port, copy.model) == ("iris-drill-staging", 0, "iris")
    assert Settings.from_dump(copy.dump()) == copy
    with pytest.raises(BadInput, match="--on prod: is production"):
        drill_copy.copied(load(path, "prod", (), environ={}))
    long = load(path, "staging", (f"endpoint.name={'a' * 40}",), environ={})
    with pytest.raises(BadInput, match="too long for a copy"):
        drill_copy.copied(long)


def test_a_copy_serves_and_moves_no_alias(tmp_path: Path) -> None:
    there = load(init(tmp_path / "late", sample="iris"), "staging", (), environ={})
    plan = of_copy(release_of(drill_copy.copied(there), True, Wishes(version=V1, confirmed=True)).plan)
    assert [title(step) for step in plan.steps] == ["deploy", "smoke", "traffic"]


def test_what_a_copy_took_is_no_proof_of_the_endpoint_s_own_way() -> None:
    (fact,) = accept(c.RecordDrill("late", V1, 31.0, 20.0, 400, 1, copy="late-drill-staging"), snapshot(), 9.0)
    endpoint = of_endpoint(Endpoint("late"), ev.Event(1, 9.0, "ada", fact))
    assert (endpoint.drilled, endpoint.drilled_at) == (None, None)
    assert (endpoint.copy_drilled, endpoint.copy_drilled_at) == (fact, 9.0)
    told = message_of(ev.Event(1, 9.0, "ada", fact))
    assert told is not None
    assert told.text.startswith("the way back is proven on a copy, late-drill-staging: to v1 in 31 ms")


def test_what_it_took_is_a_fact() -> None:
    (fact,) = accept(c.RecordDrill("late", V1, 31.0, 20.0, 400, 1), snapshot(), 9.0)
    endpoint = of_endpoint(Endpoint("late"), ev.Event(1, 9.0, "ada", fact))
    assert (endpoint.drilled, endpoint.drilled_at) == (ev.Drilled("late", V1, 31.0, 20.0, 400, 1), 9.0)

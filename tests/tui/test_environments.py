"""The environments side by side."""

from dataclasses import replace

from core.domain.hints import typed
from core.domain.model import Observation, Version
from core.domain.plan import Plan
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.release import Release
from core.state.snapshot import Snapshot
from tests.environments import V1, V2
from tui.environments import beside, proven, side_by_side
from tui.history import History
from tui.view import View
from tui.widgets.environments import EnvironmentsPane

NAMES = {"dev": "late-dev", "staging": "late-staging", "prod": "late"}
HOUR_S = 3600.0
DRILL = typed("drill", "prod", production=True)


def snapshot(**serves: Version) -> Snapshot:
    endpoints = {
        NAMES[environment]: Endpoint(NAMES[environment], slots={"blue": Observation("blue", version, 2, 2, 100.0)})
        for environment, version in serves.items()
    }
    return Snapshot(endpoints=endpoints)


def ended(id_: str, version: Version, outcome: ev.Outcome, at: float, old: Version | None = None) -> Release:
    made = Release(id_, "late", "prod", "local", Plan("x", ()), (), "ada", 0.0, version=version, old_version=old)
    return replace(made, outcome=outcome, ended_at=at, ended_seq=int(at))


def test_what_is_different_is_said_with_what_to_type() -> None:
    lines = side_by_side(snapshot(dev=V2, staging=V1, prod=V1), NAMES, 0.0)
    assert [" ".join(line.split()) for line in lines] == [
        "dev v2 staging has v1: 'quarterdeck promote --to staging'",
        "staging v1",
        "prod v1",
    ]
    assert side_by_side(snapshot(dev=V2, prod=V1), NAMES, 0.0)[1] == "staging  nothing"


def test_nobody_is_told_to_put_an_older_version_over_a_newer_one() -> None:
    (older, _) = side_by_side(snapshot(dev=V1, staging=V2), NAMES, 0.0)[:2]
    assert " ".join(older.split()) == "dev v1 staging has v2, a newer one"
    other = replace(V2, model="theirs")
    (another, _) = side_by_side(snapshot(dev=V1, staging=other), NAMES, 0.0)[:2]
    assert another.endswith("'quarterdeck promote --to staging'"), "numbers of two models say nothing about each other"


def test_where_only_one_serves_there_is_nothing_to_compare() -> None:
    assert side_by_side(snapshot(prod=V1), NAMES, 0.0) == []


def test_a_wide_deck_marks_the_environment_that_it_shows() -> None:
    plain = snapshot(dev=V2, prod=V1).endpoints
    known = Snapshot(endpoints={name: replace(one, environment=name[5:] or "prod") for name, one in plain.items()})
    shown = EnvironmentsPane().lines(View(known, History(), "late", 0.0), 90, 2)
    said = ["".join(text for text, _ in line) for line in shown]
    assert said == ["  dev      v2                  prod has v1: 'quarterdeck promote --to prod'", "▸ prod     v1"]


def test_a_version_serves_since_it_came_or_was_gone_back_to() -> None:
    known = snapshot(staging=V1, prod=V1)
    came = ended("r1", V1, ev.Outcome.DONE, 10.0)
    back = ended("r2", V2, ev.Outcome.ROLLED_BACK, 10.0 + HOUR_S, old=V1)
    for releases, age in (((came,), "for 3 h"), ((came, back), "for 2 h")):
        lines = side_by_side(replace(known, releases={r.id: r for r in releases}), NAMES, 10.0 + 3 * HOUR_S)
        assert age in lines[2], lines


def test_the_deck_knows_them_by_what_serves_in_the_order_that_versions_take() -> None:
    known = snapshot(prod=V1, dev=V2)
    endpoints = {
        name: replace(one, environment=env)
        for env, name in NAMES.items()
        for one in [known.endpoint(name)]
        if one.slots
    }
    lines = beside(replace(known, endpoints=endpoints), 10.0)
    assert [line.split()[0] for line in lines] == ["dev", "prod"]


def test_the_age_of_the_last_drill_is_told_and_when_it_is_overdue() -> None:
    known = snapshot(prod=V2).endpoints["late"]
    assert proven(known, HOUR_S, 0.0, DRILL) == (f"the way back was never drilled; {DRILL} proves it", True)
    drilled = replace(known, drilled=ev.Drilled("late", V1, 31.4, 20.0, 400, 0), drilled_at=100.0)
    assert proven(drilled, HOUR_S, 130.0, DRILL) == ("way back proven 30 s ago: 31 ms, 0 failed", False)
    assert proven(drilled, HOUR_S, 100.0 + 3 * HOUR_S, DRILL) == (
        f"way back proven 3 h ago: 31 ms, 0 failed; overdue, {DRILL}",
        True,
    )
    copied = ev.Drilled("late", V1, 40.0, 20.0, 400, 1, copy="late-drill-staging")
    beside = replace(known, copy_drilled=copied, copy_drilled_at=100.0)
    said = "on a copy, late-drill-staging, 30 s ago: 40 ms, 1 failed"
    never = f"the way back was never drilled here; {said}; {DRILL} proves it"
    assert proven(beside, HOUR_S, 130.0, DRILL) == (never, True)
    both = replace(beside, drilled=drilled.drilled, drilled_at=100.0)
    assert proven(both, HOUR_S, 130.0, DRILL) == (f"way back proven 30 s ago: 31 ms, 0 failed; {said}", False)

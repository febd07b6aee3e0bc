"""The same version on to the next environment: what may go there, and what is known of it."""

from collections.abc import Mapping
from dataclasses import asdict, replace

import pytest

from core.domain.errors import BadInput, Refused
from core.domain.model import Observation, Version
from core.domain.plan import Plan, Shift, Work
from core.rollout.promotion import known_anywhere, measured, measured_apart, promotable
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.release import Release, Status, StepState
from core.state.snapshot import Snapshot
from tests.environments import V1, V2

PLAN = Plan("canary", (Work("train"), Work("evaluate"), Shift(100)))
TRAINED = {"candidate": {"converged": True, "why": ""}}


def release(
    version: Version,
    endpoint: str = "late-dev",
    outcome: ev.Outcome | None = ev.Outcome.DONE,
    result: Mapping[str, object] | None = None,
    seq: int = 1,
) -> Release:
    steps = [StepState(step) for step in PLAN.steps]
    if result is not None:
        steps[0] = replace(steps[0], status=Status.DONE, result=TRAINED)
        steps[1] = replace(steps[1], status=Status.DONE, result=result)
    made = Release(f"r{seq}", endpoint, "dev", "local", PLAN, tuple(steps), "ada", 1.0, version=version)
    return replace(made, outcome=outcome, began_seq=seq, ended_seq=seq)


def snapshot(*releases: Release, serves: Version | None = None) -> Snapshot:
    slots = {} if serves is None else {"blue": Observation("blue", serves, 2, 2, 100.0)}
    found = {one.id: one for one in releases}
    return Snapshot(releases=found, endpoints={"late-dev": Endpoint("late-dev", slots=slots)})


def test_what_serves_is_promoted_where_no_number_is_given() -> None:
    assert promotable(snapshot(release(V1), serves=V2), "late-dev", None, "dev") == V2
    assert snapshot().endpoint("late-dev").served is None
    with pytest.raises(Refused, match="late-dev serves nothing that could be promoted; release to dev first"):
        promotable(snapshot(release(V1)), "late-dev", None, "dev")


def test_a_version_may_skip_no_environment() -> None:
    served = snapshot(release(V1), serves=V2)
    assert promotable(served, "late-dev", "1", "dev") == V1
    assert promotable(served, "late-dev", "v2", "dev") == V2
    taken_back = snapshot(release(V1, outcome=ev.Outcome.ROLLED_BACK), release(V2, "late-staging", seq=2))
    for number, why in (
        ("v1", "v1 can't go on from dev: r1 rolled back"),
        ("2", "v2 has not served in dev"),
        ("77", "v77 has not served in dev"),
    ):
        with pytest.raises(Refused, match=f"{why}; .*promote.after: anywhere"):
            promotable(taken_back, "late-dev", number, "dev")
    with pytest.raises(BadInput, match="abc: name a version by its number, such as 3 or v3"):
        promotable(taken_back, "late-dev", "abc", "dev")


def test_how_a_version_ended_last_counts_as_it_does_for_a_way_back() -> None:
    again = snapshot(release(V1), release(V1, outcome=ev.Outcome.FAILED, seq=9), serves=V2)
    with pytest.raises(Refused, match="v1 can't go on from dev: r9 failed"):
        promotable(again, "late-dev", "1", "dev")


def test_from_anywhere_any_version_that_a_release_was_of() -> None:
    found = snapshot(release(V1, "late-staging", outcome=ev.Outcome.FAILED))
    assert known_anywhere(found, ["late-dev", "late-staging"], "v1") == V1
    assert known_anywhere(found, ["late-dev"], "1") is None


def test_what_was_measured_beside_the_same_version_is_not_measured_again() -> None:
    beside = {"production_version": {"number": V1.number}, "production": {"accuracy": 0.9}, "candidate": {}}
    found = snapshot(release(V2, result=beside))
    known = measured(found, V2, V1)
    assert known == {"measured": beside, "candidate": TRAINED["candidate"], "from": "r1"}
    assert measured(found, V2, replace(V1, number="9")) is None
    assert measured(found, V1, None) is None
    assert measured(snapshot(release(V2)), V2, V1) is None


def test_where_nothing_serves_there_is_nothing_to_compare_with() -> None:
    beside = {"production_version": {"number": "1"}, "production": {}, "production_contract": {}, "candidate": {}}
    known = measured(snapshot(release(V2, result=beside)), V2, None)
    assert known is not None
    nothing = {"production": None, "production_version": None, "production_contract": None}
    assert known["measured"] == {**beside, **nothing}


def test_the_newest_measure_counts() -> None:
    old = release(V2, result={"production_version": None, "candidate": {"accuracy": 0.1}})
    new = release(V2, "late", result={"production_version": None, "candidate": {"accuracy": 0.2}}, seq=2)
    known = measured(snapshot(new, old), V2, None)
    assert known is not None
    assert known["from"] == "r2"


ROWS = {"rows": 30, "labels": ["a", "b"], "majority": {"accuracy": 0.5}, "primary_metric": "macro_f1"}


def _figures(known: ev.Result) -> ev.Result:
    found = known["measured"]
    assert isinstance(found, Mapping)
    return found


def test_two_versions_that_were_measured_each_by_itself_are_known_beside_each_other() -> None:
    first = {**ROWS, "candidate": {"macro_f1": 0.8}, "contract": {"fields": [1]}, "against": {"baseline": {"p": 1.0}}}
    against = {"baseline": {"p": 0.1}, "production": {"p": 0.2}}
    second = {
        **ROWS, "candidate": {"macro_f1": 0.9}, "contract": {"fields": [2]}, "against": against,
        "production": first["candidate"], "production_version": {"number": "1"},
    }  # fmt: skip
    found = snapshot(release(V1, result=first), release(V2, result=second, seq=2))
    assert measured(found, V1, V2) is None
    known = measured_apart(found, V1, V2)
    assert known is not None
    assert (known["from"], known["beside"], known["candidate"]) == ("r1", "r2", TRAINED["candidate"])
    figures = _figures(known)
    assert figures["candidate"] == {"macro_f1": 0.8}
    assert (figures["production"], figures["production_contract"]) == ({"macro_f1": 0.9}, {"fields": [2]})
    assert figures["production_version"] == asdict(V2)
    # Row by row they were compared the other way round, and for another release.
    assert figures["against"] == {"baseline": {"p": 1.0}}
    swapped = measured_apart(found, V2, V1)
    assert swapped is not None
    assert _figures(swapped)["against"] == {"baseline": {"p": 0.1}}


@pytest.mark.parametrize("other", [{"rows": 31}, {"labels": ["b", "a"]}, {"majority": {}}, {"primary_metric": "x"}])
def test_figures_of_other_rows_are_not_put_beside_each_other(other: Mapping[str, object]) -> None:
    found = snapshot(release(V1, result=ROWS), release(V2, result={**ROWS, **other}, seq=2))
    assert measured_apart(found, V1, V2) is None
    assert measured_apart(snapshot(release(V1, result=ROWS)), V1, V2) is None

"""How long a place takes as a rule: by what earlier releases took there, else by its own word."""

from collections.abc import Mapping, Sequence

from core.domain.plan import Deploy, Plan, Shift, UsualSpans
from core.state import events as ev
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from core.state.usual_spans import LAST, usual_spans

PLAN = Plan("canary", (Deploy(2), Shift(10), Shift(100)))
WHERE = "azureml 00000000/rg/ws"
OWN = UsualSpans(600.0, 30.0)


def after(releases: Sequence[tuple[str, Mapping[int, float]]]) -> Snapshot:
    """Releases at a place one after the other, each with what its steps took; a step without a time goes on."""
    events: list[ev.Event] = []
    at = 0.0
    for number, (where, took) in enumerate(releases):
        release = f"r{number}"
        bodies: list[tuple[float, ev.Body]] = [(at, ev.Began(release, "late", "prod", PLAN, target=where))]
        for index in range(len(PLAN.steps)):
            bodies.append((at, ev.StepStarted(release, index)))
            if index not in took:
                break
            at += took[index]
            bodies.append((at, ev.StepDone(release, index)))
        events += [ev.Event(len(events) + n, when, "watch", body) for n, (when, body) in enumerate(bodies, 1)]
    return fold_all(events)


def test_where_nothing_was_released_the_place_has_the_word() -> None:
    elsewhere = after([("local", {0: 2.0, 1: 1.0, 2: 1.0})])
    assert usual_spans(Snapshot(), "late", WHERE, OWN) == OWN
    assert usual_spans(elsewhere, "late", WHERE, OWN) == OWN
    assert usual_spans(elsewhere, "other", "local", OWN) == OWN


def test_what_earlier_releases_took_is_the_rule_and_what_goes_on_says_nothing() -> None:
    known = after([(WHERE, {0: 400.0, 1: 20.0, 2: 26.0}), (WHERE, {0: 900.0, 1: 22.0, 2: 24.0}), (WHERE, {0: 500.0})])
    assert usual_spans(known, "late", WHERE, OWN) == UsualSpans(500.0, 23.0, 3)
    assert usual_spans(after([(WHERE, {})]), "late", WHERE, OWN) == OWN


def test_the_last_ones_count_for_a_place_changes() -> None:
    known = after([(WHERE, {0: 900.0})] * LAST + [(WHERE, {0: 300.0})] * LAST)
    assert usual_spans(known, "late", WHERE, OWN).deploy_s == 300.0

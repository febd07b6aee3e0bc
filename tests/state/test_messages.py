"""Events in words: one line each, for every face."""

import time

import pytest
from hypothesis import given, settings

from core.domain.gates import Gate, GateResult, Verdict
from core.domain.load_profile import LoadOutcome, LoadProfile, LoadSource
from core.domain.model import Level, Noted, Scaled
from core.domain.sample import Sample
from core.domain.strategies import all_at_once, canary
from core.state import events as ev
from core.state.messages import judged, kinds, message_of, share
from tests.environments import V1, rollout
from tests.nouns import BODIES

GATE = Gate("p95_ms", "<", 100.0)
CLOCK = time.strftime("%d %b %H:%M:%S", time.localtime(1.0))
PROFILE = LoadProfile("steady", 50, 5.0, 60.0)

PENDING = ev.PendingKind


def verdict(outcome: GateResult, dry_run: bool = False) -> Verdict:
    return Verdict(Gate("p95_ms", "<", 100.0, dry_run=dry_run), outcome, None, "why")


@pytest.mark.parametrize(
    ("body", "source", "text", "level"),
    [
        (ev.Began("r", "late", "dev", canary((), rollout(), (10, 50, 100))), "release",
         "ada began canary on late, 7 stages", "info"),
        (ev.Began("r", "late", "dev", all_at_once((), rollout())), "release",
         "ada began all-at-once on late, 6 stages", "info"),
        (ev.StepStarted("r", 0), "train", "begins", "info"),
        (ev.StepDone("r", 0, "f1 .8"), "train", "done: f1 .8", "info"),
        (ev.StepDone("r", 0), "train", "done", "info"),
        (ev.StepFailed("r", 9, "no rows"), "step", "no rows", "error"),
        (ev.AskFailed("r", "no answer", 1, 0), "train", "no answer; asked again", "warning"),
        (ev.AskFailed("r", "no answer", 8), "target", "no answer; asked again, 8 times so far", "warning"),
        (ev.AskFailed("r", "no answer", 2, 0), "train", "no answer; asked again, 2 times so far", "warning"),
        (ev.AskFailed("r", "no answer; see whether 'kubectl get ns' gets one"), "target",
         "no answer; see whether 'kubectl get ns' gets one; asked again", "warning"),
        (ev.AskFailed("r", "no answer; see whether 'kubectl get ns' gets one", 2), "target",
         "no answer; asked again, 2 times so far", "warning"),
        (ev.Grew("r", 6), "endpoint", "a way back brings 6 replicas, as many as serve now", "info"),
        (ev.Applied("r", "blue"), "endpoint", "blue gets its replicas back", "info"),
        (ev.Pended("late", PENDING.ALIASES, "no registry", 1.0, back=True, release="r"), "registry",
         "aliases are not moved back yet: no registry; tried again until they are", "warning"),
        (ev.Pended("late", PENDING.ALIASES, "no registry", 1.0, release="r"), "registry",
         "aliases are not moved forward yet: no registry; tried again until they are", "warning"),
        (ev.Pended("late", PENDING.REPORT, "full", 1.0, release="r"), "summary",
         "no report: full; tried again", "warning"),
        (ev.Pended("late", PENDING.REMOVAL, "busy", 1.0, "blue"), "retire",
         "blue stays: busy; tried again later", "warning"),
        (ev.Pended("late", PENDING.REPLICAS, "busy", 1.0, "blue", 4), "endpoint",
         "blue has not got its 4 replicas back yet: busy; tried again", "warning"),
        (ev.Chose("r", V1), "release", "of late v1", "info"),
        (ev.Placed("r", "green", "blue", V1), "endpoint", "goes to green beside blue v1", "info"),
        (ev.Placed("r", "blue", None, None), "endpoint", "goes to blue", "info"),
        (ev.Placed("r", "green", "blue", None), "endpoint", "goes to green", "info"),
        (ev.Asked("r", 0, "go on?", 1.0), "asks", "go on?", "warning"),
        (ev.Answered("r", 0, False), "answer", "ada: no", "info"),
        (ev.Answered("r", 0, True), "answer", "ada: yes", "info"),
        (ev.Paused("r"), "release", "ada paused", "warning"),
        (ev.Resumed("r", True), "release", "ada resumed, step by step", "info"),
        (ev.Resumed("r"), "release", "ada resumed", "info"),
        (ev.Waved("r", 0), "train", "ada: next", "info"),
        (ev.TurnedBack("r", ev.Outcome.ROLLED_BACK, "rolled back"), "back", "rolling back, asked by ada", "warning"),
        (ev.TurnedBack("r", ev.Outcome.ABORTED, "aborted"), "back", "aborting, asked by ada", "warning"),
        (ev.TurnedBack("r", ev.Outcome.ABORTED, "a person said no"), "back",
         "a person said no, asked by ada", "warning"),
        (ev.TurnedBack("r", ev.Outcome.FAILED, "p95"), "back", "p95", "error"),
        (ev.TurnedForward("r"), "undo", "ada takes the rollback back", "warning"),
        (ev.Retried("r"), "release", "ada tries again", "info"),
        (ev.Aliased("r"), "registry", "aliases moved", "info"),
        (ev.Aliased("r", True), "registry", "aliases restored", "info"),
        (ev.Aliased("r", True, "no answer"), "registry", "no answer", "warning"),
        (ev.Ended("r", ev.Outcome.DONE), "release", "done", "info"),
        (ev.Ended("r", ev.Outcome.STUCK, "call a person"), "release", "stuck: call a person", "warning"),
        (ev.Ended("r", ev.Outcome.ROLLED_BACK, "rolled back"), "release", "rolled back", "warning"),
        (ev.Reported("r", "/runs/r"), "summary", "report in /runs/r", "info"),
        (ev.Judged("r", 0, (verdict(GateResult.FAIL),)), "gates", "fails: p95 why", "error"),
        (ev.Judged("r", 0, (verdict(GateResult.PASS),)), "gates", "1 gates hold", "info"),
        (ev.Judged("r", 0, (verdict(GateResult.ERROR),)), "gates", "error: p95 why", "info"),
        (ev.Judged("r", 0, (verdict(GateResult.FAIL, True),)), "gates", "0 gates hold", "info"),
        (ev.Verified("late", {"blue": 90, "green": 10}, 41.6, 20, "key", "r"), "traffic",
         "blue 90 %, green 10 %, verified 42 ms after the key by 20 answers", "info"),
        (ev.Verified("late", {"blue": 100}, 288_310.0, 20, "key", "r"), "traffic",
         "blue 100 %, verified 4.8 min after the key by 20 answers", "info"),
        (ev.RetireDue("late", "blue", 1.0), "retire", f"blue goes on {CLOCK}", "info"),
        (ev.RetireDue("late", "blue", 1e300), "retire", "blue goes some day", "info"),
        (ev.Removed("late", "blue"), "retire", "blue drains and goes", "info"),
        (ev.Opened("late", "http://x"), "endpoint", "answers at http://x", "info"),
        (ev.Looked("late", Scaled("blue", 1.0, 2, 4, "cpu")), "scaling", "blue 2 → 4: cpu", "warning"),
        (ev.Remarked("late", Noted("died", Level.ERROR, "blue")), "blue", "died", "error"),
        (ev.Remarked("late", Noted("slow", Level.WARNING, "blue", "router")), "router", "slow", "warning"),
        (ev.Remarked("late", Noted("back")), "target", "back", "info"),
        (ev.Logged("late", "train", "a line"), "train", "a line", "info"),
        (ev.LoadStarted("late", "test", PROFILE, "rows"), "load", "test: 50 users for 60 s · rows", "info"),
        (ev.LoadStarted("late", "manual", LoadProfile("steady", 5, 5.0, None)), "load", "manual: 5 users", "info"),
        (ev.LoadStarted("late", "manual", PROFILE, source=LoadSource(attach="http://l")), "load",
         "follows the Locust at http://l", "info"),
        (ev.LoadWanted("late", paused=False), "load", "ada: resumed", "info"),
        (ev.LoadWanted("late", spawn_rate=0.5), "load", "ada: 0.5 a second", "info"),
        (ev.LoadWanted("late", 9, 2.0, True, True, True), "load",
         "ada: 9 users, 2 a second, paused, figures reset, stop", "info"),
        (ev.LoadEnded("late", "test", "stopped", how=LoadOutcome.STOPPED), "load", "test load ended: stopped", "info"),
        (ev.LoadEnded("late", "test", "", how=LoadOutcome.FINISHED), "load", "test load ended", "info"),
        (ev.LoadEnded("late", "test", "", how=LoadOutcome.FINISHED, verdicts=(verdict(GateResult.PASS),)), "load",
         "test load ended", "info"),
        (ev.LoadEnded("late", "test", "", how=LoadOutcome.FINISHED, verdicts=(verdict(GateResult.FAIL),)), "load",
         "test load ended", "warning"),
        (ev.LoadEnded("late", "test", "its driver is gone"), "load", "test load ended: its driver is gone", "warning"),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "__dataclass_fields__") else "",
)  # fmt: skip
def test_a_fact_in_words(body: ev.Body, source: str, text: str, level: str) -> None:
    said = message_of(ev.Event(1, 1.0, "ada", body), ("train",))
    assert said is not None
    assert (said.source, said.text, said.level) == (source, text, level)


@pytest.mark.parametrize(
    "body",
    [
        ev.StepMoved("r", 0, "half"),
        ev.Looked("late", Scaled("blue", 1.0, 2, 2, "tolerance")),
        ev.Drove("late", "ada"),
        ev.Routed("late", {"blue": 100.0}, "r"),
    ],
)
def test_what_a_pane_shows_better_has_no_words(body: ev.Body) -> None:
    assert message_of(ev.Event(1, 1.0, "ada", body)) is None


@settings(max_examples=60, deadline=None)
@given(BODIES)
def test_any_fact_can_be_put_into_words(body: ev.Body) -> None:
    said = message_of(ev.Event(1, 1.0, "ada", body))
    assert said is None or (said.level in {"info", "warning", "error"} and isinstance(said.text, str))


def test_the_verdicts_that_matter_most_are_named() -> None:
    passed, waits = verdict(GateResult.PASS), verdict(GateResult.INCONCLUSIVE)
    assert judged((passed, waits)) == "waits: p95 why"
    assert judged((waits, verdict(GateResult.ERROR))) == "error: p95 why"
    assert judged((passed, passed, verdict(GateResult.FAIL, dry_run=True))) == "2 gates hold"
    assert judged((passed, passed, verdict(GateResult.PASS, dry_run=True))) == "2 gates hold"
    assert judged((verdict(GateResult.FAIL),) * 4) == "fails: p95 why; p95 why; p95 why"


def test_a_share_of_nothing_is_said() -> None:
    assert share({}) == "no slot"


def test_what_failed_in_a_load_is_said_with_its_most_frequent_kinds() -> None:
    raised = {"B": 1, "C": 1, "D": 1, "E": 1, "KeyError: 'a'": 8458, "F": 1, "G": 1}
    total = Sample(None, 1.0, 1, {"HTTP 500": 2}, errors=raised)
    ended = ev.LoadEnded("late", "manual", "it ran its 20 s", how=LoadOutcome.FINISHED, total=total)
    said = message_of(ev.Event(1, 1.0, "ada", ended))
    assert said is not None
    assert said.text == (
        "manual load ended: it ran its 20 s · 2 failed: HTTP 500 (2) · "
        "8,464 exceptions: KeyError: 'a' (8,458), B (1), C (1), D (1), E (1) and 2 more"
    )


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, " and 1 more"), (7, " and 2 more")])
def test_five_kinds_are_named_and_the_others_counted(count: int, more: str) -> None:
    (said,) = kinds(Sample(None, 1.0, failed={f"HTTP 50{n}": 9 - n for n in range(count)}))
    named = ", ".join(f"HTTP 50{n} ({9 - n})" for n in range(5))
    assert said == f"{sum(9 - n for n in range(count))} failed: {named}{more}"

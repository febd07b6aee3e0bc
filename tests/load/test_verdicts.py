"""What a load's end is worth, and how long it ran by our clock."""

import pytest

from core.domain.gates import Gate
from core.domain.histogram import Histogram
from core.domain.load_profile import LoadOutcome
from core.domain.sample import Sample
from core.load.load import LoadResult
from core.load.run_clock import OVERTIME_LOOKS, SILENT_LOOKS, RunClock
from core.load.verdicts import verdicts

LIMITS = (Gate("failed_percent", "<", 1.0, at_least=1),)


def result(
    how: str, ran_s: float, wanted_s: float | None, ok: int = 100, errors: int = 0, exit_code: int = 0
) -> LoadResult:
    """A run that went like this."""
    kinds = {"KeyError: 'nobody'": errors} if errors else {}
    total = Sample(None, 0.0, ok, latency=Histogram.of([5.0] * ok), errors=kinds)
    return LoadResult(total, ran_s, (), "because", LoadOutcome(how), wanted_s, exit_code)


@pytest.mark.parametrize(
    ("how", "ran_s", "wanted_s", "outcome", "why"),
    [
        ("finished", 20.1, 20.0, "PASS", "20 of 20 s"),
        ("finished", 19.2, 20.0, "PASS", "19 of 20 s"),
        ("finished", 4.0, 20.0, "FAIL", "4 of 20 s: because"),
        ("shape ended", 9.0, None, "PASS", "9 s: because"),
        ("stopped", 4.0, 20.0, "INCONCLUSIVE", "4 of 20 s: because"),
        ("stopped", 4.0, None, "PASS", "4 s: because"),
        ("let go", 4.0, None, "PASS", "4 s: because"),
        ("let go", 4.0, 20.0, "INCONCLUSIVE", "4 of 20 s: because"),
        ("exited", 4.0, None, "FAIL", "4 s: because"),
        ("exited", 20.0, 20.0, "FAIL", "20 of 20 s: because"),
        ("killed", 20.0, 20.0, "FAIL", "20 of 20 s: because"),
        ("hung", 20.0, 20.0, "FAIL", "20 of 20 s: because"),
        ("gone", 4.0, None, "FAIL", "4 s: because"),
        ("not begun", 0.0, 20.0, "FAIL", "0 of 20 s: because"),
    ],
)
def test_what_an_end_is_worth(how: str, ran_s: float, wanted_s: float | None, outcome: str, why: str) -> None:
    complete = verdicts(result(how, ran_s, wanted_s), LIMITS)[0]
    assert (complete.outcome.value, complete.why) == (outcome, why)


@pytest.mark.parametrize("how", list(LoadOutcome))
@pytest.mark.parametrize("wanted_s", [None, 20.0])
def test_without_a_request_nothing_passes_however_it_ended(how: LoadOutcome, wanted_s: float | None) -> None:
    for gates in ((), LIMITS):
        assert verdicts(result(how, 20.0, wanted_s, ok=0), gates)[0].outcome.value != "PASS"


@pytest.mark.parametrize("code", [1, 3, -9])
def test_an_exit_code_fails_what_would_have_passed(code: int) -> None:
    assert verdicts(result("finished", 20.0, 20.0, exit_code=code), LIMITS)[0].outcome.value == "FAIL"


@pytest.mark.parametrize(
    ("ok", "errors", "outcome"), [(100, 0, "PASS"), (1000, 5, "PASS"), (100, 2, "FAIL"), (0, 8458, "FAIL")]
)
def test_exceptions_are_held_to_the_limit_for_failures(ok: int, errors: int, outcome: str) -> None:
    last = verdicts(result("finished", 20.0, 20.0, ok, errors), LIMITS)[-1]
    assert (last.gate.name, last.outcome.value) == ("exceptions", outcome)


class Clock:
    """A clock that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def clock(wanted_s: float | None) -> tuple[RunClock, Clock]:
    """A run that has just begun."""
    now = Clock()
    run = RunClock(now)
    run.begin(wanted_s)
    return run, now


def test_the_time_that_counts_is_until_it_was_heard_last_without_pauses() -> None:
    run, now = clock(20.0)
    now.now_s += 3
    run.heard()
    run.pause()
    run.pause()
    now.now_s += 50
    run.heard()
    assert run.ran_s == 3
    run.resume()
    run.resume()
    now.now_s += 2
    run.heard()
    now.now_s += 4
    assert run.ran_s == 5


def test_silence_is_counted_in_looks_and_not_while_nobody_looked() -> None:
    run, now = clock(None)
    now.now_s += 1000
    assert run.look() == "", "this process stood still, not Locust"
    for _ in range(SILENT_LOOKS - 1):
        assert run.look() == ""
    assert run.look() == f"it hung: nothing was heard of it for {SILENT_LOOKS} s"
    run.heard()
    assert run.look() == ""


@pytest.mark.parametrize("asked", [False, True])
def test_a_run_that_goes_on_after_its_time_or_its_stop_hangs(asked: bool) -> None:
    run, now = clock(None if asked else 20.0)
    if asked:
        run.ending()
    now.now_s += 20
    for _ in range(OVERTIME_LOOKS):
        run.heard()
        assert run.look() == ""
    run.heard()
    assert run.look() == f"it hung: it should have ended {OVERTIME_LOOKS} s ago"


def test_before_it_has_begun_nothing_is_late() -> None:
    run = RunClock()
    assert [run.look() for _ in range(50)] == [""] * 50
    assert run.ran_s == 0

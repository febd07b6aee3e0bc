"""Counting and steering, without a Locust."""

from typing import Any

import pytest

from core.config.profiles import PROFILES, profile
from core.domain.errors import BadInput
from core.domain.histogram import Histogram
from core.domain.load_profile import LoadStage
from core.load.samples import sample_of
from core.load.steering import LoadShape
from core.load.tally import MOST_KINDS, Tally, failure_kind


class Answer:
    """As much of a response as is looked at."""

    def __init__(self, status_code: int = 200, headers: Any = None):
        self.status_code = status_code
        self.headers = headers


class CatchResponseError(Exception):
    """Named as Locust's own, which can't be imported beside a test."""


class RetriesExceeded(Exception):
    """Named as geventhttpclient's own, which has what it met last."""

    def __init__(self, original: BaseException | None = None) -> None:
        super().__init__("http://late.example")
        self.original = original


@pytest.mark.parametrize(
    ("exception", "answer", "kind"),
    [
        (ConnectionRefusedError(111, "refused by 10.0.0.1"), Answer(0), "connection refused"),
        (RetriesExceeded(), Answer(0), "no answer"),
        (RetriesExceeded(TimeoutError("timed out")), Answer(0), "no answer in time"),
        (ZeroDivisionError("by zero"), Answer(0), "ZeroDivisionError"),
        (RuntimeError("500 Server Error"), Answer(500), "HTTP 500"),
        (CatchResponseError("wrong label\nfor row 3"), Answer(200), "wrong label"),
        (CatchResponseError("wrong label"), Answer(500), "wrong label"),
        ("said in words", None, "said in words"),
        ("x" * 200, None, "x" * 89 + "…"),
    ],
)
def test_a_failure_is_counted_under_what_one_would_call_it(exception: Any, answer: Any, kind: str) -> None:
    assert failure_kind(exception, answer) == kind


def test_what_workers_counted_adds_up_to_what_one_process_would_have() -> None:
    seen = [
        (12.0, Answer(200, {"x-model-version": "7"}), None),
        (900.0, Answer(503, {"x-model-version": "8"}), RuntimeError()),
        (3.0, Answer(200, {"x-model-version": ["8", "8"], "x-label": "yes"}), None),
        (None, None, None),
        (5.0, Answer(200, headers=[("x-model-version", "7")]), None),
    ]
    alone, master = Tally(), Tally()
    for ms, answer, exception in seen:
        alone.request(ms, answer, exception, 5.0)
        worker = Tally()
        worker.request(ms, answer, exception, 5.0)
        master.merge(worker.take())
    alone.error(ValueError("in a task"))
    worker = Tally()
    worker.error(ValueError("in a task"))
    master.merge(worker.take())

    figures = alone.take()
    assert master.take() == figures
    assert alone.empty
    assert master.empty
    assert (figures["ok"], figures["failed"]) == (4, {"HTTP 503": 1})
    assert figures["mix"] == {
        "version:7": 1,
        "version:8": 1,
        "version:['8', '8']": 1,
        "label:yes": 1,
    }
    assert figures["errors"] == {"ValueError: in a task": 1}
    assert Histogram(figures["counts"], figures["sum_ms"], figures["min_ms"], figures["max_ms"]) == Histogram.of(
        [12.0, 900.0, 3.0, 5.0]
    )


def test_kinds_without_end_are_counted_as_other() -> None:
    tally = Tally()
    for number in range(MOST_KINDS + 5):
        tally.request(1.0, None, f"row {number} is wrong", 5.0)
    failed = tally.take()["failed"]
    assert len(failed) == MOST_KINDS + 1
    assert failed["other"] == 5
    tally.request(1.0, None, "row 3 is wrong", 5.0)
    assert tally.take()["failed"] == {"row 3 is wrong": 1}, "a kind keeps its name for the run"


def test_the_moment_of_the_last_answer_is_kept_and_what_was_given_up_is_none() -> None:
    worker, master = Tally(), Tally()
    worker.request(5.0, Answer(200), None, 10.0)
    worker.request(5.0, Answer(503), RuntimeError(), 10.2)
    worker.request(2000.0, Answer(0), TimeoutError(), 10.9)
    worker.request(1.0, None, ConnectionRefusedError(), 10.95)
    master.merge(worker.take())
    master.merge(Tally().take())
    line = {**master.take(), "at": 11.0, "users": 3, "seconds": 1.0}
    assert sample_of(line).quiet_s == pytest.approx(0.8)
    assert sample_of({**line, **master.take()}).quiet_s is None, "a second without an answer has no last one"


def steering(stages: Any = (), shape: str = "") -> tuple[LoadShape, list[tuple[int, float]]]:
    """A steering, and what it asks for."""
    asked: list[tuple[int, float]] = []
    return LoadShape(lambda users, rate: asked.append((users, rate)), 10, 2.0, stages, shape), asked


def command(do: str, users: int = 0, spawn_rate: float | None = None) -> dict[str, Any]:
    """A command as it arrives."""
    return {"do": do, "users": users, "spawn_rate": spawn_rate}


def test_users_asked_for_in_a_pause_come_with_its_end() -> None:
    it, asked = steering()
    for one in (command("resume"), command("pause"), command("pause"), command("users", 7), command("resume")):
        assert it.obey(one) is None
    assert asked == [(0, 10.0), (7, 2.0)]
    it.obey(command("users", 9, 50))
    it.obey(command("users", 8))
    assert asked[2:] == [(9, 50), (8, 50)]


def test_stages_come_in_their_order_and_wait_for_the_end_of_a_pause() -> None:
    it, asked = steering([(20, 50, 10), (0, 5, 5), (40, 100, 10)])
    it.at(0.0)
    it.at(19.9)
    assert asked == [(5, 5)]
    it.obey(command("pause"))
    it.at(45.0)
    it.obey(command("resume"))
    assert asked == [(5, 5), (0, 5.0), (100, 10)]


def test_where_a_shape_decides_nobody_else_does() -> None:
    it, asked = steering(shape="Stairs")
    for do in ("users", "pause", "resume"):
        assert it.obey(command(do)) == "the shape Stairs of the locustfile decides how many users there are"
    assert asked == []


def test_every_profile_that_has_a_name_can_be_run() -> None:
    for name in PROFILES:
        assert profile(name).name == name
    assert (profile("steady").users, profile("steady").spawn_rate, profile("steady").duration_s) == (50, 5, 60)
    assert profile("custom", users=7, duration_s=None).duration_s is None


@pytest.mark.parametrize(
    ("name", "overrides", "says"),
    [
        ("stedy", {}, "load profile 'stedy' is none of steady, busy, peak, high, steps, custom; did you mean steady?"),
        ("steady", {"user": 3}, "user is none of name, users, .*; did you mean users?"),
        ("steady", {"qqq": 3}, "qqq is none of name, users, [a-z_, ]*$"),
        ("steady", {"users": 0}, "load profile steady: users is 0; it takes 1 or more"),
        ("steady", {"spawn_rate": 0}, "spawn_rate is 0; it takes more than 0 a second"),
        ("steady", {"duration_s": -1}, "duration_s is -1; it takes more than 0, or none"),
        ("steps", {"stages": (LoadStage(5, -1, 1),)}, "the stage at 5 s needs users and a spawn_rate"),
    ],
)
def test_a_profile_that_can_not_be_run_is_refused_in_a_line(name: str, overrides: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        profile(name, **overrides)

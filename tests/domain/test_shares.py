"""Gates on what the rows were, what a version says of them, and what its replicas use."""

import random
from collections import Counter
from dataclasses import replace
from math import log, sqrt

import pytest

from core.domain.figures import Inputs, Use
from core.domain.gates import Gate, GateResult
from core.domain.intervals import sure_difference
from core.domain.judging import judge
from core.domain.sample import Sample
from core.domain.shares import mix_of

MIX = Gate("mix_points", "<", 5.0, "live", at_least=20)
UNKNOWN = Gate("unknown_percent", "<", 1.0, at_least=20)


def saying(requests: int, **labels: int) -> Sample:
    return Sample("green", 1.0, requests, mix={"version:2": requests, **{f"label:{k}": v for k, v in labels.items()}})


def of_rows(requests: int, rows: int, unknown: int) -> Sample:
    return Sample("green", 1.0, requests, inputs=Inputs(rows, unknown, rows, unknown))


@pytest.mark.parametrize(
    ("new", "live", "outcome", "why"),
    [
        (saying(0), saying(500, yes=500), "INCONCLUSIVE", "0 of 20 requests"),
        (saying(50), saying(500, yes=500), "INCONCLUSIVE", "0 of 20 requests"),
        (saying(50, yes=50), saying(10, yes=10), "INCONCLUSIVE", "10 of 20 requests on live"),
        (saying(50, yes=50), saying(50), "INCONCLUSIVE", "0 of 20 requests on live"),
        (saying(50, yes=11, no=39), saying(500, yes=100, no=400), "PASS",
         "no 78.0 % against live's 80.0 %: 2.0 points is < 5 points over 50 requests"),
        (saying(50, yes=14, no=36), saying(500, yes=100, no=400), "PASS",
         "no 72.0 % against live's 80.0 %: 8.0 points may be chance over 50 requests"),
        (saying(1000, yes=270, no=730), saying(9000, yes=1800, no=7200), "INCONCLUSIVE",
         "no 73.0 % against live's 80.0 %: 7.0 points: not sure yet over 1000 requests"),
        (saying(1000, yes=350, no=650), saying(9000, yes=1800, no=7200), "FAIL",
         "no 65.0 % against live's 80.0 %: 15.0 points is not < 5 points over 1000 requests"),
        (saying(200, yes=200), saying(200, no=200), "FAIL",
         "no 0.0 % against live's 100.0 %: 100.0 points is not < 5 points over 200 requests"),
    ],
)  # fmt: skip
def test_what_two_slots_say_may_differ_by_so_many_points(new: Sample, live: Sample, outcome: str, why: str) -> None:
    verdict = judge(MIX, new, live)
    assert (verdict.outcome.value, verdict.why) == (outcome, why)
    assert (verdict.value is None) == ("points" not in why)


def test_a_hundred_rows_in_one_request_are_one_opinion() -> None:
    one_caller, many = saying(1, yes=1000), saying(9000, no=9000)
    assert judge(MIX, one_caller, many).why == "1 of 20 requests"
    few, all_ = mix_of(saying(30, yes=3000), saying(30, no=3000)), mix_of(saying(3000, yes=3000), saying(3000, no=3000))
    assert few.points == all_.points == 100
    assert few.sure_points < all_.sure_points


def test_the_same_mix_fails_nobody_however_often_it_is_looked_at() -> None:
    """Sixty releases of ten minutes each, three labels, a look a second: none of them differs."""
    draw, stopped = random.Random(5), 0
    for _ in range(60):
        new, live = Counter[str](), Counter[str]()
        for second in range(1, 601):
            new.update(draw.choices(("a", "b", "c"), (6, 3, 1), k=3))
            live.update(draw.choices(("a", "b", "c"), (6, 3, 1), k=27))
            said = judge(MIX, saying(3 * second, **new), saying(27 * second, **live)).outcome if second % 5 == 0 else ""
            if said is GateResult.FAIL:
                stopped += 1
                break
    assert stopped == 0


@pytest.mark.parametrize(
    ("gate", "new", "live", "outcome", "why"),
    [
        (UNKNOWN, of_rows(0, 0, 0), None, "INCONCLUSIVE", "0 of 20 requests"),
        (UNKNOWN, Sample("green", 1.0, 500), None, "INCONCLUSIVE", "0 of 20 requests"),
        (UNKNOWN, of_rows(500, 500, 0), None, "PASS", "0.0 % of 500 is < 1 %"),
        (UNKNOWN, of_rows(500, 500, 6), None, "INCONCLUSIVE", "1.2 % of 500: not sure yet"),
        (UNKNOWN, of_rows(500, 500, 50), None, "FAIL", "10.0 % of 500 is not < 1 %"),
        (UNKNOWN, of_rows(2, 500, 500), None, "INCONCLUSIVE", "2 of 20 requests"),
        (replace(UNKNOWN, metric="out_of_range_percent"), of_rows(500, 500, 50), None, "FAIL",
         "10.0 % of 500 is not < 1 %"),
        (replace(UNKNOWN, against="live"), of_rows(500, 500, 50), of_rows(500, 500, 50), "PASS",
         "+0.0 points is < 1 points over 500 requests"),
        (replace(UNKNOWN, against="live"), of_rows(500, 500, 100), of_rows(500, 500, 5), "FAIL",
         "+19.0 points is not < 1 points over 500 requests"),
        (replace(UNKNOWN, against="live"), of_rows(500, 500, 100), Sample("blue", 1.0, 500), "INCONCLUSIVE",
         "0 of 20 requests on live"),
        (replace(UNKNOWN, op=">"), of_rows(500, 500, 50), None, "ERROR",
         "unknown_percent >: such a share takes < or <="),
    ],
)  # fmt: skip
def test_rows_the_model_has_not_seen_the_like_of(
    gate: Gate, new: Sample, live: Sample | None, outcome: str, why: str
) -> None:
    verdict = judge(gate, new, live)
    assert (verdict.outcome.value, verdict.why) == (outcome, why)


def test_what_replicas_use_is_judged_and_what_was_not_measured_passes_nothing() -> None:
    memory, cpu = (Gate(name, "<", 80.0, at_least=1) for name in ("memory_percent", "cpu_percent"))
    using = replace(saying(10), use=Use(4, 4 * 60.0, 91.0))
    assert judge(memory, using, None).why == "91 % is not < 80 % over 10 requests"
    assert judge(cpu, using, None).why == "60 % is < 80 % over 10 requests"
    idle = replace(using, use=Use(10, 0.0, 91.0))
    assert judge(replace(cpu, against="live"), using, idle).why == "live is 0: no change in percent"
    only_memory = replace(saying(10), use=Use(0, 0.0, 10.0))
    assert judge(memory, only_memory, None).outcome is GateResult.PASS
    for bare in (only_memory, saying(10)):
        assert (judge(cpu, bare, None).outcome, judge(cpu, bare, None).why) == (
            GateResult.INCONCLUSIVE,
            "not measured",
        )
    grown, now = replace(saying(10), use=Use(1, 60.0, 30.0)), replace(saying(50), use=Use(1, 60.0, 20.0))
    assert judge(Gate("memory_percent", "<", 25.0, "live", at_least=1), grown, now).why.startswith(
        "+50.0 % is not < 25 %"
    )


def test_memory_is_as_it_was_seen_last_and_cpu_is_a_mean() -> None:
    first = replace(saying(1), at=1.0, use=Use(1, 20.0, 30.0))
    second = replace(saying(1), at=2.0, use=Use(3, 180.0, 70.0))
    for total in (first + second, second + first):
        assert total.use == Use(4, 200.0, 70.0)
    assert (first + replace(saying(1), at=3.0)).use == first.use


def test_an_answer_that_no_version_gave_is_unavailable_and_an_error_of_its_own_is_not() -> None:
    gate = Gate("availability_percent", ">=", 99.0, at_least=1)
    own = Sample("green", 1.0, 90, {"500": 10})
    assert judge(gate, own, None).outcome is GateResult.PASS
    away = Sample("green", 1.0, 90, {"connect": 4, "503": 3, "timeout": 3})
    assert judge(gate, away, None).why == "90 % is not >= 99 % over 100 requests"


def test_a_share_by_itself_is_a_figure_like_any_other_where_nothing_must_be_sure() -> None:
    refused = Sample("green", 1.0, 90, refused={"422": 10})
    gate = Gate("unprocessable_percent", "<", 5.0, at_least=1)
    assert judge(gate, refused, None).why == "10 % is not < 5 % over 100 requests"
    assert judge(replace(gate, at_least=0), Sample("green", 1.0), None).why == "0 of 1 requests"


def test_fewer_rows_than_requests_are_as_many_as_they_are() -> None:
    assert judge(UNKNOWN, of_rows(500, 100, 50), None).why == "50.0 % of 100 is not < 1 %"
    assert judge(UNKNOWN, of_rows(500, 19, 19), None).why == "19 of 20 requests"


def test_the_bound_is_as_much_wider_as_more_labels_are_more_chances() -> None:
    two = mix_of(saying(100, a=60, b=40), saying(900, a=450, b=450))
    z = sqrt(3.5**2 + 2 * log(2))
    assert (two.label, two.new, two.live, two.points) == ("a", 60.0, 50.0, 10.0)
    assert two.sure_points == pytest.approx(100 * sure_difference(60, 100, 450, 900, z))
    new_one = mix_of(saying(100, a=60, b=30, c=10), saying(900, a=540, b=360))
    z = sqrt(3.5**2 + 2 * log(3))
    assert (new_one.label, new_one.live) == ("b", 40.0)
    assert new_one.sure_points == pytest.approx(
        100 * max(sure_difference(10, 100, 0, 900, z), sure_difference(360, 900, 30, 100, z))
    )


def test_live_needs_as_many_answers_and_at_least_one() -> None:
    assert judge(MIX, saying(50, yes=50), saying(20, yes=20)).outcome is GateResult.PASS
    none_wanted = replace(MIX, at_least=0)
    assert judge(none_wanted, saying(1, yes=1), saying(1, yes=1)).outcome is GateResult.PASS
    assert judge(none_wanted, saying(1, yes=1), saying(0)).why == "0 of 1 requests on live"

"""The router's counters become samples, and processes' figures averages."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import Unreachable
from core.targets.local import stats, traffic
from core.targets.local.routes import Table
from core.targets.local.usage import UsageMeter, UsageMeters
from tests.targets.helpers import spec_in

# Counters


def counted(*entries: tuple[str, int], took: dict[str, list[tuple[float, float, int]]] | None = None) -> bytes:
    """What the router's admin socket would say."""
    plain: list[dict[str, object]] = [{"name": name, "value": value} for name, value in entries]
    details = [
        {"name": name, "totals": [{"lower_bound": low, "width": width, "count": n} for low, width, n in parts]}
        for name, parts in (took or {}).items()
    ]
    return json.dumps({"stats": [*plain, {"histograms": {"details": details}}]}).encode()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("user.answers.route.split.slot.blue.code.200.flags.-", ""),
        ("user.answers.route.split.slot.blue.code.302.flags.-", ""),
        ("user.answers.route.split.slot.blue.code.422.flags.-", "422"),
        ("user.answers.route.split.slot.blue.code.500.flags.-", "500"),
        ("user.answers.route.split.slot.blue.code.503.flags.UH", "no replica"),
        ("user.answers.route.split.slot.blue.code.503.flags.UF,URX", "connect"),
        ("user.answers.route.split.slot.blue.code.503.flags.UC", "reset"),
        ("user.answers.route.split.slot.blue.code.504.flags.UT", "timeout"),
        ("user.answers.route.split.slot.blue.code.503.flags.UR", "reset"),
        ("user.answers.route.split.slot.blue.code.504.flags.UMSDR", "timeout"),
        ("user.answers.route.pinned.slot.blue.code.200.flags.-", ""),
        ("cluster.blue-mirror.upstream_rq_200", ""),
        ("cluster.blue-mirror.upstream_rq_500", "500"),
    ],
)
def test_answers_are_counted_by_kind(name: str, kind: str) -> None:
    assert dict(stats.read(counted((name, 3)))["blue"].kinds) == {kind: 3}


@pytest.mark.parametrize(
    "name",
    [
        "user.answers.route.split.slot.blue.code.0.flags.DC",
        "user.answers.route.split.slot..code.503.flags.-",
        "user.answers.route.split.slot.blue.code.400.flags.DPE",
        "user.answers.route.probe.slot.blue.code.200.flags.-",
        "user.answers.route.metrics.slot.metrics_page.code.200.flags.-",
        "x",
    ],
)
def test_who_left_what_is_no_slot_and_what_the_host_asked_are_not_counted(name: str) -> None:
    assert stats.read(counted((name, 3))) == {}


def test_who_gave_up_waiting_is_counted_but_not_who_sent_for_long() -> None:
    times = [(0.0, 0.1, 3), (40.0, 1.0, 1), (1900.0, 100.0, 5)]
    found = stats.read(counted(took={f"user.gave_up.route.{who}.slot.blue": times for who in ("split", "probe")}))
    assert found == {"blue": stats.Totals({"gave up": 4})}


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"stats": [3]}', b'{"stats": [{"histograms": 3}]}', b"{}"])
def test_an_odd_answer_of_the_router_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unreachable, match="counters can't be read"):
        stats.read(body)


def test_the_routers_files_are_its_owners_alone(tmp_path: Path) -> None:
    talk: dict[str, Any] = {"note": print, "proved": print, "spawn": print}
    traffic.Traffic(spec_in(tmp_path), 1, Table(), pools={}, key=str, **talk)
    assert (tmp_path / "router").stat().st_mode & 0o777 == 0o700


def test_latencies_are_in_milliseconds() -> None:
    times = {
        "user.took.route.split.slot.blue.code.200.flags.-": [(1500.0, 100.0, 2)],
        "cluster.green-mirror.upstream_rq_time": [(7.0, 0.1, 1), (20.0, 2.0, 1)],
    }
    totals = stats.read(counted(took={**times, "cluster.green.upstream_rq_time": [(1.0, 1.0, 9)]}))
    assert dict(totals["blue"].took) == {1.55: 2}
    assert dict(totals["green"].took) == {7.5: 1, 21.0: 1}


@pytest.mark.parametrize("what", ["404.flags.-", "422.flags.-", "0.flags.DC", "200.flags.DC", ".flags.-"])
def test_how_long_a_refusal_took_says_nothing_of_the_version(what: str) -> None:
    name = f"user.took.route.split.slot.blue.code.{what}"
    assert stats.read(counted(took={name: [(5.0, 1.0, 100)]})) == {}


def test_what_the_caller_did_is_counted_apart() -> None:
    total = stats.Totals({"": 90, "500": 10, "404": 700, "422": 5, "409": 1})
    (one,) = stats.TrafficMeter(at=0.0).samples(1, {"blue": total}, {"blue": "version:1"}, 1.0)
    assert (one.ok, dict(one.failed), dict(one.refused)) == (90, {"500": 10, "409": 1}, {"404": 700, "422": 5})
    assert (one.requests, one.asked, one.mix["version:1"]) == (101, 106, 806)


def test_copies_are_counted_and_those_that_had_no_room_are_nobodys_failure() -> None:
    name = "cluster.green-mirror.upstream_rq_"
    totals = stats.read(
        counted((f"{name}200", 40), (f"{name}422", 2), (f"{name}503", 12), (f"{name}pending_overflow", 9))
    )
    assert totals["green"] == stats.Totals({"": 40, "422": 2, "503": 3}, {}, mirrored=45, not_made=9)
    (one,) = stats.TrafficMeter(at=0.0).samples(1, totals, {"green": "version:2"}, 1.0)
    assert (one.ok, dict(one.failed), dict(one.refused), one.mirrored) == (40, {"503": 3}, {"422": 2}, 45)


def test_a_slot_that_only_refuses_is_still_told_of() -> None:
    meter = stats.TrafficMeter(at=0.0)
    told = [len(meter.samples(1, {"blue": stats.Totals({"404": 9 * at})}, {}, float(at))) for at in range(1, 8)]
    assert told == [1] * 7


def test_samples_are_differences_and_start_again_with_the_router() -> None:
    meter = stats.TrafficMeter(at=100.0)
    first = {"blue": stats.Totals({"": 5, "500": 1}, {2.0: 6})}
    second = {"blue": stats.Totals({"": 9, "500": 1}, {2.0: 9, 3.0: 1})}
    (one,) = meter.samples(1, first, {"blue": "version:1"}, 101.0)
    (two,) = meter.samples(1, second, {"blue": "version:1"}, 103.0)
    (three,) = meter.samples(2, {"blue": stats.Totals({"": 2})}, {}, 104.0)
    assert (one.at, one.ok, dict(one.failed), dict(one.mix), one.latency.count) == (
        101.0, 5, {"500": 1}, {"version:1": 6}, 6)  # fmt: skip
    assert (two.ok, dict(two.failed), two.seconds, two.rps, two.latency.count) == (4, {}, 2.0, 2.0, 4)
    assert (three.ok, dict(three.mix)) == (2, {})


def test_zeros_are_told_for_three_seconds_and_then_nothing() -> None:
    meter = stats.TrafficMeter(at=0.0)
    told = [len(meter.samples(1, {"blue": stats.Totals({"": 4})}, {}, float(at))) for at in range(1, 8)]
    assert told == [1, 1, 1, 1, 0, 0, 0]
    assert stats.TrafficMeter(at=0.0).samples(1, {"blue": stats.Totals({"": 0})}, {}, 1.0) == []


# Figures


def test_figures_need_a_whole_window() -> None:
    meter = UsageMeter((1, None))
    meter.seen.extend([(0.0, 1.0, 50.0), (1.0, 1.1, 52.0), (2.0, 1.3, 54.0)])
    cpu, memory = meter.figures(2.0) or (None, None)
    assert cpu is not None
    assert memory is not None
    assert cpu.value == pytest.approx(150)
    assert (memory.value, cpu.at_s, cpu.window_s) == (52.0, 2.0, 2.0)
    assert meter.figures(5.0) is None
    assert UsageMeter((1, None)).figures(1.0) is None


def test_where_looks_come_late_the_window_is_longer_and_says_so() -> None:
    """A machine that is busy looks seldom, and that is when the autoscaler needs the figures."""
    meter = UsageMeter((1, None))
    meter.seen.extend([(0.0, 1.0, 50.0), (2.5, 1.5, 50.0), (5.0, 2.5, 50.0)])
    cpu, _ = meter.figures(1.0) or (None, None)
    assert cpu is not None
    assert cpu.value == pytest.approx(400)
    assert cpu.window_s == 2.5
    cpu, _ = meter.figures(3.0) or (None, None)
    assert cpu is not None
    assert cpu.value == pytest.approx(300)
    assert cpu.window_s == 5.0


def test_a_process_that_has_gone_is_not_measured() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    meters = UsageMeters()
    meters.look({"mine": (os.getpid(), None), "gone": (gone.pid, None)})
    assert meters.figures(0.0) == {}

"""A CPU limit holds what it says: simulated to the millisecond, and over a process that burns all it can."""

import os
import signal
import subprocess
import sys
import time

import pytest

from core.system.cpu_time import cpu_seconds
from core.targets.local.bucket import PERIOD_S, TICK_S, Bucket


def run(cpu_m: int, seconds: float, *, threads: float = 1.0, late_s: float = 0.0) -> tuple[float, float]:
    """The share that a greedy process gets, and its longest rest, in a world where looks come late by so much."""
    now_s = used_s = 0.0
    bucket = Bucket.of(cpu_m, now_s, used_s)
    longest_s = rest_s = 0.0
    while now_s < seconds:
        wait_s = bucket.look(now_s, used_s) + late_s
        used_s += wait_s * threads if bucket.running else 0.0
        rest_s = 0.0 if bucket.running else rest_s + wait_s
        longest_s = max(longest_s, rest_s)
        now_s += wait_s
    return used_s / now_s, longest_s


@pytest.mark.parametrize("cpu_m", [10, 50, 100, 200, 250, 500, 900, 1000, 1500])
@pytest.mark.parametrize("threads", [1.0, 3.0])
@pytest.mark.parametrize("late_s", [0.0, 0.003, 0.02])
def test_a_greedy_process_gets_its_share(cpu_m: int, threads: float, late_s: float) -> None:
    share, _ = run(cpu_m, 400.0, threads=threads, late_s=late_s)
    assert share == pytest.approx(min(cpu_m / 1000, threads), rel=0.02)


def test_a_turn_takes_a_period() -> None:
    _, longest_s = run(200, 10.0)
    assert longest_s == pytest.approx(PERIOD_S * 0.8, rel=0.1)


def test_an_idle_process_saves_one_period_and_no_more() -> None:
    bucket = Bucket.of(200, 0.0, 0.0)
    assert bucket.look(100.0, 0.0) == pytest.approx(0.02)
    assert bucket.running
    bucket.look(100.03, 0.03)
    assert not bucket.running


def test_debt_is_paid_back_before_it_runs_again() -> None:
    bucket = Bucket.of(100, 0.0, 0.0)
    bucket.look(0.5, 0.5)
    assert not bucket.running
    bucket.look(4.9, 0.5)
    assert not bucket.running
    bucket.look(5.0, 0.5)
    assert bucket.running


def test_it_looks_neither_too_often_nor_too_seldom() -> None:
    assert TICK_S <= Bucket.of(10, 0.0, 0.0).look(0.0, 0.0) <= PERIOD_S
    assert Bucket.of(8000, 0.0, 0.0).look(0.0, 0.0) == PERIOD_S


def test_a_real_process_is_held() -> None:
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        begun_s, first = time.monotonic(), cpu_seconds(burner.pid)
        assert first is not None
        bucket, used_s = Bucket.of(200, begun_s, first), first
        while (now_s := time.monotonic()) < begun_s + 1.5:
            used_s = cpu_seconds(burner.pid) or used_s
            was, wait_s = bucket.running, bucket.look(now_s, used_s)
            if bucket.running != was:
                os.kill(burner.pid, signal.SIGCONT if bucket.running else signal.SIGSTOP)
            time.sleep(wait_s)
        # A machine that is busy with other things gives it less, never more.
        assert 0 < (used_s - first) / (now_s - begun_s) < 0.23
    finally:
        burner.kill()
        burner.wait()
    assert cpu_seconds(burner.pid) is None

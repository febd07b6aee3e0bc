"""Large requests under a limit of CPU time: what they leave to others, and that they come to their end."""

import asyncio
import threading
from dataclasses import dataclass

import httpx
import pytest

from scoring.model import Model
from scoring.pace import AT_ONCE, LARGE, LEAST, LIMIT_S, Pace
from scoring.settings import no_limit
from scoring.slices import LargeJob, OneByOne
from tests.scoring.test_service import ROW, served

SLICE_S, TICK_S = 0.002, 0.0001


@dataclass
class Machine:
    """A clock, the CPU time that a process has used, and its limit."""

    now_s: float = 0.0
    used_s: float = 0.0
    cores: float | None = 0.5

    def pace(self) -> Pace:
        """A pace on this machine."""
        return Pace(lambda: self.cores, lambda: self.now_s, lambda: self.used_s)

    def large(self, pace: Pace, until_s: float, others: float) -> float:
        """The CPU time of large requests up to a moment, while others use so many cores all the time."""
        total_s = 0.0
        while self.now_s < until_s:
            if (wait_s := pace.wait_s()) > 0:
                wait_s = max(wait_s, TICK_S)
                self.now_s += wait_s
                self.used_s += others * wait_s
                continue
            self.now_s += SLICE_S
            self.used_s += SLICE_S
            total_s += SLICE_S
            pace.paid()
            # What others did meanwhile is seen at the next look.
            self.used_s += others * SLICE_S
        return total_s


@pytest.mark.parametrize("cores", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("others", [0.0, 0.2, 0.5, 1.0])
def test_large_requests_use_what_small_ones_leave_of_their_part_and_never_less_than_their_least(
    cores: float, others: float
) -> None:
    """`others` is in shares of the limit."""
    machine = Machine(cores=cores)
    took_s = machine.large(machine.pace(), 60.0, others * cores)
    wanted = max(LARGE - others, LEAST)
    assert took_s / (60.0 * cores) == pytest.approx(wanted, abs=0.02)


def test_after_a_rest_a_part_of_a_period_goes_at_once_and_no_more() -> None:
    machine = Machine(cores=0.5)
    pace = machine.pace()
    machine.now_s = 1000.0
    began_s, slices = machine.now_s, 0
    while pace.wait_s() == 0:
        machine.now_s += SLICE_S
        machine.used_s += SLICE_S
        slices += 1
        pace.paid()
    most_s = AT_ONCE * LIMIT_S * 0.5
    assert slices * SLICE_S <= most_s + (machine.now_s - began_s) * LARGE * 0.5 + SLICE_S
    assert slices * SLICE_S >= most_s


def test_without_a_limit_nothing_waits_and_a_limit_that_comes_later_counts_from_then_on() -> None:
    machine = Machine(cores=None)
    pace = machine.pace()
    assert machine.large(pace, 10.0, 0.0) == pytest.approx(10.0, abs=SLICE_S)
    machine.cores = 0.5
    assert machine.large(pace, 20.0, 0.0) == pytest.approx(10.0 * LARGE * 0.5, rel=0.05)


async def test_a_slice_that_may_not_begin_yet_waits_in_the_loop_and_every_job_ends() -> None:
    done = asyncio.Event()
    steps = []

    def job() -> LargeJob:
        for step in range(5):
            steps.append(step)
            yield None
        done.set()

    machine = Machine(cores=0.5)

    def clock() -> float:
        # Each look is a millisecond later, and each costs as much of the processor.
        machine.now_s += 0.001
        machine.used_s += 0.001
        return machine.now_s

    line = OneByOne(asyncio.get_running_loop(), lambda: False, Pace(lambda: 0.5, clock, lambda: machine.used_s))
    line.add(job())
    async with asyncio.timeout(20):
        await done.wait()
    assert steps == list(range(5))
    assert Pace(no_limit).wait_s() == 0


def test_a_large_request_under_a_small_limit_is_answered_and_small_ones_meanwhile(model: Model) -> None:
    def visit(http: httpx.Client) -> tuple[int, list[int]]:
        large: list[int] = []

        def send() -> None:
            answer = httpx.post(f"{http.base_url}/predict", json={"data": [ROW] * 5000}, timeout=60)
            large.append(answer.json()["num_samples"])

        caller = threading.Thread(target=send)
        caller.start()
        small = [http.post("/predict", json={"data": [ROW]}).status_code for _ in range(20)]
        caller.join()
        return large[0], small

    # The whole test run counts as this process's use, so that only the least is left for large ones.
    rows, small = served(model, visit, cores=lambda: 0.2)
    assert (rows, set(small)) == (5000, {200})

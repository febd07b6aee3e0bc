"""A recording that is played: in its own time, faster, standing still, from anywhere."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from core.domain.errors import BadInput, Refused
from core.domain.sample import Sample
from core.engine.player import Player
from core.state import commands as c, events as ev
from core.state.snapshot import Snapshot


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.s = 50.0

    def __call__(self) -> float:
        return self.s


EVENTS = [
    ev.Event(1, 100.0, "a", ev.Paused("r")),
    ev.Event(2, 110.0, "a", ev.Sampled("late", Sample(None, 110.0))),
    ev.Event(3, 109.0, "a", ev.Resumed("r")),
    ev.Event(4, 130.0, "a", ev.Paused("r")),
    ev.Event(5, 160.0, "a", ev.Resumed("r")),
]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def player(clock: Clock) -> Player:
    return Player(EVENTS, clock=clock)


async def heard(events: AsyncIterator[ev.Event], count: int) -> list[int]:
    """The places of the next so many events; 0 is where all begins anew."""
    found = []
    for _ in range(count):
        async with asyncio.timeout(5):
            event = await anext(events)
        assert event.seq or event.body == ev.Carried(event.body.snapshot)  # type: ignore[union-attr]
        found.append(event.seq)
    return found


async def quiet(events: AsyncIterator[ev.Event]) -> asyncio.Task[ev.Event]:
    """Nothing more comes now; what comes next is the task's."""
    task = asyncio.ensure_future(anext(events))
    await asyncio.wait({task}, timeout=0.05)
    assert not task.done()
    return task


async def test_events_come_when_their_moment_has(player: Player, clock: Clock) -> None:
    events = player.events()
    assert await heard(events, 1) == [1]
    waits = await quiet(events)
    clock.s += 10
    player.faster(0)
    assert (await asyncio.wait_for(waits, 5)).seq == 2
    assert await heard(events, 1) == [3], "a fact that was written late comes with the one before it"
    assert player.now() == 110.0


@pytest.mark.parametrize(("speed", "at"), [(1.0, 101.0), (20.0, 120.0), (60.0, 160.0)])
def test_its_clock_runs_so_many_times_as_fast_and_stops_at_the_end(clock: Clock, speed: float, at: float) -> None:
    player = Player(EVENTS, speed, clock)
    clock.s += 1
    assert player.now() == at
    assert player.over is (at == 160.0)


def test_speeds_go_up_and_down_and_no_further(player: Player) -> None:
    seen = []
    for by in (-1, 1, 1, 1, 1, 1, 1, -1):
        player.faster(by)
        seen.append(player.speed)
    assert seen == [1, 2, 5, 10, 20, 60, 60, 20]
    for speed in (0.5, 61.0):
        with pytest.raises(BadInput, match="from 1 to 60 times as fast"):
            player.set_speed(speed)


def test_standing_still_and_from_its_end_from_its_beginning(player: Player, clock: Clock) -> None:
    player.toggle()
    clock.s += 100
    assert player.now() == 100.0
    player.toggle()
    clock.s += 100
    assert player.over
    player.toggle()
    assert (player.now(), player.playing) == (100.0, True)


def test_it_skips_jumps_and_stays_within_itself(player: Player) -> None:
    player.toggle()
    seen = []
    moves: tuple[Callable[[], None], ...] = (
        lambda: player.skip(10),
        lambda: player.skip(-100),
        lambda: player.jump(1),
        lambda: player.jump(1),
        lambda: player.jump(1),
        lambda: player.jump(1),
        lambda: player.jump(-1),
        lambda: player.seek(1e12),
        lambda: player.seek(0),
    )
    for move in moves:
        move()
        seen.append(player.now())
    assert seen == [110.0, 100.0, 110.0, 130.0, 160.0, 160.0, 130.0, 160.0, 100.0]


async def test_after_a_jump_back_all_is_told_anew_and_after_one_on_only_what_is_new(player: Player) -> None:
    player.toggle()
    events = player.events()
    assert await heard(events, 1) == [1]
    player.seek(130)
    assert await heard(events, 3) == [2, 3, 4]
    waits = await quiet(events)
    player.seek(112)
    first = await asyncio.wait_for(waits, 5)
    assert (first.seq, isinstance(first.body, ev.Carried)) == (0, True)
    assert isinstance(first.body, ev.Carried)
    assert isinstance(first.body.snapshot, Snapshot)
    assert await heard(events, 3) == [1, 2, 3]


async def test_what_came_before_its_beginning_is_told_at_once(clock: Clock) -> None:
    player = Player(EVENTS, clock=clock, begin=125.0)
    assert (player.begin, player.now()) == (125.0, 125.0)
    assert await heard(player.events(), 3) == [1, 2, 3]


async def test_it_takes_no_commands_and_is_not_empty(player: Player) -> None:
    with pytest.raises(Refused, match="rollback: this is a recording; it can only be watched"):
        await player.do(c.Rollback("late"))
    with pytest.raises(BadInput, match="there is nothing in this recording"):
        Player([])

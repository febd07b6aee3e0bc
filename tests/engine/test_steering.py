"""Commands are driven by another process where it takes them up, and by whoever asks where it does not."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.domain.strategies import all_at_once
from core.engine import engine as engine_module
from core.engine.engine import Engine
from core.engine.environment import Environment
from core.journal.journal import Journal
from core.state import commands as c, events as ev
from tests.environments import V1, V2, Bridge, begin, canary_plan, ended, rollout, serve, until, weights
from tui import headless


@dataclass
class Steering:
    """Another process's engine, or nobody."""

    engine: Engine | None = None
    asked: list[tuple[str, bool]] = field(default_factory=list)
    poked: int = 0
    hangs: bool = False

    async def take_up(self, endpoint: str, force: bool) -> bool:
        self.asked.append((endpoint, force))
        if self.engine is None:
            # One that hangs says yes as its last word.
            return self.hangs and len(self.asked) == 1
        self.engine.catch_up()
        release = self.engine.snapshot.live_release(endpoint)
        self.engine.leadership.take(endpoint, release.options if release else {}, force=force)
        return True

    async def poke(self) -> None:
        self.poked += 1


@pytest.fixture
def bridge(tmp_path: Path) -> Bridge:
    return Bridge(tmp_path)


def face_of(bridge: Bridge, journal: Journal, steering: Steering) -> Engine:
    return Engine(journal, bridge.environment_of, "ada", steering=steering)


async def test_a_release_begun_by_a_face_is_driven_elsewhere(bridge: Bridge) -> None:
    with_pid = bridge.journal(), bridge.journal(pid=1)
    async with bridge.engine(with_pid[1], "watch") as watch, face_of(bridge, with_pid[0], Steering(watch)) as face:
        await serve(face)
        assert watch.drives("late")
        assert not face.drives("late")
        release = face.snapshot.releases["r1"]
        assert release.by == "ada"


async def test_where_nobody_takes_it_up_the_face_drives(bridge: Bridge) -> None:
    steering = Steering()
    async with face_of(bridge, bridge.journal(), steering) as face:
        await serve(face)
        assert face.drives("late")
    assert steering.asked[0] == ("late", False)


async def test_a_rollback_is_driven_by_the_face_where_the_watch_is_silent(bridge: Bridge) -> None:
    steering = Steering()
    async with bridge.engine(bridge.journal(pid=1), "watch") as watch:
        await serve(watch)
        await watch.do(begin(V2, canary_plan(), auto_approve=True))
        await ended(watch, "r2")
        async with face_of(bridge, bridge.journal(), steering) as face:
            await face.do(c.Rollback("late"))
            over = await ended(face, "r2")
            assert over.outcome is ev.Outcome.ROLLED_BACK
    assert steering.asked == [("late", True)]
    assert weights(bridge.place)["blue"] == 100


async def test_a_rollback_whose_taker_hangs_is_driven_by_the_face(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that it drives, and then nothing more: the lease is taken from it."""
    monkeypatch.setattr(engine_module, "MOVES_S", 0.05)
    steering, other = Steering(hangs=True), bridge.journal(pid=1)
    async with bridge.engine(other, "watch") as watch:
        await serve(watch)
        await watch.do(begin(V2, canary_plan(), auto_approve=True))
        await ended(watch, "r2")
    other.take("late", "watch", force=True)
    async with face_of(bridge, bridge.journal(), steering) as face:
        await face.do(c.Rollback("late"))
        assert not face.drives("late")
        assert (await ended(face, "r2")).outcome is ev.Outcome.ROLLED_BACK
        assert face.drives("late")
    assert steering.asked == [("late", True)] * 2
    assert weights(bridge.place)["blue"] == 100


async def test_a_release_that_the_watch_can_not_drive_is_driven_by_who_waits_for_it(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers and is well, but is of another version, say; it must not sit on the lease."""
    monkeypatch.setattr(headless, "UNDRIVEN_S", 0.05)
    other = bridge.journal(pid=1)
    async with bridge.engine(other, "watch") as watch:
        watch.leadership._environment = broken
        watch.attend("late")

        class Refusing(Steering):
            async def take_up(self, endpoint: str, force: bool) -> bool:
                watch.catch_up()
                with pytest.raises(ValueError, match="unknown setting"):
                    watch.leadership.take(endpoint, {"settings": "new"}, force=force)
                self.asked.append((endpoint, force))
                # As a watch of before would: it says that all is well.
                return True

        async with face_of(bridge, bridge.journal(), Refusing()) as face:
            await face.do(begin(V1, all_at_once((), rollout())))
            assert not face.driven("late")
            assert not face.drives("late")
            face._steering = None
            driving = asyncio.create_task(headless._see_it_driven(face, "late"))
            assert (await ended(face, "r1")).outcome is ev.Outcome.DONE
            driving.cancel()


def broken(*_: object) -> Environment:
    raise ValueError("unknown setting")


async def test_what_needs_no_driver_is_only_told(bridge: Bridge) -> None:
    async with bridge.engine(bridge.journal(pid=1), "watch") as watch:
        steering = Steering(watch)
        async with face_of(bridge, bridge.journal(), steering) as face:
            await face.do(begin(V1, canary_plan(hold_s=60), step_by_step=True))
            await face.do(c.Pause("late"))
            await until(watch, lambda s: s.releases["r1"].paused)
    assert steering.poked == 1
    assert steering.asked == [("late", False)]

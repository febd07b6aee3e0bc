"""`quarterdeck scale`: asked, followed until they serve, refused in one line."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.domain.errors import Failed, Refused
from core.domain.model import Scaled
from core.domain.obstacles import Cause, Obstacle
from core.engine.engine import Engine
from core.engine.project import Project
from core.journal.journal import Journal
from core.state import commands as c, events as ev
from core.state.fold import fold
from core.state.snapshot import Snapshot
from core.targets.kinds import Standing
from tests.environments import Bridge, serve
from tui import minimum_command, scale_command


class ScaleScene:
    """A project whose endpoint serves from a place in memory."""

    def __init__(self, project: Project, engine: Engine, bridge: Bridge) -> None:
        self.project, self.engine, self.bridge = project, engine, bridge
        self.said: list[str] = []

    async def scale(self, replicas: int, slot: str = "") -> int:
        """Call the command."""
        return await scale_command.scale(self.project, c.ScaleSlot("", replicas, slot), self.said.append)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Bridge(tmp_path).journal()
    yield opened
    opened.close()


@pytest.fixture
async def scene(tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScaleScene]:
    path = tmp_path / "quarterdeck.yaml"
    path.write_text(
        "environment: prod\ntarget: fake\ndata: {source: iris, target: species}\n"
        "endpoint: {name: late, ready_deadline_s: 1}\n"
    )
    bridge = Bridge(tmp_path)

    @asynccontextmanager
    async def nobody_else(*_: object) -> AsyncIterator[None]:
        yield

    async def no_watch(*_: object) -> None:
        return

    async with bridge.engine(journal) as engine:
        await serve(engine)
        await engine.emit(ev.Opened("late", engine.snapshot.endpoint("late").url, "prod", "fake in memory"))

        @asynccontextmanager
        async def opened(_: Project) -> AsyncIterator[Engine]:
            yield engine

        async def meant(_: Project) -> tuple[list[Standing], list[Standing]]:
            costs = ("a load balancer",)
            return [Standing("late", "fake", tuple(bridge.place.slots.values()), (), costs)], []

        for module in (scale_command, minimum_command):
            monkeypatch.setattr(module, "opened", opened)
            monkeypatch.setattr(module, "driven", nobody_else)
            monkeypatch.setattr(module, "have_watch", no_watch)
        monkeypatch.setattr(minimum_command, "meant_places", meant)
        yield ScaleScene(Project(path), engine, bridge)


async def test_it_is_over_once_so_many_serve_and_a_second_time_changes_nothing(scene: ScaleScene) -> None:
    assert await scene.scale(4) == 0
    (line,) = scene.said
    assert line.startswith("late: blue has 4 replicas ready after ")
    assert scene.bridge.place.slots["blue"].ready == 4
    assert await scene.scale(4) == 0
    assert scene.said[1:] == ["late: blue has, or was asked for, 4 replicas already"]
    assert [call.replicas for call in scene.bridge.place.asked if call.verb == "scale"] == [4]


async def test_whoever_waits_hears_that_another_size_was_asked_for_meanwhile(scene: ScaleScene) -> None:
    scene.bridge.place.never_ready("blue")
    waiting = asyncio.create_task(scene.scale(4))
    async with asyncio.timeout(10):
        while (seen := scene.engine.snapshot.endpoint("late")).pending or seen.slots["blue"].wanted != 4:
            await scene.engine.change(1.0)
    # By the next change it has seen its own size.
    await scene.engine.change(0.1)
    await scene.engine.do(c.ScaleSlot("late", 3, "blue"))
    with pytest.raises(Refused, match="late: blue was asked for 3 replicas meanwhile"):
        await waiting


async def test_the_size_that_it_has_is_asked_for_again_where_its_place_lacks_the_autoscaler(
    scene: ScaleScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place is asked, and the watch sees a moment later what it says."""
    missing = (Obstacle(Cause.MISSING),)
    look = Scaled("blue", scene.engine.now(), 2, 2, "no autoscaler", min=1, max=4, obstacles=missing)

    async def asked(*_: object) -> tuple[Snapshot, str]:
        seen = fold(
            scene.engine.snapshot, ev.Event(scene.engine.snapshot.seq + 1, 1.0, "watch", ev.Looked("late", look))
        )
        await scene.engine.emit(ev.Looked("late", look))
        return seen, ""

    monkeypatch.setattr(scale_command, "asked", asked)
    assert await scene.scale(2) == 0
    assert [call.replicas for call in scene.bridge.place.asked if call.verb == "scale"] == [2]
    assert scene.said[0].startswith("late: blue has 2 replicas ready after ")


async def test_what_the_place_refuses_is_one_line_and_so_is_what_can_not_be(scene: ScaleScene) -> None:
    scene.bridge.place.refuse("scale", "blue: its autoscaler stays between 1 and 3 replicas")
    with pytest.raises(Refused, match="late: blue: its autoscaler stays between 1 and 3 replicas"):
        await scene.scale(4)
    with pytest.raises(Refused, match="there is no slot red"):
        await scene.scale(3, "red")
    assert scene.said == []


async def test_replicas_that_do_not_get_ready_end_it_with_the_reason(
    scene: ScaleScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.bridge.place.never_ready("blue", "out of memory")
    monkeypatch.setattr(scale_command, "_within_s", lambda _: 1.0)
    with pytest.raises(Failed, match=r"late: blue has 2 of 4 replicas ready after 1 s: out of memory"):
        await scene.scale(4)


@pytest.mark.parametrize(("low", "least"), [(2, 2), (None, 1)])
async def test_down_to_the_minimum_is_the_autoscalers_or_one_replica_and_says_what_goes_on_to_cost(
    scene: ScaleScene, low: int | None, least: int
) -> None:
    await scene.scale(4)
    if low is not None:
        await scene.engine.emit(ev.Looked("late", Scaled("blue", scene.engine.now(), 4, 4, "cpu", (), low, 8)))
    scene.said.clear()
    assert await minimum_command.to_minimum(scene.project, scene.said.append) == 0
    assert scene.said[0].startswith(f"late: blue has {least} replica")
    assert scene.said[1:] == ["late: goes on to cost a load balancer"]
    assert scene.bridge.place.slots["blue"].wanted == least
    scene.said.clear()
    await minimum_command.to_minimum(scene.project, scene.said.append)
    assert scene.said[0] == "late: has as few replicas as it may have"


async def test_what_cannot_be_asked_is_not_said_to_be_nothing(
    scene: ScaleScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: Project) -> tuple[list[Standing], list[Standing]]:
        return [Standing("late", "kubernetes", (), ("cluster  far/flights: not logged in",))], []

    monkeypatch.setattr(minimum_command, "meant_places", away)
    assert await minimum_command.to_minimum(scene.project, scene.said.append) == 1
    assert scene.said == ["late: cluster  far/flights: not logged in"]

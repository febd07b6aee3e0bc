"""The autoscaler over real replicas: it grows under load, says why, and leaves a standby as it is."""

from dataclasses import replace

import pytest

from core.domain.errors import Refused
from core.domain.model import Reading, Scaled
from core.domain.obstacles import Cause, Obstacle
from core.targets.local import autoscaler
from core.targets.local.autoscaler import Autoscaler
from core.targets.local.hpa import Decision, Memory
from core.targets.local.spec import Autoscaling
from core.targets.local.steps import UP, Behavior, Direction, Policy
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ONE, TWO, Watcher, loading, watching


def looks(watcher: Watcher, slot: str) -> list[Scaled]:
    """Every look at a slot."""
    return [one for one in watcher.reports if isinstance(one, Scaled) and one.slot == slot]


async def test_replicas_grow_under_load_and_every_look_says_why(endpoints: Endpoints) -> None:
    endpoints.model("1", busy_ms=10)
    target = endpoints.target(cpu_m=100, autoscaling=Autoscaling(1, 2, cpu_percent=50, fast=True))
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await target.apply("green", TWO, 1)
        await watcher.ready("blue", 1)
        await watcher.ready("green", 1)
        await target.route({"blue": 100})
        await watcher.weight("blue", 100)
        async with loading(await target.address(), users=6) as load:
            grown = await watcher.until(lambda: next((one for one in looks(watcher, "blue") if one.after > 1), None))
            await watcher.ready("blue", 2)
            # Asking again for what was asked before does not undo it.
            await target.apply("blue", ONE, 1)
            await watcher.until(lambda: len(looks(watcher, "blue")) > 2)
            assert not load.failed
        assert (grown.before, grown.after, grown.min, grown.max, grown.next_look_s) == (1, 2, 1, 2, 2.0)
        assert grown.fast
        assert grown.readings[0].name == "cpu"
        assert grown.readings[0].value is not None
        assert grown.readings[0].value > 55
        assert "maximum 2" in grown.reason or "cpu" in grown.reason
        assert looks(watcher, "green") == []
        assert watcher.slots["blue"].wanted == 2
        assert watcher.slots["green"].wanted == 1


async def test_without_autoscaling_nothing_is_looked_at(endpoints: Endpoints) -> None:
    spec = endpoints.target().spec
    assert not Autoscaler().due(spec, "blue")
    scaling = Autoscaling(1, 2, cpu_percent=None, memory_percent=50)
    scaled = Autoscaler().look(replace(spec, autoscaling=scaling, memory_mb=100), "blue", 1, [], {})
    assert scaled.reason.startswith("no metric")
    assert scaled.next_look_s == 15.0


async def test_what_somebody_asks_for_is_not_taken_away_at_the_next_look(endpoints: Endpoints) -> None:
    endpoints.model("1")
    down = Direction(30.0, (Policy("percent", 100, 15.0),))
    scaling = Autoscaling(1, 3, cpu_percent=90, fast=True, behavior=Behavior(UP, down))
    target = endpoints.target(cpu_m=500, autoscaling=scaling)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 2)
        await watcher.ready("blue", 2)
        await target.route({"blue": 100})
        await watcher.until(lambda: next((one for one in looks(watcher, "blue") if one.after == 1), None))
        before = len(looks(watcher, "blue"))
        await target.apply("blue", ONE, 2)
        await watcher.ready("blue", 2)
        again = await watcher.until(lambda: next(iter(looks(watcher, "blue")[before:]), None))
        assert (again.before, again.after) == (2, 2)
        assert "window: 2" in again.reason


async def test_a_size_by_hand_goes_below_what_was_asked_for_first_and_stays_within_the_bounds(
    endpoints: Endpoints,
) -> None:
    endpoints.model("1")
    target = endpoints.target(cpu_m=500, autoscaling=Autoscaling(1, 3, cpu_percent=90))
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 2)
        await watcher.ready("blue", 2)
        await target.scale("blue", 1)
        await watcher.ready("blue", 1)
        with pytest.raises(Refused, match="blue: its autoscaler stays between 1 and 3 replicas, 4 are outside"):
            await target.scale("blue", 4)
        assert watcher.slots["blue"].wanted == 1


@pytest.mark.parametrize(
    ("percent", "wanted", "after", "told"),
    [
        (95.0, 2, 3, True),
        (45.0, 3, 3, True),  # they use most of the machine, and can't use more
        (20.0, 3, 3, False),
        (95.0, 1, 3, False),
        (95.0, 1, 2, False),  # they fit
        (None, 3, 3, False),
    ],
)
def test_replicas_for_which_the_machine_has_no_cores_are_told(
    monkeypatch: pytest.MonkeyPatch,
    endpoints: Endpoints,
    percent: float | None,
    wanted: int,
    after: int,
    told: bool,
) -> None:
    monkeypatch.setattr(autoscaler, "usable", lambda: 2)
    spec = endpoints.target(cpu_m=1000).spec
    decision = Decision(after, "", (Reading("cpu", percent, 60.0),), Memory(), 9)
    found = (Obstacle(Cause.CORES, "1000m", float(after), 2),) if told else ()
    assert autoscaler._crowded(spec, wanted, decision) == found

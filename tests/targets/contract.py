"""What every target must do, as one suite: a test class of each target inherits it and says how to make one."""

import asyncio
from collections.abc import Callable

import pytest

from core.domain.errors import BadInput, Refused
from core.domain.model import Observation, Sticky, StickyBy
from core.targets.protocol import Target
from tests.targets.helpers import ONE, TWO, watching

MakeTarget = Callable[[int], Target]


class Contract:
    """Inherit, and give a fixture `make` that makes targets of one place, by their driver's token."""

    async def test_replicas_asked_for_become_ready(self, make: MakeTarget) -> None:
        target = make(0)
        async with watching(target) as watcher:
            await target.apply("blue", ONE, 2)
            seen = await watcher.ready("blue", 2)
        assert (seen.version, seen.weight, len(seen.replicas)) == (ONE, 0.0, 2)

    async def test_asking_twice_changes_nothing(self, make: MakeTarget) -> None:
        target = make(0)
        async with watching(target) as watcher:
            await target.apply("blue", ONE, 2)
            first = await watcher.ready("blue", 2)
            await target.apply("blue", ONE, 2)
            await target.route({"blue": 100})
            await target.route({"blue": 100})
            seen = await watcher.weight("blue", 100)
        assert [one.name for one in seen.replicas] == [one.name for one in first.replicas]
        assert all(one.restarts == 0 for one in seen.replicas)

    async def test_a_slot_gets_the_size_that_is_asked_for_up_and_down(self, make: MakeTarget) -> None:
        old, target = make(1), make(2)
        async with watching(target) as watcher:
            await target.apply("blue", ONE, 1)
            first = await watcher.ready("blue", 1)
            await target.scale("blue", 2)
            seen = await watcher.ready("blue", 2)
            assert (seen.version, seen.replicas[0].name) == (ONE, first.replicas[0].name)
            await target.scale("blue", 1)
            await watcher.ready("blue", 1)
            with pytest.raises(Refused):
                await old.scale("blue", 2)
            with pytest.raises(Refused, match="green"):
                await target.scale("green", 2)
            with pytest.raises(Refused, match="keeps one at least"):
                await target.scale("blue", 0)

    async def test_moved_traffic_is_told_once_it_is_proved(self, make: MakeTarget) -> None:
        target = make(0)
        async with watching(target) as watcher:
            await target.apply("blue", ONE, 1)
            await target.apply("green", TWO, 1)
            await watcher.ready("blue", 1)
            await watcher.ready("green", 1)
            await target.route({"blue": 90, "green": 10})
            assert (await watcher.weight("green", 10)).proved_by > 0
            assert (await watcher.weight("blue", 90)).proved_by > 0
            await target.route({"blue": 100})
            await watcher.weight("green", 0)

    async def test_a_driver_that_was_followed_is_refused(self, make: MakeTarget) -> None:
        old, new = make(1), make(2)
        async with watching(new) as watcher:
            await old.apply("blue", ONE, 1)
            await new.apply("green", TWO, 1)
            await watcher.ready("blue", 1)
            await watcher.ready("green", 1)
            await new.route({"blue": 100})
            with pytest.raises(Refused):
                await old.route({"green": 100})
            with pytest.raises(Refused):
                await old.remove("green")
            assert (await watcher.weight("blue", 100)).weight == 100
            assert watcher.slots["green"].version == TWO

    async def test_a_removed_slot_goes(self, make: MakeTarget) -> None:
        target = make(0)
        async with watching(target) as watcher:
            await target.apply("blue", ONE, 1)
            await watcher.ready("blue", 1)
            await target.remove("blue")
            await target.remove("blue")
            await watcher.gone("blue")
            assert watcher.slots["blue"].version is None

    async def test_a_slot_with_traffic_stays(self, make: MakeTarget) -> None:
        target = make(0)
        async with watching(target) as watcher:
            await target.apply("blue", ONE, 1)
            await watcher.ready("blue", 1)
            await target.route({"blue": 100})
            await watcher.weight("blue", 100)
            with pytest.raises(Refused, match="100 %"):
                await target.remove("blue")

    @pytest.mark.parametrize("weights", [{"blue": 90}, {"blue": 150, "green": -50}])
    async def test_weights_that_make_no_hundred_are_bad_input(
        self, make: MakeTarget, weights: dict[str, float]
    ) -> None:
        target = make(0)
        await target.apply("blue", ONE, 0)
        with pytest.raises(BadInput, match="100"):
            await target.route(weights)

    async def test_traffic_to_an_empty_slot_is_refused(self, make: MakeTarget) -> None:
        target = make(0)
        await target.apply("blue", ONE, 0)
        with pytest.raises(Refused, match="green"):
            await target.route({"green": 100})

    async def test_a_copy_of_the_traffic_is_told_once_it_is_made_and_ends_with_the_next_route(
        self, make: MakeTarget
    ) -> None:
        target = make(0)
        async with watching(target) as watcher:
            await target.apply("blue", ONE, 1)
            await target.apply("green", TWO, 1)
            await watcher.ready("blue", 1)
            await watcher.ready("green", 1)
            await target.route({"blue": 100}, mirror={"green": 20})
            await watcher.until(lambda: watcher.slots["green"].mirror == 20)
            assert (watcher.slots["green"].weight, watcher.slots["green"].proved_by) == (0, 0)
            assert (await watcher.weight("blue", 100)).mirror == 0
            with pytest.raises(Refused, match="a copy of 20 % of the traffic; it can go once"):
                await target.remove("green")
            await target.route({"blue": 90, "green": 10})
            assert (await watcher.weight("green", 10)).mirror == 0
            assert watcher.slots["green"].mirror == 0

    @pytest.mark.parametrize(
        ("weights", "mirror", "why"),
        [
            ({"blue": 100}, {"green": 0}, "at most 50"),
            ({"blue": 100}, {"green": 51}, "at most 50"),
            ({"blue": 100}, {"green": float("nan")}, "at most 50"),
            ({"blue": 90, "green": 10}, {"green": 20}, "gets traffic itself"),
            ({"blue": 100}, {"green": 20, "red": 20}, "name one"),
            ({}, {"green": 20}, "nobody's traffic"),
        ],
    )
    async def test_a_copy_that_nobody_could_make_is_bad_input(
        self, make: MakeTarget, weights: dict[str, float], mirror: dict[str, float], why: str
    ) -> None:
        target = make(0)
        await target.apply("blue", ONE, 0)
        await target.apply("green", TWO, 0)
        with pytest.raises(BadInput, match=why):
            await target.route(weights, mirror)

    async def test_a_copy_to_an_empty_slot_is_refused(self, make: MakeTarget) -> None:
        target = make(0)
        await target.apply("blue", ONE, 0)
        with pytest.raises(Refused, match="green"):
            await target.route({"blue": 100}, mirror={"green": 20})

    async def test_a_split_on_which_callers_stay_is_told_as_any_other(self, make: MakeTarget) -> None:
        target = make(0)
        async with watching(target) as watcher:
            await target.apply("blue", ONE, 1)
            await target.apply("green", TWO, 1)
            await watcher.ready("blue", 1)
            await watcher.ready("green", 1)
            await target.route({"blue": 50, "green": 50}, sticky=Sticky(StickyBy.HEADER, "x-user"))
            await watcher.weight("green", 50)
            await target.route({"blue": 100})
            await watcher.weight("green", 0)

    @pytest.mark.parametrize("name", ["", "a b", "x\r\ny", ":path", "X-Quarterdeck-Slot", "x" * 200])
    async def test_a_header_that_no_caller_can_send_is_bad_input(self, make: MakeTarget, name: str) -> None:
        target = make(0)
        await target.apply("blue", ONE, 0)
        with pytest.raises(BadInput, match="no header of callers"):
            await target.route({"blue": 100}, sticky=Sticky(StickyBy.HEADER, name))

    async def test_a_slot_name_that_no_place_takes_is_bad_input(self, make: MakeTarget) -> None:
        with pytest.raises(BadInput, match="Blue"):
            await make(0).apply("Blue!", ONE, 1)

    async def test_whoever_watches_later_is_told_all_that_is_true(self, make: MakeTarget) -> None:
        target = make(0)
        async with watching(target) as first:
            await target.apply("blue", ONE, 1)
            await target.apply("green", TWO, 0)
            await first.ready("blue", 1)
            await target.route({"blue": 100})
            await first.weight("blue", 100)
            async with watching(make(0)) as second:
                await second.weight("blue", 100)
                await second.until(lambda: "green" in second.slots)
                told = await second.until(second.synced)
                assert set(told.slots) == {"blue", "green"}
                # Everything that is true was told before that.
                before = second.reports[: second.reports.index(told)]
                assert {one.slot for one in before if isinstance(one, Observation)} == {"blue", "green"}
                assert second.slots["blue"].version == ONE
                await target.route({})
                await second.weight("blue", 0)
            await first.weight("blue", 0)

    async def test_a_place_where_nothing_is_says_so(self, make: MakeTarget) -> None:
        async with watching(make(0)) as watcher:
            assert (await watcher.until(watcher.synced)).slots == ()

    async def test_a_slot_can_be_scaled(self, make: MakeTarget) -> None:
        target = make(0)
        async with watching(target) as watcher:
            for count in (1, 3, 1, 0):
                await target.apply("blue", ONE, count)
                seen = await watcher.ready("blue", count)
                assert seen.version == ONE

    async def test_another_version_takes_the_slot_over(self, make: MakeTarget) -> None:
        target = make(0)
        async with watching(target) as watcher:
            await target.apply("blue", ONE, 1)
            await watcher.ready("blue", 1, ONE)
            await target.apply("blue", TWO, 1)
            assert (await watcher.ready("blue", 1, TWO)).version == TWO

    async def test_a_slot_has_an_address_of_its_own(self, make: MakeTarget) -> None:
        target = make(0)
        await target.apply("blue", ONE, 0)
        everybody, blue = await target.address(), await target.address("blue")
        assert everybody.url == blue.url
        assert not everybody.headers
        assert blue.headers
        assert blue.headers != (await target.address("green")).headers
        assert not any(value in repr(blue) for value in blue.headers.values())

    async def test_closing_ends_watches_and_leaves_what_is_served(self, make: MakeTarget) -> None:
        target = make(0)
        async with watching(target) as watcher:
            await target.apply("blue", ONE, 1)
            await watcher.ready("blue", 1)
            ending = asyncio.create_task(watcher.run())
            await target.close()
            async with asyncio.timeout(5):
                await ending
        async with watching(make(0)) as later:
            assert (await later.ready("blue", 1)).version == ONE

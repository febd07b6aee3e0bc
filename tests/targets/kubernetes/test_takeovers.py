"""Two machines at one endpoint: who may take the Lease over, who is refused, and what each is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.domain.errors import TakenOver
from core.domain.model import OtherDriver
from core.targets.kubernetes.client import KubernetesTarget
from core.targets.kubernetes.lease_holder import holder_of
from core.targets.kubernetes.paths import LEASES
from core.targets.protocol import Turn
from tests.targets.helpers import TWO, Watcher, two_slots, watching
from tests.targets.kubernetes.conftest import MakePlace
from tests.targets.kubernetes.places import ClusterPlace

HERE = Turn("r-here", "ada")
THERE = Turn("r-there", "bob")


def _held_for(place: ClusterPlace) -> str:
    return holder_of(place.calls.ask("GET", LEASES.path(place.namespace, "late"))).release


async def _said(target: KubernetesTarget, turn: Turn) -> None:
    """The turn, and with it what the Lease says."""
    target.stand_for(turn)
    target._lease.renew()


@asynccontextmanager
async def _two_machines(
    place: ClusterPlace, elsewhere: Path
) -> AsyncIterator[tuple[KubernetesTarget, KubernetesTarget, Watcher]]:
    """One that releases here, with two slots and its watch, and one elsewhere."""
    here, there = place.target(7), place.target(1, elsewhere)
    here.stand_for(HERE)
    async with watching(here) as watcher:
        await two_slots(here, watcher, 1)
        yield here, there, watcher


async def test_a_release_is_refused_while_another_machines_is_under_way(place_of: MakePlace, tmp_path: Path) -> None:
    place = place_of("selector")
    async with _two_machines(place, tmp_path / "elsewhere") as (here, there, watcher):
        there.stand_for(THERE)
        wanted = rf"late: release r-here of a driver on .* \(ada, in the folder {tmp_path.name}\) is under way since"
        for doing in (there.apply("green", TWO, 1), there.route({"green": 100})):
            with pytest.raises(TakenOver, match=wanted):
                await doing
        await here.route({"green": 100})
        await watcher.weight("green", 100)
        await _said(here, Turn())
        assert _held_for(place) == ""
        await there.route({"blue": 100})
        await watcher.weight("blue", 100)
    assert _held_for(place) == "r-there"


async def test_what_a_person_asks_back_takes_over_and_takes_over_again(place_of: MakePlace, tmp_path: Path) -> None:
    place = place_of("selector")
    async with _two_machines(place, tmp_path / "elsewhere") as (here, there, watcher):
        await here.route({"green": 100})
        there.stand_for(Turn("r-there", "bob", 10.0))
        await there.route({"blue": 100})
        await watcher.weight("blue", 100)
        await watcher.until(lambda: _other(watcher, "r-there").by)
        with pytest.raises(TakenOver, match=r"taken over by a driver on .* \(bob, in the folder elsewhere\); nothing"):
            await here.route({"green": 100})
        here.stand_for(Turn("r-here", "ada", 20.0))
        await here.route({"green": 100})
        await watcher.weight("green", 100)
        # The same word of a person is no second one.
        with pytest.raises(TakenOver, match=r"\(ada, "):
            await there.route({"blue": 100})
        there.stand_for(Turn("r-there", "bob", 10.0))
        with pytest.raises(TakenOver, match=r"\(ada, "):
            await there.route({"blue": 100})


async def test_a_person_takes_back_before_the_watch_has_heard_who_followed(
    place_of: MakePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of("selector")
    async with _two_machines(place, tmp_path / "elsewhere") as (here, there, watcher):
        await here.route({"green": 100})
        await watcher.weight("green", 100)
        watch = here._changes.watch
        assert watch is not None
        before = watch.view()
        there.stand_for(Turn("r-there", "bob", 10.0))
        await there.route({"blue": 100})
        with monkeypatch.context() as patch:
            patch.setattr(watch, "view", lambda: before)
            with pytest.raises(TakenOver, match=r"\(bob, in the folder elsewhere\); nothing"):
                await here.route({"green": 100})
            here.stand_for(Turn("r-here", "ada", 20.0))
            await here.route({"green": 100})
        await watcher.weight("green", 100)
        assert _held_for(place) == "r-here"


async def test_a_release_whose_driver_is_closed_is_over_for_other_machines(place_of: MakePlace, tmp_path: Path) -> None:
    place = place_of("selector")
    here = place.target(7)
    here.stand_for(HERE)
    async with watching(here) as watcher:
        await two_slots(here, watcher, 1)
    assert _held_for(place) == "r-here"
    # As a release that ends with the process that drove it.
    here._observer.renew = lambda: None  # type: ignore[method-assign]
    here.stand_for(Turn())
    await here.close()
    assert _held_for(place) == ""


async def test_the_watch_says_who_followed_and_what_was_asked_for_there(place_of: MakePlace, tmp_path: Path) -> None:
    place = place_of("selector")
    async with _two_machines(place, tmp_path / "elsewhere") as (here, there, watcher):
        await here.route({"green": 100})
        await watcher.weight("green", 100)
        there.stand_for(Turn("r-there", "bob", 10.0))
        await there.route({"blue": 100})
        await watcher.until(lambda: _other(watcher, "r-there").by)
        seen = _other(watcher, "r-there")
        assert "(bob, in the folder elsewhere)" in seen.by
        assert seen.took == "r-here"
        await watcher.until(lambda: _other(watcher, "r-there").weights == {"blue": 100})
        await _said(there, Turn())
        await watcher.until(lambda: _other(watcher, "").by == seen.by)
        here.stand_for(Turn("r-here", "ada", 20.0))
        await here.route({"green": 100})
        await watcher.until(lambda: watcher.reports and OtherDriver() == _others(watcher)[-1])


def _others(watcher: Watcher) -> list[OtherDriver]:
    return [one for one in watcher.reports if isinstance(one, OtherDriver)]


def _other(watcher: Watcher, release: str) -> OtherDriver:
    """What was said last of whoever drives elsewhere, once it is of this release."""
    last = _others(watcher)[-1]
    return last if last.release == release else OtherDriver()

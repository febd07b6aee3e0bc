"""A split on which callers stay: each on one side, and whoever has the side that grows keeps it."""

from dataclasses import replace

import pytest

from core.domain.model import Sticky, StickyBy
from core.targets.protocol import Address
from tests.targets.conftest import Endpoints
from tests.targets.helpers import ask, two_slots, watching

PEOPLE = [f"user-{n}" for n in range(60)]


def sent(sticky: Sticky, who: str) -> dict[str, str]:
    """What a caller sends to be known by."""
    if sticky.by is StickyBy.HEADER:
        return {sticky.name: who}
    return {"cookie": f"theme=dark; {sticky.name}={who}"}


async def sides(address: Address, sticky: Sticky, times: int = 3) -> dict[str, set[str]]:
    """The versions that answered each caller."""
    return {who: {(await ask(replace(address, headers=sent(sticky, who))))[1] for _ in range(times)} for who in PEOPLE}


@pytest.mark.parametrize("sticky", [Sticky(StickyBy.HEADER, "X-User"), Sticky(StickyBy.COOKIE, "uid")], ids=str)
@pytest.mark.parametrize("new", ["green", "blue"])
async def test_a_caller_stays_and_never_leaves_the_side_that_grows(
    endpoints: Endpoints, sticky: Sticky, new: str
) -> None:
    target = endpoints.target()
    old, number = ("blue", "2") if new == "green" else ("green", "1")
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        address = await target.address()
        before: set[str] = set()
        for share in (20, 50, 80):
            # Named in either order, as two drivers may.
            weights = {old: 100.0 - share, new: float(share)}
            await target.route(weights if share != 50 else dict(reversed(weights.items())), sticky=sticky)
            await watcher.weight(new, share)
            found = await sides(address, sticky)
            assert all(len(versions) == 1 for versions in found.values())
            on_new = {who for who, versions in found.items() if versions == {number}}
            assert before <= on_new
            assert abs(len(on_new) / len(PEOPLE) - share / 100) < 0.25
            before = on_new
        # Who does not say who they are is split by chance, and a route without it splits all.
        assert {(await ask(address))[1] for _ in range(60)} == {"1", "2"}
        await target.route({old: 50.0, new: 50.0})
        await watcher.weight(new, 50)
        found = await sides(address, sticky, times=6)
        assert any(len(versions) == 2 for versions in found.values())

"""A way back whose variables name what is gone: it says so at once, and goes on with those of whoever asks for it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from core.domain.errors import BadInput
from core.engine.engine import Engine
from core.state import commands as c, events as ev
from core.state.snapshot import Snapshot
from tests.engine.test_steering import Steering
from tests.environments import V2, Bridge, FakeEnvironment, begin, canary_plan, ended, serve, until, weights

LACKS = "CA as r2 was begun with names /ca.pem, which is gone"
REFUSED = "/ca.pem can't be used: no such file"


class Shelf:
    """Where variables are kept: useless until somebody lends."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge, self.lent = bridge, False
        bridge.write_site = self.written

    def written(self, site: FakeEnvironment) -> None:
        site.lost = "" if self.lent else LACKS
        if self.lent:
            self.bridge.place.mend("route")

    def lend(self, _: ev.Result) -> Mapping[str, str]:
        """As who has good ones."""
        if self.lent:
            return {}
        self.lent = True
        for site in self.bridge.sites:
            site.changed = True
        return {"CA": "/ca.pem"}


def _failed(snapshot: Snapshot) -> str:
    way = snapshot.releases["r2"].way
    return way.refusal if way is not None else ""


@pytest.fixture
def bridge(tmp_path: Path) -> Bridge:
    return Bridge(tmp_path)


@pytest.mark.parametrize("taken_up", [True, False])
async def test_a_way_back_goes_on_with_the_variables_of_who_asks(bridge: Bridge, taken_up: bool) -> None:
    """Also where the watch took it up before the command had loaded what knows of variables."""
    shelf = Shelf(bridge)
    async with bridge.engine(bridge.journal(pid=1), "watch") as watch:
        watch.attend("late")
        await serve(watch)
        await watch.do(begin(V2, canary_plan(), auto_approve=True))
        await ended(watch, "r2")
        bridge.place.fail("route", BadInput(REFUSED), times=1000)
        made = len(bridge.sites)
        journal = bridge.journal()
        async with Engine(journal, bridge.environment_of, "ada", steering=Steering(watch), lend=shelf.lend) as face:
            if taken_up:
                await watch.do(c.Rollback("late"))
                assert _failed(await until(watch, _failed)) == f"{REFUSED} ({LACKS})"
                face.catch_up()
                face.insist("late")
            else:
                await face.do(c.Rollback("late"))
            assert (await ended(face, "r2")).outcome is ev.Outcome.ROLLED_BACK
            assert not face.drives("late")
    assert weights(bridge.place)["blue"] == 100
    assert len(bridge.sites) > made
    said = [one.body.noted.text for one in bridge.journal().read(0) if isinstance(one.body, ev.Remarked)]
    assert said == ["CA named /ca.pem, which is gone; from here on this goes with what ada's shell says"]


async def test_a_place_that_refuses_what_is_there_is_not_asked_again(bridge: Bridge) -> None:
    async with bridge.engine(bridge.journal(pid=1), "watch") as watch:
        await serve(watch)
        await watch.do(begin(V2, canary_plan(), auto_approve=True))
        await ended(watch, "r2")
        bridge.place.fail("route", BadInput(REFUSED), times=1000)
        await watch.do(c.Rollback("late"))
        assert (await ended(watch, "r2")).outcome is ev.Outcome.STUCK

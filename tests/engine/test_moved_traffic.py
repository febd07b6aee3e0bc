"""Traffic that is moved behind a driver's back, with nothing under way: known at once, and taken back by a rollback."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core.domain.errors import Refused
from core.domain.strategies import all_at_once
from core.engine.engine import Engine
from core.journal.journal import Journal
from core.state import commands as c, events as ev
from core.state.moved_traffic import moved_traffic
from tests.environments import V1, V2, Bridge, begin, bodies, ended, rollout, serve, until, weights


@pytest.fixture
async def engine(store: Bridge, journal: Journal) -> AsyncIterator[Engine]:
    """One that has brought v2 to all traffic over v1, which is kept."""
    async with store.engine(journal) as opened:
        await serve(opened, V1)
        await opened.do(begin(V2, all_at_once((), rollout())))
        assert (await ended(opened, "r2")).outcome is ev.Outcome.DONE
        await until(opened, lambda s: s.endpoint("late").verified and s.endpoint("late").astray_at is None)
        yield opened


def move(store: Bridge, **shares: float) -> None:
    """Somebody else's doing."""
    for slot, share in shares.items():
        store.place.push(replace(store.place.slots[slot], weight=share, proved_by=20 if share else 0))


def goes(engine: Engine) -> dict[str, float]:
    """Where traffic was moved; nothing where it was not."""
    found = moved_traffic(engine.snapshot, engine.snapshot.endpoint("late"), engine.now())
    return dict(found.weights) if found is not None else {}


@pytest.mark.parametrize("shares", [{"blue": 50.0, "green": 50.0}, {"blue": 100.0, "green": 0.0}])
async def test_a_rollback_takes_it_back_and_once_more_where_it_is_moved_again(
    store: Bridge, engine: Engine, journal: Journal, shares: dict[str, float]
) -> None:
    assert goes(engine) == {}
    move(store, **shares)
    await until(engine, lambda _: goes(engine) == {slot: share for slot, share in shares.items() if share})
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK
    assert weights(store.place) == {"blue": 100.0, "green": 0.0}
    assert goes(engine) == {}
    with pytest.raises(Refused, match="was taken back already"):
        await engine.do(c.Rollback("late"))
    move(store, blue=30.0, green=70.0)
    await until(engine, lambda _: goes(engine) == {"blue": 30.0, "green": 70.0})
    before = len(bodies(journal, ev.Verified))
    await engine.do(c.Rollback("late"))
    await until(engine, lambda s: not s.releases["r2"].live)
    assert weights(store.place) == {"blue": 100.0, "green": 0.0}
    assert engine.snapshot.releases["r2"].outcome is ev.Outcome.ROLLED_BACK
    (again,) = bodies(journal, ev.Verified)[before:]
    assert again.weights == {"blue": 100.0}
    assert goes(engine) == {}


async def test_what_moves_it_back_ends_it(store: Bridge, engine: Engine) -> None:
    move(store, blue=50.0, green=50.0)
    await until(engine, lambda _: goes(engine))
    with pytest.raises(Refused, match="its traffic was moved from elsewhere"):
        await engine.do(begin(V1, all_at_once((), rollout()), "r9"))
    move(store, blue=0.0, green=100.0)
    await until(engine, lambda s: s.endpoint("late").astray_at is None)
    assert goes(engine) == {}

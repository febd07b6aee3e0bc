"""Endpoints that are released as one, by real drivers over a journal: who is driven, and what outlives a process."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.config.planner import as_one
from core.domain.errors import Failed, Refused
from core.domain.plan import Plan
from core.domain.strategies import all_at_once
from core.engine.engine import Engine
from core.journal.journal import Journal
from core.state import commands as c, events as ev
from core.state.snapshot import Snapshot
from core.targets.fake.place import FakePlace
from tests.environments import V1, V2, Bridge, FakeEnvironment, begin, bodies, canary_plan, rollout, until, weights

NAMES = ("flowers", "petals")
BACK = {"blue": 100.0, "green": 0.0}
ON = {"blue": 0.0, "green": 100.0}


class Places(Bridge):
    """One journal over a place for each endpoint."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.places = {name: FakePlace() for name in NAMES}
        self.faults: dict[str, dict[str, list[Exception]]] = {name: {} for name in NAMES}

    def environment_of(self, endpoint: str, options: ev.Result) -> FakeEnvironment:
        made = FakeEnvironment(self.places[endpoint], self.folder, endpoint, None)
        made.faults = self.faults[endpoint]
        return made


@pytest.fixture
def store(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.fixture
def journal(store: Places) -> Iterator[Journal]:
    opened = store.journal()
    yield opened
    opened.close()


@pytest.fixture
async def engine(store: Places, journal: Journal) -> AsyncIterator[Engine]:
    async with store.engine(journal) as opened:
        yield opened


def together(number: int, plan: Plan) -> c.Begin:
    """A release of each endpoint's first or second version."""
    made = replace(begin((V1, V2)[number - 1], plan), target="fake")
    return as_one([replace(made, endpoint=name, release=f"{name}-{number}") for name in NAMES])


def over(number: int) -> object:
    def true(snapshot: Snapshot) -> bool:
        found = [snapshot.releases.get(f"{name}-{number}") for name in NAMES]
        return all(one is not None and not one.live and one.folder for one in found)

    return true


async def ended(engine: Engine, number: int) -> list[ev.Outcome | None]:
    snapshot = await until(engine, over(number))  # type: ignore[arg-type]
    return [snapshot.releases[f"{name}-{number}"].outcome for name in NAMES]


async def stand(engine: Engine) -> None:
    """V2 serves everywhere, V1 beside it."""
    await engine.do(together(1, all_at_once((), rollout())))
    assert await ended(engine, 1) == [ev.Outcome.DONE] * 2
    await engine.do(together(2, canary_plan()))
    assert await ended(engine, 2) == [ev.Outcome.DONE] * 2


async def test_all_are_driven_to_the_end_and_back_by_one_key(store: Places, engine: Engine) -> None:
    await stand(engine)
    assert [weights(store.places[name]) for name in NAMES] == [ON, ON]
    await engine.do(c.Rollback("petals", engine.now()))
    assert await ended(engine, 2) == [ev.Outcome.ROLLED_BACK] * 2
    assert [weights(store.places[name]) for name in NAMES] == [BACK, BACK]
    await engine.do(c.Undo("flowers"))
    await until(engine, lambda s: all(r.outcome is ev.Outcome.DONE for r in s.releases.values()))
    assert [weights(store.places[name]) for name in NAMES] == [ON, ON]


async def test_a_smoke_test_that_fails_in_one_moves_nobodys_traffic(
    store: Places, engine: Engine, journal: Journal
) -> None:
    await engine.do(together(1, all_at_once((), rollout())))
    await ended(engine, 1)
    store.faults["petals"]["smoke"] = [Failed("3 of 5")]
    before = engine.snapshot.seq
    await engine.do(together(2, canary_plan()))
    assert await ended(engine, 2) == [ev.Outcome.FAILED] * 2
    routed = [e.body for e in journal.read(before, 10_000) if isinstance(e.body, ev.Routed)]
    assert not [body for body in routed if body.weights.get("green")]
    assert engine.snapshot.releases["flowers-2"].why == "with petals: smoke: 3 of 5"


async def test_the_way_back_of_all_is_one_write(engine: Engine, journal: Journal) -> None:
    await stand(engine)
    await engine.do(c.Rollback("flowers", engine.now(), "late"))
    await ended(engine, 2)
    turned = [e for e in journal.read(0, 10_000) if isinstance(e.body, ev.TurnedBack)]
    assert turned[1].seq == turned[0].seq + 1
    assert [e.body.follows for e in turned if isinstance(e.body, ev.TurnedBack)] == ["", "flowers-2"]


async def test_whoever_drives_next_brings_all_of_them_home(store: Places) -> None:
    first = store.journal()
    async with store.engine(first) as engine:
        await stand(engine)
    # Nobody drives; what is asked is written down, and the process is gone before anything moved.
    turned = ev.TurnedBack("flowers-2", ev.Outcome.ROLLED_BACK, "rolled back")
    follows = replace(turned, release="petals-2", why="with flowers: rolled back", follows="flowers-2")
    first.append((turned, follows), "ada", first.clock.now())
    first.close()
    second = store.journal()
    async with store.engine(second, "watch") as engine:
        for name in NAMES:
            engine.attend(name)
        assert await ended(engine, 2) == [ev.Outcome.ROLLED_BACK] * 2
    second.close()
    assert [weights(store.places[name]) for name in NAMES] == [BACK, BACK]


async def test_none_begins_where_one_can_not(engine: Engine, journal: Journal) -> None:
    await stand(engine)
    alone = replace(begin(V1, canary_plan(hold_s=600.0)), target="fake", endpoint="petals", release="petals-3")
    await engine.do(alone)
    with pytest.raises(Refused, match="petals: petals-3 is under way"):
        await engine.do(as_one([replace(alone, endpoint=name, release=f"{name}-4") for name in NAMES]))
    assert "flowers-4" not in {body.release for body in bodies(journal, ev.Began)}

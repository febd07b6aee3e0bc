"""How a watch ends."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from core.state import commands as c
from core.watch import main
from tests.environments import V2, Bridge, at, begin, canary_plan, ended, serve, until


@pytest.mark.parametrize("patient", [True, False])
async def test_a_watch_that_is_to_end_first_brings_a_way_back_to_its_end_or_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patient: bool
) -> None:
    monkeypatch.setattr(main, "BACK_S", 60.0 if patient else 0.05)
    store = Bridge(tmp_path)
    journal = store.journal()
    async with store.engine(journal, "watch") as engine:
        await serve(engine)
        await main._until_back(engine)
        await engine.do(begin(V2, canary_plan(600.0)))
        await at(engine, "r2", 10)
        await main._until_back(engine)
        store.place.stall("route")
        await engine.do(c.Rollback("late"))
        await until(engine, lambda s: s.releases["r2"].way)
        ending = asyncio.create_task(main._until_back(engine))
        if not patient:
            await ending
        assert engine.snapshot.releases["r2"].live
        store.place.push(replace(store.place.slots["green"], weight=0.0, proved_by=0))
        store.place.push(replace(store.place.slots["blue"], weight=100.0, proved_by=20))
        await ended(engine, "r2")
        await ending
    journal.close()

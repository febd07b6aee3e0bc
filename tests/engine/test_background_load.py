"""A load by hand belongs to the process that asked for it; nobody's terminal begins it again."""

import asyncio
from dataclasses import replace

import pytest

from core.domain.load_profile import LoadOutcome
from core.engine import background_load
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.system.processes import process_id, whoami
from tests.environments import STEADY, Bridge, bodies, serve, until

ENDED = whoami().rsplit("/", 1)[0] + "/1"
"""A process with this number that began at another time: it is gone."""
ELSEWHERE = "another-machine/boot/1/1"


async def wished(store: Bridge, asked: c.StartLoad) -> None:
    """A terminal asks for load and is killed before anybody sends it."""
    journal = store.journal()
    async with store.engine(journal) as engine:
        await serve(engine)
        facts = accept(asked, engine.snapshot, 1.0)
    journal.append(facts, "ada", 2.0)
    journal.close()


async def test_opening_the_deck_begins_no_load_that_a_closed_terminal_had_asked_for(store: Bridge) -> None:
    await wished(store, c.StartLoad("late", STEADY, by=ENDED))
    journal = store.journal()
    async with store.engine(journal, "bob") as deck:
        deck.attend("late")
        seen = await until(deck, lambda s: not s.endpoints["late"].load.running)  # type: ignore[union-attr]
        load = seen.endpoints["late"].load
        assert load is not None
        assert (load.how, load.why) == (LoadOutcome.STOPPED, background_load.CLOSED)
    assert [load for site in store.sites for load in site.loads] == []
    assert len(bodies(journal, ev.LoadStarted)) == len(bodies(journal, ev.LoadEnded)) == 1
    journal.close()


@pytest.mark.parametrize(
    "asked",
    [
        c.StartLoad("late", STEADY),
        c.StartLoad("late", STEADY, by=ENDED, stay=True),
        c.StartLoad("late", STEADY, by=ELSEWHERE),
    ],
    ids=["its asker is there", "it was said to stay", "its asker is on another machine"],
)
async def test_another_driver_goes_on_with_a_load(store: Bridge, asked: c.StartLoad) -> None:
    await wished(store, asked)
    journal = store.journal()
    async with store.engine(journal, "bob") as deck:
        deck.attend("late")
        async with asyncio.timeout(10):
            while not any(site.loads for site in store.sites):
                await deck.change(0.1)
        assert deck.snapshot.endpoints["late"].load.running  # type: ignore[union-attr]
    journal.close()


async def test_a_load_ends_when_its_asker_does(store: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = False
    monkeypatch.setattr(background_load, "has_gone", lambda who: gone and who == whoami())
    journal = store.journal()
    async with store.engine(journal) as engine:
        await serve(engine)
        await engine.do(c.StartLoad("late", STEADY))
        site = store.sites[-1]
        async with asyncio.timeout(5):
            await site.load_started.wait()
        gone = True
        seen = await until(engine, lambda s: not s.endpoints["late"].load.running)  # type: ignore[union-attr]
        load = seen.endpoints["late"].load
        assert load is not None
        assert (load.how, load.why, site.loads[0].closed) == (LoadOutcome.STOPPED, background_load.CLOSED, True)
    assert len(bodies(journal, ev.LoadStarted)) == len(bodies(journal, ev.LoadEnded)) == 1
    journal.close()


async def test_a_stop_that_nobody_carried_out_ends_the_wish(store: Bridge) -> None:
    await wished(store, c.StartLoad("late", STEADY))
    journal = store.journal()
    journal.append((ev.LoadWanted("late", stop=True),), "ada", 3.0)
    async with store.engine(journal, "bob") as deck:
        deck.attend("late")
        seen = await until(deck, lambda s: not s.endpoints["late"].load.running)  # type: ignore[union-attr]
        assert seen.endpoints["late"].load.why == "stopped by ada"  # type: ignore[union-attr]
    assert [load for site in store.sites for load in site.loads] == []
    journal.close()


def test_the_asker_of_a_load_is_this_very_process() -> None:
    me = process_id()
    assert me is not None
    assert c.StartLoad("late", STEADY).by == whoami()
    assert whoami().endswith(f"/{me.pid}/{me.started}")
    assert replace(c.StartLoad("late", STEADY), by="") == c.StartLoad("late", STEADY)

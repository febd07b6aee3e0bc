"""A copy of the traffic on this machine: to whom it goes, what is counted of it, and that it hurts nobody."""

import json

import psutil

from core.domain.sample import Sample
from core.targets.local import records
from core.targets.local.client import LocalTarget
from core.targets.local.counters import Counters, parse
from core.targets.local.http import Connection
from core.targets.local.routes import PAIR_HEADER
from tests.targets.conftest import Endpoints
from tests.targets.helpers import Watcher, ask, loading, two_slots, watching, where
from tests.targets.test_local_metrics import PAGE, asked, lines


def _total(watcher: Watcher, slot: str) -> Sample:
    """All that was counted of a slot."""
    found = [one for one in watcher.reports if isinstance(one, Sample) and one.slot == slot]
    return sum(found, Sample(slot, 0.0, seconds=0.0))


def replicas_of(target: LocalTarget, slot: str) -> list[psutil.Process]:
    """The processes that serve a slot."""
    pools = [path for path in target.spec.folder.glob("run/*/pool.json") if records.read(path).get("slot") == slot]
    found = [records.process_in(records.read(path)) for pool in pools for path in pool.parent.glob("replica-*.json")]
    return [psutil.Process(one.pid) for one in found if one is not None]


async def test_a_mirrored_slot_gets_a_share_of_copies_and_nobody_its_answers(endpoints: Endpoints) -> None:
    endpoints.model("2", status=500)
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        await target.route({"blue": 100}, mirror={"green": 20})
        await watcher.until(lambda: watcher.slots["green"].mirror == 20)
        async with loading(await target.address()) as load:
            await load.more(1000)
        assert not load.failed
        assert set(load.answers) == {"1"}
        # All of it was counted, each on its side.
        await watcher.until(lambda: _total(watcher, "blue").ok >= load.count)
        await target.route({"blue": 100})
        await watcher.until(lambda: watcher.slots["green"].mirror == 0)
        seen = len(watcher.reports)
        async with loading(await target.address()) as load:
            await load.more(100)
        await watcher.until(lambda: any(isinstance(one, Sample) and one.ok for one in watcher.reports[seen:]))
    green, blue = _total(watcher, "green"), _total(watcher, "blue")
    assert (blue.mirrored, blue.failures) == (0, 0)
    assert (green.ok, green.mirrored) == (0, green.failures)
    assert dict(green.mix) == {"version:2": green.mirrored}
    assert 0.1 < green.mirrored / 1000 < 0.35


async def test_a_mirrored_slot_that_hangs_costs_users_nothing(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        await target.route({"blue": 100}, mirror={"green": 50})
        await watcher.until(lambda: watcher.slots["green"].mirror == 50)
        async with loading(await target.address(), body=b"x" * 200_000) as load:
            await load.more(50)
            for replica in replicas_of(target, "green"):
                replica.suspend()
            # More than may be under way: the rest is not made, and said.
            await load.more(300)
            await watcher.noted("green does not keep up with the copies")
        assert not load.failed
        assert set(load.answers) == {"1"}


async def test_a_mirrored_slot_that_crashes_costs_users_nothing(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        await target.route({"blue": 100}, mirror={"green": 50})
        await watcher.until(lambda: watcher.slots["green"].mirror == 50)
        async with loading(await target.address()) as load:
            for _ in range(3):
                await load.more(100)
                for replica in replicas_of(target, "green"):
                    replica.kill()
            await load.more(100)
        assert not load.failed
        assert set(load.answers) == {"1"}


async def test_copies_stand_apart_on_the_page_of_counters(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        address = await target.address()
        await target.route({"blue": 100}, mirror={"green": 50})
        await watcher.until(lambda: watcher.slots["green"].mirror == 50)
        async with loading(address) as load:
            await load.more(200)
        await target.route({"blue": 100})
        await watcher.until(lambda: watcher.slots["green"].mirror == 0)
        line = await Connection.open(where(address))
        page = parse((await line.ask("/metrics")).body.decode()).values
        line.close()
        # A copy that was not made for want of room may be missing, and one by chance of each side in between.
        assert load.count <= page["answers_total"] <= load.count + load.users
        assert 60 < page["mirrored_answers_total"] < 140


def test_what_was_counted_of_copies_stands_apart_and_stays_there() -> None:
    counters = Counters()
    counters.take("a", parse(PAGE))
    counters.take("b", parse(asked(4)))
    for number in (10, 12):
        counters.take("b", parse(asked(number)), copies=True)
    # It gets traffic, and its host is another one.
    counters = Counters.from_json(json.loads(json.dumps(counters.to_json())))
    counters.take("b", parse(asked(15)))
    counters.take("a", parse(PAGE))
    page = counters.render()
    assert lines(page, "asked_total ") == ["asked_total 7"]
    assert lines(page, "mirrored_") == ["mirrored_asked_total 8"]
    assert lines(page, "in_flight") == ["in_flight 18"]
    assert "# HELP mirrored_asked_total Of copies of requests: Answers, by status." in page
    assert parse(page).families["mirrored_asked_total"].kind == "counter"


def test_what_an_older_host_counted_had_no_copies() -> None:
    counters = Counters()
    counters.take("a", parse(asked(3)))
    older = {name: one for name, one in counters.to_json().items() if name not in {"copies", "ended_copies"}}
    assert Counters.from_json(older).sums() == {"asked_total": 3.0}


async def test_only_what_is_copied_is_marked_and_nobody_outside_can_mark(endpoints: Endpoints) -> None:
    target = endpoints.target()
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        address = await target.address()
        address = type(address)(address.url, {**address.headers, PAIR_HEADER: "mine"}, address.key)
        _, _, told = await ask(address, "/echo")
        assert PAIR_HEADER not in told["x-heard"].lower()
        await target.route({"blue": 100}, mirror={"green": 50})
        await watcher.until(lambda: watcher.slots["green"].mirror == 50)
        heard = [(await ask(address, "/echo"))[2]["x-heard"].lower() for _ in range(40)]
        marks = [words.split(f"{PAIR_HEADER}: ")[1].split()[0] for words in heard if PAIR_HEADER in words]
        assert 5 < len(marks) < 35
        assert len(set(marks)) == len(marks)
        assert "mine" not in marks

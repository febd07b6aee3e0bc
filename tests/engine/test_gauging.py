"""What gates need to know is asked of sources elsewhere while a hold lasts; whatever goes wrong is an answer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core.domain.errors import Unreachable
from core.domain.gates import Gate
from core.domain.plan import Plan
from core.domain.sources import MetricSource, SourceAnswer
from core.engine import gauging
from core.engine.engine import Engine
from core.journal.journal import Journal
from core.state import commands as c, events as ev
from tests.environments import V2, Bridge, FakeEnvironment, at, begin, bodies, canary_plan, ended, serve, until

FIGURE = MetricSource(
    "figure", "prometheus", "http://prom/{{endpoint}}", 'x{slot="{{slot}}",v="{{version}}"}', every_s=0.05
)
GATE = Gate("figure", "<", 5.0, at_least=1, source="prometheus prom")
BESIDE = replace(GATE, limit=50.0, against="live")


@pytest.fixture
async def engine(store: Bridge, journal: Journal) -> AsyncIterator[Engine]:
    async with store.engine(journal) as opened:
        await serve(opened)
        yield opened


def plan(*gates: Gate, hold_s: float = 600.0, source: MetricSource = FIGURE) -> Plan:
    return replace(canary_plan(hold_s, gates or (GATE,)), sources=(source,))


def says(store: Bridge, *answers: SourceAnswer | Exception) -> None:
    def write(site: FakeEnvironment) -> None:
        site.figures["figure"] = list(answers)

    store.write_site = write
    for site in store.sites:
        write(site)


async def test_a_figure_beyond_its_limit_takes_the_release_back(
    store: Bridge, engine: Engine, journal: Journal
) -> None:
    says(store, SourceAnswer(1.0), SourceAnswer(2.0), SourceAnswer(7.5))
    await engine.do(begin(V2, plan()))
    over = await ended(engine, "r2")
    assert over.outcome is ev.Outcome.FAILED
    assert "figure 7.5 is not < 5 over its newest value" in over.why
    found = bodies(journal, ev.Gauged)
    assert [(one.endpoint, one.slot, one.metric, one.value) for one in found][:3] == [
        ("late", "green", "figure", 1.0),
        ("late", "green", "figure", 2.0),
        ("late", "green", "figure", 7.5),
    ]
    asked = [one for site in store.sites for one in site.asked]
    assert {(one.url, one.query) for one in asked} == {("http://prom/late", 'x{slot="green",v="2"}')}


async def test_against_live_both_slots_are_asked_by_their_names(store: Bridge, engine: Engine) -> None:
    says(store, SourceAnswer(3.0))
    await engine.do(begin(V2, plan(GATE, BESIDE)))
    await until(engine, lambda s: (m := s.measured.get("late")) and len(m.gauges) == 2)
    queries = {one.query for site in store.sites for one in site.asked}
    assert queries == {'x{slot="green",v="2"}', 'x{slot="blue",v="1"}'}
    await engine.do(c.Abort("late"))
    await ended(engine, "r2")


async def test_five_errors_in_a_row_end_it_in_one_line(store: Bridge, engine: Engine, journal: Journal) -> None:
    says(store, Unreachable("answered 503"))
    await engine.do(begin(V2, plan()))
    over = await ended(engine, "r2")
    assert "figure could not be measured: prometheus prom: answered 503" in over.why
    assert all(one.failed and one.value is None for one in bodies(journal, ev.Gauged))


@pytest.mark.parametrize(
    ("said", "why", "failed"),
    [
        (
            ZeroDivisionError("x"),
            "prometheus prom: ZeroDivisionError, a fault in how it is asked (the log has more)",
            True,
        ),
        (TimeoutError(), "prometheus prom: no answer within 3 s", True),
        (SourceAnswer(float("nan")), "prometheus prom: is no finite number", False),
        (SourceAnswer(None, None, "a\x1b[31m\nb"), "prometheus prom: a b", False),
        (SourceAnswer(None), "prometheus prom: no value", False),
        (Unreachable("x" * 5000), "prometheus prom: " + "x" * 199 + "…", True),
    ],
)
async def test_whatever_a_source_does_is_an_answer(
    store: Bridge, engine: Engine, journal: Journal, said: SourceAnswer | Exception, why: str, failed: bool
) -> None:
    says(store, said)
    await engine.do(begin(V2, plan(replace(GATE, dry_run=True))))
    await until(engine, lambda s: (m := s.measured.get("late")) and m.gauges)
    first = bodies(journal, ev.Gauged)[0]
    assert (first.value, first.why, first.failed) == (None, why, failed)
    await engine.do(c.Abort("late"))
    await ended(engine, "r2")


async def test_a_version_that_can_not_be_filled_in_is_an_answer_too(
    store: Bridge, engine: Engine, journal: Journal
) -> None:
    await engine.do(begin(replace(V2, number='2"} or x{'), plan(replace(GATE, dry_run=True)), "r2"))
    await until(engine, lambda s: (m := s.measured.get("late")) and m.gauges)
    assert "can't be filled in" in bodies(journal, ev.Gauged)[0].why
    await engine.do(c.Abort("late"))
    await ended(engine, "r2")


async def test_a_value_from_tomorrow_is_of_now(store: Bridge, engine: Engine, journal: Journal) -> None:
    says(store, SourceAnswer(1.0, 9e12))
    await engine.do(begin(V2, plan()))
    await until(engine, lambda s: (m := s.measured.get("late")) and m.gauges)
    assert bodies(journal, ev.Gauged)[0].at < 9e12
    await engine.do(c.Abort("late"))
    await ended(engine, "r2")


async def test_a_source_that_hangs_holds_up_no_way_back(store: Bridge, engine: Engine) -> None:
    hung, forever = asyncio.Event(), asyncio.Event()

    class Hanging(FakeEnvironment):
        async def gauge(self, source: MetricSource) -> SourceAnswer:
            hung.set()
            await forever.wait()
            raise AssertionError

    for site in store.sites:
        site.__class__ = Hanging
    await engine.do(begin(V2, plan(source=replace(FIGURE, timeout_s=600.0))))
    await at(engine, "r2", 10)
    async with asyncio.timeout(10):
        await hung.wait()
    await engine.do(c.Rollback("late"))
    assert (await ended(engine, "r2")).outcome is ev.Outcome.ROLLED_BACK


async def test_nobody_is_asked_without_a_hold_that_wants_to_know(store: Bridge, engine: Engine) -> None:
    release = engine.snapshot.releases["r1"]
    assert gauging.questions(release) == ()
    await engine.do(begin(V2, canary_plan(600.0)))
    held = await at(engine, "r2", 10)
    assert gauging.questions(held) == ()
    assert gauging.questions(replace(held, plan=plan())) == ()
    await engine.do(c.Abort("late"))
    await ended(engine, "r2")

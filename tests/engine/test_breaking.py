"""A version that callers can't go on with: a person is asked at the gate, and nobody is a no."""

from pathlib import Path

import pytest

from core.domain.plan import Plan, Summarise, Work
from core.state import commands as c, events as ev
from core.state.release import Release
from core.work.job import Done
from tests.environments import V2, Bridge, FakeEnvironment, begin, ended, serve, until

WHY = "callers of the version that serves: hour is gone (release.allow_breaking: true lets it through)"
ROW = {"metric": "breaking", "op": "<=", "limit": 0.0, "value": 1.0, "against": None, "outcome": "FAIL", "why": WHY}
PLAN = Plan("train only", (Work("gate"), Work("register"), Summarise()))


@pytest.fixture
def store(tmp_path: Path) -> Bridge:
    """Gates find that something breaks, and nothing else is wrong."""
    made = Bridge(tmp_path)

    def write(site: FakeEnvironment) -> None:
        site.results["gate"] = Done({"passed": False, "verdicts": [ROW], "asks": f"{WHY}: go on?"}, "1 failed")

    made.write_site = write
    return made


@pytest.mark.parametrize(
    ("ask_s", "yes", "outcome", "why"),
    [
        (0.0, None, ev.Outcome.FAILED, f"gate: {WHY}"),
        (600.0, True, ev.Outcome.DONE, ""),
        (600.0, False, ev.Outcome.ABORTED, f"a person said no to: {WHY}: go on?"),
    ],
    ids=["nobody is there", "a person says yes", "a person says no"],
)
@pytest.mark.parametrize("auto_approve", [False, True], ids=["", "approved beforehand"])
async def test_a_person_decides(
    store: Bridge, ask_s: float, yes: bool | None, outcome: ev.Outcome, why: str, auto_approve: bool
) -> None:
    journal = store.journal()
    async with store.engine(journal) as engine:
        await serve(engine)
        await engine.do(begin(V2, PLAN, ask_s=ask_s, auto_approve=auto_approve))
        if yes is not None:
            await until(engine, lambda s: _asked(s.releases["r2"]))
            await engine.do(c.Answer("late", yes))
        over = await ended(engine, "r2")
    assert (over.outcome, over.why) == (outcome, why)
    assert sum(name == "gate" for name, _ in store.sites[0].worked) == 1, "it is not judged again after the answer"
    journal.close()


def _asked(release: Release) -> bool:
    step = release.current
    return step is not None and step.question is not None


async def test_whoever_takes_over_asks_on_and_does_not_judge_again(store: Bridge) -> None:
    journal = store.journal()
    async with store.engine(journal) as engine:
        await serve(engine)
        await engine.do(begin(V2, PLAN))
        await until(engine, lambda s: _asked(s.releases["r2"]))
    async with store.engine(journal, "bob") as engine:
        engine.attend("late")
        await until(engine, lambda s: _asked(s.releases["r2"]))
        await engine.do(c.Answer("late", True))
        assert (await ended(engine, "r2")).outcome is ev.Outcome.DONE
    assert sum(name == "gate" for site in store.sites for name, _ in site.worked) == 1
    journal.close()

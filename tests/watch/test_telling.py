"""Receivers on loopback that refuse: what is asked of people reaches them all the same, and nothing comes late."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.config.alerts import RULE_NAMES, AlertSettings
from core.domain.strategies import canary
from core.engine.engine import Engine
from core.state import commands as c, events as ev
from core.state.snapshot import Snapshot
from core.watch import alerting, telling
from core.watch.scopes import AlertScope
from tests.environments import V2, Bridge, begin, ended, rollout, serve, until
from tests.notify.receivers import HttpReceiver, http_receiver
from tests.watch.watched import watched

ASKING = canary((), replace(rollout(), question="all of it?"), (10, 100))
SETTINGS = {
    "rules": dict.fromkeys(RULE_NAMES, False),
    "receivers": {"ops": {"kind": "webhook", "url_env": "HOOK", "timeout_s": 5.0}},
    "answers": {"url": "https://deck.example.org"},
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerting, "REST_S", 0.1)


@contextlib.asynccontextmanager
async def told(folder: Path, hook: HttpReceiver) -> AsyncIterator[Engine]:
    """An engine as the watch's, that tells of its releases."""
    given = {"late": AlertScope("dev", False, AlertSettings.model_validate(SETTINGS))}
    async with watched(Bridge(folder), given, {"HOOK": hook.url}) as engine:
        yield engine


async def served(engine: Engine, hook: HttpReceiver) -> None:
    """The first version serves, and people know."""
    await serve(engine)
    done = "late: release is done"
    await until(engine, lambda s: done in [one.body["title"] for one in hook.got] and not s.endpoint("late").untold)


def titles(snapshot: Snapshot) -> list[str]:
    return [one.notice.title for one in snapshot.endpoint("late").untold]


def asks(snapshot: Snapshot) -> bool:
    release = snapshot.releases.get("r2")
    return release is not None and release.current is not None and release.current.question is not None


async def test_a_question_reaches_a_receiver_that_refused_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try of the first message is an hour away, and the question is told at once."""
    monkeypatch.setattr(telling, "AGAIN_S", (3600.0,))
    async with http_receiver() as hook, told(tmp_path, hook) as engine:
        await served(engine, hook)
        hook.statuses.append(500)
        await engine.do(begin(V2, ASKING))
        await until(engine, lambda s: asks(s) and any("waits for you" in one.body["title"] for one in hook.got))
        assert [one.body["title"] for one in hook.refused] == ["late: release begins"]
        # Whoever takes one is well: what waited for the next try does so no more.
        await until(engine, lambda s: not s.endpoint("late").untold)
        assert engine.snapshot.endpoint("late").failing == {}
    question, first = [one.body for one in hook.got][-2:]
    assert question["approve_url"].startswith("https://deck.example.org/answer/")
    assert first["title"] == "late: release begins"


async def test_what_was_answered_and_ended_meanwhile_is_not_told_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "AGAIN_S", (0.5,))
    monkeypatch.setattr(telling, "TRIES", 1000)
    async with http_receiver() as hook, told(tmp_path, hook) as engine:
        await served(engine, hook)
        before = len(hook.got)
        hook.statuses += [500] * 1000
        await engine.do(begin(V2, ASKING))
        waiting = ["late: release begins", "late: release waits for you"]
        await until(engine, lambda s: titles(s) == waiting and all(one.tries for one in s.endpoint("late").untold))
        assert "answered 500" in engine.snapshot.endpoint("late").failing["ops"].why
        await engine.do(c.Answer("late", True))
        assert (await ended(engine, "r2")).outcome is ev.Outcome.DONE
        await until(engine, lambda s: titles(s) == ["late: release is done"])
        hook.statuses.clear()
        await until(engine, lambda s: not s.endpoint("late").untold)
        gone = {e.body.why for e in engine.since(0) if isinstance(e.body, ev.Overtaken)}
    assert [one.body["title"] for one in hook.got[before:]] == ["late: release is done"]
    assert gone == {"the question is open no more", "the release has ended"}


async def test_what_waited_for_long_enough_is_laid_by_with_the_next_try_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "AGAIN_S", (0.2,))
    monkeypatch.setattr(telling, "TRIES", 1000)
    async with http_receiver(statuses=[500] * 1000) as hook, told(tmp_path, hook) as engine:
        await serve(engine)
        await engine.do(begin(V2, ASKING))
        await until(engine, lambda s: len(titles(s)) > 1 and all(one.tries for one in s.endpoint("late").untold))
        monkeypatch.setattr(telling, "WAITS_S", 0.0)
        await until(engine, lambda s: not titles(s))
        dead = [e.body for e in engine.since(0) if isinstance(e.body, ev.TellingFailed) and e.body.dead]
        assert engine.snapshot.endpoint("late").failing["ops"].since <= dead[0].again_at
    assert len((tmp_path / "dead-letters.jsonl").read_text().splitlines()) == len(dead) > 1

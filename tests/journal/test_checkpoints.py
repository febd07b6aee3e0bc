"""What happened long ago is folded once, and adds up to the same."""

import contextlib
import dataclasses
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.domain.gates import Gate
from core.domain.histogram import Histogram
from core.domain.model import Observation, Replica, ReplicaState
from core.domain.plan import Hold
from core.domain.sample import Sample
from core.engine.slot_facts import SlotFacts
from core.journal import checkpoint, journal as journal_module
from core.journal.journal import RECENT_S, Journal
from core.journal.retention import DAY_S, maintain
from core.state import codec, events as ev, snapshot as snapshot_module
from core.state.fold import fold, fold_all
from core.state.reversal import rollback_of
from core.state.snapshot import Checkpoint, Snapshot
from tests.environments import V1, V2, begin, canary_plan
from tests.rollout.test_decide import holding
from tests.world import World, serving

NOW = 2_000_000_000.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal(tmp_path / "journal.db")) as opened:
        yield opened


def written(journal: Journal, world: World, ends: float = NOW) -> None:
    """The world's events, moved in time so that they end at a moment."""
    shift = ends - world.events[-1].at
    for event in world.events:
        journal.append([event.body], event.who, event.at + shift)


def known(snapshot: Snapshot) -> object:
    """A snapshot as what can be compared, but for its series."""
    bare = codec.plain((dict(snapshot.releases), dict(snapshot.endpoints), snapshot.log, dict(snapshot.measured)))
    return (snapshot.seq, snapshot.at, bare)


def released(times: int) -> World:
    world = serving()
    for number in range(times):
        world.do(begin((V2, V1)[number % 2], canary_plan(), release=f"again {number}"))
        world.run()
        world.now += 60
    return world


def test_a_journal_opened_from_a_checkpoint_knows_the_same(journal: Journal) -> None:
    world = released(12)
    written(journal, world, NOW - 3600)
    before = fold_all(journal.recent(NOW))
    journal.fold_until(NOW - RECENT_S)
    events = journal.recent(NOW)
    assert (journal.folded(), len(events)) == (before.seq, 1)
    assert known(fold_all(events)) == known(before)


def test_a_checkpoint_is_built_upon(journal: Journal) -> None:
    world = released(12)
    for event in world.events:
        journal.append([event.body], event.who, event.at)
        if event.seq % 50 == 0:
            journal.fold_until(event.at - 60)
    assert 0 < journal.folded() < journal.last()
    assert known(fold_all(journal.recent(world.now))) == known(fold_all(journal.read(0, 100_000)))


def test_of_two_processes_that_fold_at_once_one_is_believed(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    world = released(12)
    written(journal, world, NOW - 3600)
    saving = checkpoint.saving

    def another_first(*args: Any, **more: Any) -> Any:
        monkeypatch.setattr(checkpoint, "saving", saving)
        with contextlib.closing(Journal(journal.path)) as other:
            other.fold_until(NOW - 3700)
        return saving(*args, **more)

    monkeypatch.setattr(checkpoint, "saving", another_first)
    journal.fold_until(NOW - RECENT_S)
    assert 0 < journal.folded() < journal.last()
    assert known(fold_all(journal.recent(NOW))) == known(fold_all(journal.read(0, 100_000)))


def test_a_hold_under_way_keeps_what_it_measured_through_a_checkpoint(journal: Journal) -> None:
    world = holding(hold=Hold(7200.0, (Gate("failed_percent", "<", 5.0), Gate("p95_ms", "<", 9.0, window_s=600.0))))
    for _ in range(1500):
        world.now += 1
        world.measure("green", 10, 1)
    written(journal, world, world.now)
    for _ in range(2):
        measured = fold_all(journal.recent(world.now)).measured["late"]
        for window_s, seconds in ((0.0, 1499), (600.0, 600)):
            total = measured.over("green", window_s, world.now)
            assert total is not None
            assert abs(total.seconds - seconds) <= 1
        journal.fold_until(world.now - RECENT_S)
    assert journal.folded() > 0


def folded(journal: Journal, at: float) -> Snapshot:
    journal.fold_until(at)
    assert journal.folded() > 0
    return fold_all(journal.recent(NOW))


def test_the_newest_releases_are_at_hand_and_the_others_are_found(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "KEEP_RELEASES", 3)
    written(journal, released(12), NOW - 3600)
    snapshot = folded(journal, NOW - RECENT_S)
    assert list(snapshot.releases) == ["again 9", "again 10", "again 11"]
    old = journal.release("again 2")
    assert old is not None
    assert (old.outcome, len(old.steps)) == (ev.Outcome.DONE, len(canary_plan().steps))
    assert journal.release("never") is None


def test_a_release_that_no_snapshot_holds_any_more_is_found_too(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_module, "KEEP_RELEASES", 2)
    written(journal, released(12), NOW - 3600)
    assert list(folded(journal, NOW - RECENT_S).releases)[-2:] == ["again 10", "again 11"]
    assert len(fold_all(journal.read(0, 100_000)).releases) <= 5
    assert all(journal.release(f"again {number}") for number in range(12))


def test_what_a_way_back_may_be_asked_of_is_at_hand_however_long_ago(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "KEEP_RELEASES", 1)
    world = released(3)
    world.fail["alias"] = "no registry"
    for number in range(4):
        world.do(begin(V2, canary_plan(), release=f"failed {number}"))
        world.run()
        world.now += 60
    written(journal, world, NOW - 3600)
    snapshot = folded(journal, NOW - RECENT_S)
    assert list(snapshot.releases) == ["again 2", "failed 3"]
    for now, then in zip(
        *((rollback_of(s, "late"), s.release_of("late")) for s in (snapshot, world.snapshot)), strict=True
    ):
        assert now is not None
        assert then is not None
        assert now.id == then.id


def test_a_checkpoint_holds_all_of_a_snapshot() -> None:
    kept = {field.name for field in dataclasses.fields(Checkpoint)}
    assert kept == {field.name for field in dataclasses.fields(Snapshot)} - {"releases", "series"}


def test_a_checkpoint_in_another_shape_is_made_anew_from_the_facts(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(journal, released(6), NOW - 3600)
    before = folded(journal, NOW - RECENT_S)
    monkeypatch.setattr(codec, "shape", lambda: "other")
    assert journal.kept().seq == 0
    assert known(fold_all(journal.recent(NOW))) == known(before)
    # Whoever opens it next need not fold it again, watch or no watch.
    assert journal.kept().seq > 0
    assert known(folded(journal, NOW - RECENT_S)) == known(before)


def test_who_may_only_read_folds_for_themselves(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    written(journal, released(6), NOW - 3600)
    before = folded(journal, NOW - RECENT_S)
    monkeypatch.setattr(codec, "shape", lambda: "other")
    with contextlib.closing(Journal(journal.path, read_only=True)) as reader:
        assert known(fold_all(reader.recent(NOW))) == known(before)
        assert reader.kept().seq == 0


def test_each_replicas_last_word_is_known_however_old(journal: Journal) -> None:
    rng, facts, snapshot = random.Random(1), SlotFacts("late"), Snapshot()
    states = dict.fromkeys((f"blue-{n}" for n in range(9)), ReplicaState.STARTING)
    for second in range(60):
        states[f"blue-{rng.randrange(12)}"] = rng.choice(list(ReplicaState))
        states.pop(f"blue-{rng.randrange(12)}", None)
        replicas = tuple(Replica(name, state, float(second)) for name, state in states.items())
        seen = Observation("blue", V1, 9, second, 100.0, replicas)
        at = NOW - 7200 + second
        for body in facts.of(snapshot.endpoint("late").slots.get("blue"), seen, at):
            journal.append([body], "ada", at)
            snapshot = fold(snapshot, ev.Event(journal.last(), at, "ada", body))
    (again,) = fold_all(journal.recent(NOW)).endpoint("late").slots.values()
    (before,) = snapshot.endpoint("late").slots.values()
    assert replace(again, replicas=()) == replace(before, replicas=())
    assert set(again.replicas) == set(before.replicas)
    assert len(journal.recent(NOW)) <= 14


# What is old


def hours(journal: Journal, count: float, ends: float = NOW) -> None:
    """A slot's samples a second apart, with what was seen of it and lines of its log."""
    begin_at = int(ends - count * 3600)
    bodies: list[ev.Body] = []
    for at in range(begin_at, int(ends)):
        sample = Sample("blue", float(at), 10, {"500": 1}, None, Histogram.of([5.0, 7.0]), {"version:1": 11})
        bodies = [ev.Sampled("late", sample), ev.UsageSeen("late", "blue", {"blue-1": (float(at % 60), 60.0)})]
        if at % 600 == 0:
            bodies += [ev.Routed("late", {"blue": 100.0}), ev.Logged("late", "blue-1", f"line {at}")]
        journal.append(bodies, "ada", float(at))


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "SYNCED", ())


def test_old_telemetry_becomes_coarser_and_adds_up_to_the_same(journal: Journal, unsynced: None) -> None:
    hours(journal, 1)
    facts = [event for event in journal.read(0, 100_000) if isinstance(event.body, ev.Routed)]
    while not maintain(journal, NOW, 14):
        pass
    events = journal.read(0, 100_000)
    assert [event.seq for event in events] == sorted(event.seq for event in events)
    samples = [event.body.sample for event in events if isinstance(event.body, ev.Sampled)]
    assert sum(sample.ok for sample in samples) == 36_000
    assert sum(sample.latency.count for sample in samples) == 7200
    old = [sample for sample in samples if sample.at < NOW - RECENT_S - 60]
    assert 260 < len(old) < 280
    assert {sample.seconds for sample in old} == {10.0}
    assert len([sample for sample in samples if sample.seconds == 1.0]) >= RECENT_S
    assert [event for event in events if isinstance(event.body, ev.Routed)] == facts
    assert len([event for event in events if isinstance(event.body, ev.Logged)]) == 6
    assert maintain(journal, NOW, 14)
    assert journal.read(0, 100_000) == events


def test_what_was_measured_around_a_way_back_stays_as_fine_as_it_was(journal: Journal, unsynced: None) -> None:
    turned_at = NOW - 2 * DAY_S - 1000
    hours(journal, 0.5, NOW - 2 * DAY_S)
    journal.append([ev.TurnedBack("r", ev.Outcome.FAILED, "errors")], "watch", turned_at)
    while not maintain(journal, NOW, 14):
        pass
    samples = [event.body.sample for event in journal.read(0, 100_000) if isinstance(event.body, ev.Sampled)]
    near = [sample.seconds for sample in samples if turned_at - 110 <= sample.at <= turned_at + 25]
    assert len(near) > 130
    assert set(near) == {1.0}
    far = [sample.seconds for sample in samples if sample.at < turned_at - 300 or sample.at > turned_at + 150]
    assert (min(far) >= 10, max(far)) == (True, 60.0)


def test_after_a_day_a_minute_is_one_word_and_after_its_time_there_is_none(journal: Journal, unsynced: None) -> None:
    hours(journal, 0.5, NOW - 2 * DAY_S)
    hours(journal, 0.5)
    for days, seconds in ((14, 60.0), (1, None)):
        while not maintain(journal, NOW, days):
            pass
        kept = [event.body.sample for event in journal.read(0, 100_000) if isinstance(event.body, ev.Sampled)]
        old = [sample for sample in kept if sample.at < NOW - DAY_S]
        assert {sample.seconds for sample in old if sample.seconds >= 59} == ({seconds} if seconds else set())
        assert len(old) in ((30, 31) if seconds else (0,))
    routed = [event for event in journal.read(0, 100_000) if isinstance(event.body, ev.Routed)]
    assert len(routed) == 6, "nothing of the audit goes"
    assert "blue-1" in str(journal.recent(NOW)[0].body), "the last word on a slot stays"


def test_a_place_stays_taken_when_what_stood_there_is_gone(journal: Journal) -> None:
    journal.append([ev.Logged("late", "blue-1", "x")] * 300, "ada", NOW - 30 * DAY_S)
    while not maintain(journal, NOW, 14):
        pass
    assert (journal.read(0), journal.last()) == ([], 300)
    assert journal.append([ev.Paused("r")], "ada", NOW, after=300) == 301


def test_upkeep_stops_when_its_budget_is_spent_and_goes_on_the_next_time(journal: Journal, unsynced: None) -> None:
    hours(journal, 0.6)
    calls = 1
    while not maintain(journal, NOW, 14, budget_s=0.0):
        calls += 1
    assert calls > 10

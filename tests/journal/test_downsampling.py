"""Telemetry made coarser adds up to the same."""

from dataclasses import replace

from hypothesis import given, settings, strategies as st

from core.domain.histogram import Histogram
from core.domain.model import Observation, Replica, ReplicaState, Scaled
from core.domain.sample import Sample
from core.engine.slot_facts import SlotFacts
from core.journal.downsampling import downsampled
from core.state import events as ev
from core.state.fold import fold, fold_all
from core.state.snapshot import Snapshot
from tests.environments import V1

REPLICA = st.builds(Replica, st.sampled_from("abcdef"), st.sampled_from(ReplicaState), st.sampled_from([1.0, 2.0]))
REPORTS = st.lists(st.lists(REPLICA, max_size=6, unique_by=lambda replica: replica.name), min_size=1, max_size=20)


def after(events: list[ev.Event], made: list[ev.Event], gone: list[int]) -> list[ev.Event]:
    """The events as a journal holds them afterwards."""
    left = {event.seq: event for event in events if event.seq not in gone}
    left.update((event.seq, event) for event in made)
    return [left[seq] for seq in sorted(left)]


@settings(deadline=None)
@given(REPORTS)
def test_what_was_seen_of_a_slot_ends_as_it_did(reports: list[list[Replica]]) -> None:
    facts, snapshot, events = SlotFacts("late"), Snapshot(), list[ev.Event]()
    for at, replicas in enumerate(reports):
        seen = Observation("blue", V1, 6, len(replicas), 100.0, tuple(replicas))
        for body in facts.of(snapshot.endpoint("late").slots.get("blue"), seen, float(at)):
            events.append(ev.Event(len(events) + 1, float(at), "ada", body))
            snapshot = fold(snapshot, events[-1])
    coarse = after(events, *downsampled(events, 10.0))
    assert len(coarse) <= 4 * (1 + len(reports) // 10)
    (mine,) = fold_all(coarse).endpoint("late").slots.values()
    (whole,) = snapshot.endpoint("late").slots.values()
    assert replace(mine, replicas=()) == replace(whole, replicas=())
    assert set(mine.replicas) == set(whole.replicas)


def test_each_kind_keeps_what_matters() -> None:
    def looked(before: int, now: int) -> ev.Looked:
        return ev.Looked("late", Scaled("blue", 1.0, before, now, "cpu"))

    moved = [ev.StepMoved("r", 1, "half", 0.5, {"a": 1}), ev.StepMoved("r", 1, "done", 1.0, {"b": 2})]
    samples = [ev.Sampled("late", Sample(slot, 1.0, 5, {}, None, Histogram.of([2.0]))) for slot in ("blue", None)]
    bodies: list[ev.Body] = [
        *samples, *samples, *moved, looked(2, 2), looked(2, 4), looked(4, 4), looked(4, 4),
        ev.Logged("late", "blue-1", "a"), ev.Logged("late", "blue-1", "a"),
        ev.Judged("r", 1, ()), ev.Judged("r", 2, ()),
    ]  # fmt: skip
    events = [ev.Event(seq, 1.0, "ada", body) for seq, body in enumerate(bodies, 1)]
    coarse = after(events, *downsampled(events, 10.0))
    assert [(event.seq, type(event.body).__name__) for event in coarse] == [
        (3, "Sampled"), (4, "Sampled"), (6, "StepMoved"), (8, "Looked"), (10, "Looked"),
        (11, "Logged"), (12, "Logged"), (13, "Judged"), (14, "Judged"),
    ]  # fmt: skip
    assert coarse[0].body == ev.Sampled("late", samples[0].sample + samples[0].sample)
    assert coarse[2].body == ev.StepMoved("r", 1, "done", 1.0, {"a": 1, "b": 2})


def test_copies_are_not_added_to_what_users_were_answered() -> None:
    samples = [Sample("green", 1.0, 5, mirrored=5), Sample("green", 2.0, 5, mirrored=5), Sample("green", 3.0, 7)]
    events = [ev.Event(seq, one.at, "ada", ev.Sampled("late", one)) for seq, one in enumerate(samples, 1)]
    bodies = [event.body for event in after(events, *downsampled(events, 10.0))]
    assert bodies == [ev.Sampled("late", samples[0] + samples[1]), ev.Sampled("late", samples[2])]

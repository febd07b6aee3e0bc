"""What is written of a slot: what changed, and what it adds up to."""

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from core.domain.model import Observation, Replica, ReplicaState
from core.engine.slot_facts import SlotFacts
from core.state import events as ev
from core.state.codec import dumps
from core.state.fold import fold
from core.state.snapshot import Snapshot
from tests.environments import V1, V2


def seen(*replicas: Replica, weight: float = 100.0) -> Observation:
    ready = sum(replica.state is ReplicaState.READY for replica in replicas)
    return Observation("blue", V1, len(replicas), ready, weight, replicas)


def many(count: int) -> tuple[Replica, ...]:
    return tuple(Replica(f"blue-{n}", ReplicaState.READY, 200.0, 60.0) for n in range(count))


def written(reports: list[tuple[float, Observation]]) -> tuple[Snapshot, list[ev.Body]]:
    """What is known after these reports, and the facts that say so."""
    facts, snapshot, bodies = SlotFacts("late"), Snapshot(), list[ev.Body]()
    for at, report in reports:
        for body in facts.of(snapshot.endpoint("late").slots.get("blue"), report, at):
            bodies.append(body)
            snapshot = fold(snapshot, ev.Event(len(bodies), at, "ada", body))
    return snapshot, bodies


def test_a_replica_that_changes_does_not_write_the_others() -> None:
    replicas = many(256)
    dead = replace(replicas[7], state=ReplicaState.DEAD, why="killed by SIGKILL")
    after = seen(*replicas[:7], dead, *replicas[8:])
    snapshot, bodies = written([(0.0, seen(*replicas)), (1.0, after)])
    assert snapshot.endpoint("late").slots["blue"] == after
    assert [type(body) for body in bodies] == [ev.Observed, ev.ReplicasSeen]
    assert len(dumps(bodies[1])) < 450


def test_deploying_many_replicas_writes_as_much_for_each_as_deploying_few() -> None:
    def bytes_for(count: int) -> float:
        starting = [replace(replica, state=ReplicaState.STARTING) for replica in many(count)]
        reports = [(0.0, seen(*starting))]
        for n, replica in enumerate(many(count)):
            starting[n] = replica
            reports.append((n * 0.1, seen(*starting)))
        snapshot, bodies = written(reports)
        assert snapshot.endpoint("late").slots["blue"] == reports[-1][1]
        return sum(len(dumps(body)) for body in bodies) / count

    assert bytes_for(256) < 1.5 * bytes_for(16)


def test_figures_of_a_large_slot_are_written_every_ten_seconds() -> None:
    reports = [(float(s), seen(*(replace(r, cpu_m=float(s)) for r in many(320)))) for s in range(31)]
    snapshot, bodies = written(reports)
    assert [type(body) for body in bodies] == [ev.Observed, *[ev.UsageSeen] * 3]
    assert snapshot.endpoint("late").slots["blue"].replicas[0].cpu_m == 30.0


@pytest.mark.parametrize(
    ("report", "kinds"),
    [
        (seen(*many(4)), []),
        (seen(*many(3)), [ev.ReplicasSeen]),
        (seen(*many(4), weight=10.0), [ev.ReplicasSeen]),
        (seen(*many(9)), [ev.Observed]),
        (replace(seen(*many(4)), version=V2), [ev.Observed]),
        (replace(seen(), version=None, weight=0.0), [ev.Observed]),
    ],
)
def test_what_is_written_of_a_change(report: Observation, kinds: list[type[ev.Body]]) -> None:
    bodies = written([(0.0, seen(*many(4))), (0.1, report)])[1]
    assert [type(body) for body in bodies[1:]] == kinds


REPLICA = st.builds(
    Replica, st.sampled_from("abcdef"), st.sampled_from(ReplicaState), st.sampled_from([None, 1.5]), st.just(60.0)
)
REPORT = st.builds(
    lambda replicas, weight: seen(*replicas, weight=weight),
    st.lists(REPLICA, max_size=6, unique_by=lambda replica: replica.name),
    st.sampled_from([0.0, 100.0]),
)


@settings(deadline=None)
@given(st.lists(REPORT, min_size=1, max_size=8))
def test_what_is_written_adds_up_to_what_was_seen(reports: list[Observation]) -> None:
    snapshot, _ = written([(10.0 * n, report) for n, report in enumerate(reports)])
    known = snapshot.endpoint("late").slots["blue"]
    last = reports[-1]
    assert replace(known, replicas=()) == replace(last, replicas=())
    assert sorted(known.replicas, key=lambda r: r.name) == sorted(last.replicas, key=lambda r: r.name)

"""What holds of the autoscaler's rule whatever it sees."""

from hypothesis import given, strategies as st

from core.targets.local.hpa import Behavior, Memory, Pod, Rules, group, look, propose
from core.targets.local.steps import Direction, Policy
from tests.targets.test_hpa import CPU, NOW_S, pod, pods


def some_pods() -> st.SearchStrategy[list[Pod]]:
    """Any mixture of pods."""
    usage = st.one_of(st.none(), st.floats(0, 5000))
    one = st.builds(
        lambda cpu, age, since, ready, pending, leaving: pod(
            cpu,
            started_s=NOW_S - age,
            turned_s=NOW_S - min(age, since),
            ready=ready and not pending,
            pending=pending,
            leaving=leaving,
        ),
        usage,
        st.floats(0, 1000),
        st.floats(0, 1000),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    )
    return st.lists(one, max_size=12).map(lambda found: pods(*found))


def some_memory() -> st.SearchStrategy[Memory]:
    """Any past."""
    ago = st.floats(0, 600).map(lambda seconds: NOW_S - seconds)
    return st.builds(
        lambda told, steps: Memory(tuple(sorted(told)), tuple(sorted(steps))),
        st.lists(st.tuples(ago, st.integers(1, 50)), max_size=5),
        st.lists(st.tuples(ago, st.integers(-9, 9)), max_size=5),
    )


def some_behavior() -> st.SearchStrategy[Behavior | None]:
    """Any behaviour, or none."""
    policy = st.builds(Policy, st.sampled_from(["pods", "percent"]), st.integers(1, 100), st.floats(1, 300))
    way = st.builds(
        Direction,
        st.floats(0, 300),
        st.lists(policy, max_size=3).map(tuple),
        st.sampled_from(["max", "min", "disabled"]),
    )
    return st.one_of(st.none(), st.builds(Behavior, way, way))


@given(some_pods(), some_memory(), some_behavior(), st.integers(1, 20), st.integers(1, 5), st.integers(0, 10))
def test_it_never_leaves_its_bounds(
    found: list[Pod], memory: Memory, behavior: Behavior | None, count: int, low: int, more: int
) -> None:
    decision = look(Rules(low, low + more, (CPU,), behavior), count, found, memory, NOW_S)
    assert low <= decision.after <= low + more
    assert decision.reason


@given(some_pods(), some_memory(), st.integers(1, 20))
def test_it_never_goes_up_by_more_than_its_step(found: list[Pod], memory: Memory, count: int) -> None:
    assert look(Rules(1, 1000, (CPU,)), count, found, memory, NOW_S).after <= max(2 * count, 4)


@given(some_pods(), some_memory(), some_behavior())
def test_without_any_figure_it_keeps_its_size(found: list[Pod], memory: Memory, behavior: Behavior | None) -> None:
    blind = [Pod(one.name, one.started_s, one.ready, one.turned_s, one.pending, one.leaving) for one in found]
    assert look(Rules(1, 20, (CPU,), behavior), 7, blind, memory, NOW_S).after == 7


@given(some_pods(), st.integers(1, 20))
def test_guesses_never_turn_the_direction(found: list[Pod], count: int) -> None:
    proposal = propose(CPU, count, found, NOW_S)
    groups = group(CPU, found, NOW_S)
    if proposal.replicas is None or proposal.reading.value is None or not (groups.missing or groups.unready):
        return
    ratio = proposal.reading.value / CPU.target
    if ratio > 1 and proposal.replicas != count:
        assert proposal.replicas > count
    if ratio < 1 and groups.missing:
        assert proposal.replicas <= count

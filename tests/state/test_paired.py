"""Both slots beside each other, block by block, as a hold's gates compare them."""

from dataclasses import replace

from core.domain.gates import Gate
from core.domain.histogram import Histogram
from core.domain.sample import Sample
from core.state.measured import Measured
from core.state.paired import MOST_BLOCKS, Paired, paired

FAILED = Gate("failed_percent", "<", 0.5, "live")
P50 = Gate("p50_ms", "<", 25.0, "live")
P95 = Gate("p95_ms", "<", 25.0, "live")
HOLD_S = 600.0


def empty(*gates: Gate) -> Paired:
    found = paired(gates, "green", "blue", 100.0, HOLD_S)
    assert found is not None
    return found


def second(slot: str, at: float, ok: int = 10, failed: int = 0, ms: float = 20.0) -> Sample:
    return Sample(slot, at, ok, {"500": failed} if failed else {}, latency=Histogram.of([ms] * ok))


def test_only_where_a_gate_bets_anything_is_kept() -> None:
    assert paired([Gate("mean_ms", "<", 2000.0)], "green", "blue", 0.0, HOLD_S) is None
    assert paired([Gate("p95_ms", "<", 2000.0, window_s=60.0)], "green", "blue", 0.0, HOLD_S) is None
    assert paired([FAILED], "green", None, 0.0, HOLD_S) is None
    assert empty(P95, FAILED, P95).edges == ((95.0, 12),)


def test_the_same_second_of_both_slots_is_one_block() -> None:
    pairs = empty(FAILED)
    for sample in (second("green", 101.0, 8, 2), second("blue", 101.0, 90, 1), second("blue", 103.0, 80)):
        pairs = pairs.plus(sample, Histogram())
    assert pairs.counts(None) == [(10, 2, 91, 1), (0, 0, 0, 0), (0, 0, 80, 0)]


def test_what_asks_the_new_slot_alone_counts_it_without_another_one() -> None:
    errors, slow = Gate("failed_percent", "<", 5.0), Gate("p95_ms", "<", 30.0)
    pairs = paired([errors, slow, errors, FAILED], "green", None, 100.0, HOLD_S)
    assert pairs is not None
    assert pairs.alone == (errors, slow)
    late = replace(second("green", 101.0, 8, 2), failed={"timeout": 2})
    for sample in (late, second("green", 103.0, 4, 0, 40.0), second("blue", 103.0, 80)):
        pairs = pairs.plus(sample, Histogram())
    assert pairs.counts_alone(errors) == [(10, 2), (0, 0), (4, 0)]
    # What never came was slow.
    assert pairs.counts_alone(slow) == [(10, 2), (0, 0), (4, 4)]


def test_an_edge_is_set_by_what_live_answered_before() -> None:
    pairs = empty(P50)
    edge = pairs.edges[0]
    few, many = Histogram.of([20.0] * 19), Histogram.of([20.0] * 40)
    # With too little of a past there is no edge, and nothing is compared.
    pairs = pairs.plus(second("green", 101.0, ms=90.0), few)
    pairs = pairs.plus(second("green", 102.0, 10, ms=90.0), many)
    # Twenty percent more lies within the dead band, and only the new slot has one.
    pairs = pairs.plus(second("blue", 102.0, 30, ms=24.0), few)
    pairs = pairs.plus(second("green", 103.0, 10, ms=24.0), many)
    assert pairs.counts(edge) == [(0, 0, 0, 0), (10, 10, 30, 30), (10, 0, 0, 0)]


def test_what_never_came_was_slow() -> None:
    sample = replace(second("green", 101.0, 4), failed={"timeout": 3, "500": 2})
    pairs = empty(P50).plus(sample, Histogram.of([20.0] * 40))
    assert pairs.counts(pairs.edges[0]) == [(7, 3, 0, 0)]
    assert pairs.counts(None) == [(9, 5, 0, 0)]


def test_a_long_hold_has_longer_blocks() -> None:
    long = paired([FAILED], "green", "blue", 0.0, 7200.0)
    assert long is not None
    assert long.block_s == 6.0
    for at in range(1, 7201, 3):
        long = long.plus(second("green", float(at)), Histogram())
    assert len(long.blocks) <= MOST_BLOCKS
    assert sum(four[0] for four in long.counts(None)) == 24_000


def test_a_hold_sets_the_edges_by_its_own_past() -> None:
    measured = Measured("r", 0, 100.0, paired=empty(P50))
    for at in range(101, 111):
        for slot in ("green", "blue"):
            measured = measured.plus(second(slot, float(at), ms=20.0 if slot == "blue" else 60.0), float(at))
    assert measured.paired is not None
    counts = measured.paired.counts(measured.paired.edges[0])
    # After two seconds live has answered twenty times.
    assert counts[:2] == [(0, 0, 0, 0), (0, 0, 0, 0)]
    assert counts[2:] == [(10, 10, 10, 0)] * 8

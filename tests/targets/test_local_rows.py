"""What the rows were that replicas scored, out of their pages of counters."""

from dataclasses import replace

from core.domain.figures import Inputs
from core.domain.sample import Sample
from core.targets.local.counters import parse
from core.targets.local.rows import MOST_LABELS, OTHERS, RowMeter, SlotRows
from core.targets.local.scraped import Scraped
from tests.targets.conftest import Endpoints
from tests.targets.helpers import loading, two_slots, watching

GREEN = Scraped("1", 1, slot="green")


def page(rows: int, unknown: int | None = None, outside: int | None = None, **labels: int) -> str:
    lines = [f"scoring_rows_total {rows}", f"scoring_range_rows_total {0 if outside is None else rows}"]
    lines += [] if unknown is None else [f"scoring_unknown_category_rows_total {unknown}"]
    lines += [f"scoring_out_of_range_rows_total {outside or 0}"]
    lines += [f'scoring_predictions_total{{label="{label}"}} {count}' for label, count in labels.items()]
    return "\n".join(lines)


def taken(meter: RowMeter, *pages: str, replica: Scraped = GREEN) -> SlotRows | None:
    for each in pages:
        meter.take(replica, parse(each))
    return meter.taken().get("green")


def test_what_was_counted_between_two_looks_is_told_once() -> None:
    meter = RowMeter()
    assert taken(meter, page(100, 7, 9, yes=60, no=40)) is None
    found = taken(meter, page(110, 8, 11, yes=62, no=48))
    assert found == SlotRows({"label:yes": 2, "label:no": 8}, Inputs(10, 1, 10, 2))
    assert meter.taken() == {}


def test_replicas_of_a_slot_add_up_and_slots_do_not() -> None:
    meter = RowMeter()
    others = [replace(GREEN, who="2"), replace(GREEN, who="3", slot="blue")]
    for one in (GREEN, *others):
        meter.take(one, parse(page(0, 0, 0, yes=0)))
        meter.take(one, parse(page(5, 1, 0, yes=5)))
    assert meter.taken() == {
        "green": SlotRows({"label:yes": 10}, Inputs(10, 2, 10, 0)),
        "blue": SlotRows({"label:yes": 5}, Inputs(5, 1, 5, 0)),
    }


def test_rows_of_a_smoke_test_before_the_first_user_are_nobodys() -> None:
    meter = RowMeter()
    assert taken(meter, page(0, yes=0), page(50, yes=50), replica=replace(GREEN, slot="")) is None
    assert taken(meter, page(60, yes=60)) is None, "some of these may have come before the traffic"
    assert taken(meter, page(63, yes=63)) == SlotRows({"label:yes": 3}, None)


def test_a_replica_that_counts_anew_is_begun_with_anew() -> None:
    meter = RowMeter()
    assert taken(meter, page(100, yes=100), page(3, yes=3)) is None
    assert taken(meter, page(4, yes=4)) == SlotRows({"label:yes": 1}, None)
    meter.living(())
    assert taken(meter, page(9, yes=9)) is None


def test_a_model_that_knows_no_categories_and_no_ranges_says_nothing_of_its_rows() -> None:
    assert taken(RowMeter(), page(0), page(10)) == SlotRows({}, None)
    assert taken(RowMeter(), page(0, 0), page(10, 0)) == SlotRows({}, Inputs(10, 0, 0, 0))
    assert taken(RowMeter(), page(0, None, 0), page(10, None, 2)) == SlotRows({}, Inputs(0, 0, 10, 2))


def test_of_many_labels_the_first_are_told_apart() -> None:
    none = {f"l{number}": 0 for number in range(MOST_LABELS + 5)}
    found = taken(RowMeter(), page(0, **none), page(9, **dict.fromkeys(none, 2)))
    assert found is not None
    assert len(found.mix) == MOST_LABELS + 1
    assert found.mix[f"label:{OTHERS}"] == 10


def test_a_label_is_told_as_it_is_called() -> None:
    name = r"a \"b\" \\ c\nd"
    found = taken(RowMeter(), page(0, **{name: 0}), page(1, **{name: 1}))
    assert found is not None
    assert list(found.mix) == ['label:a "b" \\ c\nd']


async def test_a_sample_says_what_replicas_answered_held_and_did_not_know(endpoints: Endpoints) -> None:
    endpoints.model("1", label="yes")
    endpoints.model("2", label="no", leaks_mb=0.5)
    target = endpoints.target(cpu_m=1000, memory_mb=500)
    async with watching(target) as watcher:
        await two_slots(target, watcher, replicas=1)
        await target.route({"blue": 50, "green": 50})
        await watcher.weight("green", 50)

        def seen(slot: str) -> Sample | None:
            mine = [one for one in watcher.reports if isinstance(one, Sample) and one.slot == slot]
            total = sum(mine[1:], start=mine[0]) if mine else None
            full = total is not None and total.inputs is not None and total.inputs.rows >= 20 and total.use is not None
            return total if full else None

        def leaked() -> bool:
            held = [one.use.memory_percent or 0.0 for one in watcher.reports if isinstance(one, Sample) and one.use]
            return max(held, default=0.0) > 20

        async with loading(await target.address(), users=2, pause_s=0.02):
            blue, green = await watcher.until(lambda: seen("blue")), await watcher.until(lambda: seen("green"))
            await watcher.until(leaked)
        for sample, label in ((blue, "yes"), (green, "no")):
            assert sample.inputs is not None
            assert sample.inputs.unknown == sample.inputs.rows
            labels = {name: count for name, count in sample.mix.items() if name.startswith("label:")}
            assert labels == {f"label:{label}": sample.inputs.rows}
            assert sample.use is not None
            assert sample.use.cpu_percent is not None
        assert blue.use is not None
        assert blue.use.memory_percent is not None
        assert blue.use.memory_percent < 20

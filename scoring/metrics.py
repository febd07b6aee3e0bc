"""What the service counts: plain numbers while it serves, Prometheus text when somebody asks."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from time import time
from typing import Any

from scoring.model import Batch, Model, label_text
from scoring.settings import Identity

LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
MOST_FIELDS, OTHERS = 200, "(others)"
"""So many fields are counted by name."""
FORMS: Mapping[type[Any], str] = {dict: "(record)", list: "(list)", type(None): "(nothing)"}
"""Answers of these kinds are no labels and are counted by their form: where labels came before it is another answer."""
MOST_SAID = 50
"""So many different answers of a model without labels are counted by themselves."""
BATCH_ROWS = (1, 2, 5, 10, 25, 50, 100, 250, 1000, 10000)


class LatencyHistogram:
    """Counts under upper bounds; the last count is of what lies above all of them."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, name: str) -> Iterable[str]:
        """Its lines in Prometheus's text, where each bucket holds all those below."""
        total = 0
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self.sum:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """All counters of one service."""

    def __init__(self, model: Model, identity: Identity) -> None:
        self.labels = [label_text(label) for label in model.labels]
        self.info = {"model": identity.model, "version": identity.version, "run_id": identity.run_id}
        self.started = time()
        self.answers: dict[int, int] = {200: 0}
        self.predictions = [0] * len(self.labels)
        self.said: Counter[str] = Counter()
        self.rows = 0
        self.unknown = _by_field(field.name for field in model.about.fields if field.categories is not None)
        self.outside = _by_field(field.name for field in model.about.fields if field.range is not None)
        self.looked_at = 0
        self.unknown_rows = self.outside_rows = 0
        self._fields = [field.name for field in model.about.fields]
        self.latency = LatencyHistogram(LATENCY_S)
        self.batch = LatencyHistogram(BATCH_ROWS)

    def answered(self, status: int, count: int = 1) -> None:
        """Count answers to predictions."""
        self.answers[status] = self.answers.get(status, 0) + count

    def scored(self, batch: Batch, arrived_s: Iterable[float], now_s: float) -> None:
        """Count a batch whose requests arrived at these moments and are answered now."""
        for at_s in arrived_s:
            self.latency.observe(now_s - at_s)
        self.answered(200, len(batch.counts) - len(batch.refused))
        for refused in batch.refused.values():
            self.answered(refused.status)
        if rows := batch.rows:
            self.rows += rows
            self.batch.observe(rows)
            self.looked_at += batch.looked_at
            self.unknown_rows += batch.unknown_rows
            self.outside_rows += batch.outside_rows
            if batch.unknown:
                self._add(batch.unknown, self.unknown)
            if batch.outside:
                self._add(batch.outside, self.outside)
            for one, count in Counter(batch.classes).items():
                self.predictions[one] += count
            if batch.values:
                self._say(batch.values)

    def _add(self, more: Mapping[int, int], counts: dict[str, int]) -> None:
        for place, count in more.items():
            name = self._fields[place]
            counts[name if name in counts else OTHERS] += count

    def _say(self, values: Iterable[Any]) -> None:
        """Count answers that are words or whole numbers, as labels are, or have a form of their own; what is measured
        has no two alike.
        """
        for value in values:
            name = label_text(value) if isinstance(value, str | int) else FORMS.get(type(value))
            if name is not None:
                self.said[name if name in self.said or len(self.said) < MOST_SAID else OTHERS] += 1

    def render(self, in_flight: int, *, ready: bool) -> str:
        """Prometheus's text."""
        return "\n".join(self._lines(in_flight, ready)) + "\n"

    def _lines(self, in_flight: int, ready: bool) -> Iterable[str]:
        yield from _head("scoring_requests_total", "counter", "Answers to predictions, by status.")
        for status, count in sorted(self.answers.items()):
            yield f'scoring_requests_total{{status="{status}"}} {count}'
        yield from _head("scoring_rows_total", "counter", "Rows scored.")
        yield f"scoring_rows_total {self.rows}"
        yield from _head("scoring_predictions_total", "counter", "Rows scored, by the label they got.")
        for label, count in (*zip(self.labels, self.predictions, strict=True), *self.said.items()):
            yield f'scoring_predictions_total{{label="{_escape(label)}"}} {count}'
        yield from _head("scoring_unknown_category_total", "counter", "Values that no category knows, by field.")
        yield from _fields("scoring_unknown_category_total", self.unknown)
        if self.unknown:
            yield from _head("scoring_unknown_category_rows_total", "counter", "Rows scored that hold any of those.")
            yield f"scoring_unknown_category_rows_total {self.unknown_rows}"
        about = "Numbers outside the range in training, by field, in the rows compared with it."
        yield from _head("scoring_out_of_range_total", "counter", about)
        yield from _fields("scoring_out_of_range_total", self.outside)
        yield from _head("scoring_range_rows_total", "counter", "Rows compared with the ranges: all, or a sample.")
        yield f"scoring_range_rows_total {self.looked_at}"
        yield from _head("scoring_out_of_range_rows_total", "counter", "Those of them with a number outside.")
        yield f"scoring_out_of_range_rows_total {self.outside_rows}"
        yield from _head("scoring_request_seconds", "histogram", "From a request's arrival to its answer.")
        yield from self.latency.lines("scoring_request_seconds")
        yield from _head("scoring_batch_rows", "histogram", "Rows that one call of the model scored.")
        yield from self.batch.lines("scoring_batch_rows")
        yield from _head("scoring_in_flight", "gauge", "Predictions that wait for their answer.")
        yield f"scoring_in_flight {in_flight}"
        yield from _head("scoring_ready", "gauge", "1 while predictions are taken.")
        yield f"scoring_ready {int(ready)}"
        yield from _head("scoring_start_time_seconds", "gauge", "When the service started, since the epoch.")
        yield f"scoring_start_time_seconds {self.started:.3f}"
        yield from _head("scoring_model_info", "gauge", "The model that is served.")
        pairs = ",".join(f'{key}="{_escape(value)}"' for key, value in self.info.items())
        yield f"scoring_model_info{{{pairs}}} 1"


def _by_field(names: Iterable[str]) -> dict[str, int]:
    """Zeros for the first fields and for all others together."""
    found = list(names)
    return dict.fromkeys(found[:MOST_FIELDS], 0) | ({OTHERS: 0} if len(found) > MOST_FIELDS else {})


def _fields(name: str, counts: Mapping[str, int]) -> Iterable[str]:
    for field, count in counts.items():
        yield f'{name}{{field="{_escape(field)}"}} {count}'


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

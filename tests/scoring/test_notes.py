"""What a model has not seen in training: said to who asks, counted always, answered all the same."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from scoring import manifest
from scoring.batch import Batch
from scoring.manifest import ModelError
from scoring.metrics import MOST_FIELDS, MOST_SAID, OTHERS, Metrics
from scoring.model import SLICE_ROWS, Model, load
from scoring.notes import LOOKED_AT, MOST_NOTES, add
from scoring.settings import Identity
from tests.scoring.test_service import counted, served

RANGE = [-20.1, 80.1]
ODD = [500.0, 3, True, "ZZ"]
CALM = [-20.1, 3, None, "AA"]
OUTSIDE = {"row": 1, "field": "delay", "value": 500.0, "note": "outside -20.1 to 80.1, the range in training"}
UNKNOWN = {"row": 1, "field": "carrier", "value": "ZZ", "note": "unknown category"}


@pytest.fixture
def model(models: Path, tmp_path: Path) -> Model:
    """The model of this folder's other tests, with a range for one of its fields."""
    return load(ranged(models / "two", tmp_path, RANGE))


def ranged(source: Path, folder: Path, found: Any) -> Path:
    """A model folder in which the first field has this range."""
    document = json.loads((source / "model.json").read_text())
    document["fields"][0]["range"] = found
    (folder / "model.json").write_text(json.dumps(document))
    for path in source.glob("model.*"):
        if path.suffix != ".json":
            (folder / path.name).symlink_to(path)
    return folder


def test_who_asks_is_told_and_the_predictions_are_the_same(model: Model) -> None:
    def visit(http: httpx.Client) -> list[dict[str, Any]]:
        rows = {"data": [CALM, ODD]}
        many = {"data": [CALM, ODD, *[CALM] * 2 * SLICE_ROWS, ODD]}
        return [
            http.post("/predict", json=rows).json(),
            http.post("/predict?notes=1", json=rows).json(),
            http.post("/invocations", json=rows | {"notes": True, "probabilities": True}).json(),
            http.post("/predict?notes=yes", json={"data": [CALM]}).json(),
            http.post("/predict?notes=1", json=many).json(),
            http.post("/predict?notes=no", json=rows).json(),
        ]

    plain, asked, both, calm, many, no = served(model, visit)
    assert "notes" not in plain | no
    assert asked["notes"] == both["notes"] == [OUTSIDE, UNKNOWN]
    assert plain["predictions"] == asked["predictions"] == both["predictions"]
    assert calm["notes"] == []
    last = {"row": 2 * SLICE_ROWS + 2}
    assert many["notes"] == [OUTSIDE, UNKNOWN, OUTSIDE | last, UNKNOWN | last]


def test_a_csv_and_the_inference_protocol_are_told_too(model: Model) -> None:
    def visit(http: httpx.Client) -> tuple[Any, Any]:
        lines = "delay,month,vip,carrier\n1,3,yes,AA\n500,3,yes,ZZ\n"
        csv = http.post("/predict?notes=1", content=lines, headers={"content-type": "text/csv"}).json()
        names, types = ("delay", "month", "vip", "carrier"), ("FP64", "INT64", "BOOL", "BYTES")
        tensors = [
            {"name": name, "shape": [2], "datatype": type_, "data": [calm, odd]}
            for name, type_, calm, odd in zip(names, types, CALM, ODD, strict=True)
        ]
        body = {"inputs": tensors, "parameters": {"notes": True}}
        return csv, http.post("/v2/models/late/infer", json=body).json()

    csv, v2 = served(model, visit)
    assert csv["notes"] == [OUTSIDE | {"value": 500}, UNKNOWN]
    assert json.loads(v2["parameters"]["notes"]) == [OUTSIDE, UNKNOWN]


def test_both_are_counted_by_field_whether_somebody_asks_or_not(model: Model) -> None:
    def visit(http: httpx.Client) -> tuple[str, str]:
        before = http.get("/metrics").text
        http.post("/predict", json={"data": [CALM, ODD]})
        http.post("/predict?notes=1", json={"data": [ODD]})
        return before, http.get("/metrics").text

    before, after = served(model, visit)
    names = ('scoring_unknown_category_total{field="carrier"}', 'scoring_out_of_range_total{field="delay"}')
    assert [counted(before, name) for name in names] == [0, 0]
    assert [counted(after, name) for name in names] == [2, 2]
    assert counted(after, "scoring_range_rows_total") == 3
    assert 'field="month"' not in after


def test_of_many_rows_a_sample_is_compared_and_how_many_is_counted(model: Model) -> None:
    page = served(model, lambda http: (http.post("/predict", json={"data": [ODD] * 100}), http.get("/metrics").text)[1])
    assert counted(page, "scoring_range_rows_total") == LOOKED_AT
    assert counted(page, 'scoring_out_of_range_total{field="delay"}') == LOOKED_AT
    assert counted(page, 'scoring_unknown_category_total{field="carrier"}') == 100


def test_an_answer_holds_so_many_notes_and_says_how_many_more_there_are(model: Model) -> None:
    told = served(model, lambda http: http.post("/predict?notes=1", json={"data": [ODD] * 1000}).json())
    assert len(told["notes"]) == MOST_NOTES + 1
    assert told["notes"][-1] == {"note": f"{2000 - MOST_NOTES} more"}


def test_a_blank_is_missing_and_no_unknown_category_and_a_long_text_is_cut(model: Model) -> None:
    batch = model.predict(
        [(json.dumps({"data": [[None, None, None, None], [1, 1, 1, "x" * 500]]}).encode(), "notes=1")]
    )
    assert model.answer(batch, 0)["notes"] == [UNKNOWN | {"value": "x" * 40 + "…"}]


def test_a_model_without_ranges_counts_none_and_still_notes_categories(models: Path) -> None:
    model = load(models / "two")
    batch = model.predict([(json.dumps({"data": [CALM, ODD]}).encode(), "notes=1")])
    assert (batch.looked_at, batch.outside) == (0, {})
    assert model.answer(batch, 0)["notes"] == [UNKNOWN]


@pytest.mark.parametrize("wrong", [[1], [1, 2, 3], ["a", 2], [True, 2], 5, [1, 1e39]])
def test_a_range_that_is_none_is_refused_by_name(models: Path, tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(ModelError, match=r"fields\[0\].range \(delay\): two numbers are expected"):
        load(ranged(models / "two", tmp_path, wrong))


def test_of_very_many_fields_the_first_are_counted_by_name_and_the_rest_together(model: Model) -> None:
    about = manifest.read(model.about.folder)
    wide = tuple(replace(about.fields[3], name=f"c{place}") for place in range(MOST_FIELDS + 2))
    model.about = replace(about, fields=wide)
    metrics = Metrics(model, Identity("late", "7"))
    batch = load(model.about.folder).predict([(json.dumps({"data": [CALM]}).encode(), "")])
    batch.unknown = {0: 2, MOST_FIELDS: 3, MOST_FIELDS + 1: 4}
    metrics.scored(batch, [], 0.0)
    page = metrics.render(0, ready=True)
    assert counted(page, 'scoring_unknown_category_total{field="c0"}') == 2
    assert counted(page, f'scoring_unknown_category_total{{field="{OTHERS}"}}') == 7
    assert page.count("scoring_unknown_category_total{") == MOST_FIELDS + 1


def test_rows_that_hold_any_such_value_are_counted_beside_the_values(model: Model, models: Path) -> None:
    rows = {"data": [CALM, ODD, [1.0, 3, True, "ZZ"], [500.0, 3, None, None]]}
    page = served(model, lambda http: (http.post("/predict", json=rows), http.get("/metrics").text)[1])
    assert counted(page, "scoring_unknown_category_rows_total") == 2
    assert counted(page, "scoring_out_of_range_rows_total") == 2
    assert counted(page, "scoring_range_rows_total") == 4

    many = {"data": [CALM, ODD] * SLICE_ROWS}
    page = served(model, lambda http: (http.post("/predict", json=many), http.get("/metrics").text)[1])
    assert counted(page, "scoring_unknown_category_rows_total") == SLICE_ROWS


def test_two_unknown_values_in_one_row_are_one_such_row(model: Model) -> None:
    unknown = [(0, 1), (0, 3), (2, 3)]
    counts: dict[int, int] = {}
    assert add(counts, unknown) == 2
    assert counts == {1: 1, 3: 2}


def test_words_whole_numbers_and_forms_that_a_model_without_labels_says_are_counted_too(model: Model) -> None:
    """A measure is not: no two are alike."""
    model.about = replace(model.about, labels=())
    metrics = Metrics(model, Identity("late", "7"))
    said = Batch(0, counts=[9], values=["late", "late", 3, True, 0.25, {"a": 1}, {"b": 2}, [1], None])
    metrics.scored(said, [], 0.0)
    metrics.scored(Batch(0, counts=[MOST_SAID], values=list(range(100, 100 + MOST_SAID))), [], 0.0)
    page = metrics.render(0, ready=True)
    assert counted(page, 'scoring_predictions_total{label="late"}') == 2
    assert [counted(page, f'scoring_predictions_total{{label="{name}"}}') for name in ("3", "true", "100")] == [1, 1, 1]
    forms = ("(record)", "(list)", "(nothing)")
    assert [counted(page, f'scoring_predictions_total{{label="{form}"}}') for form in forms] == [2, 1, 1]
    assert counted(page, f'scoring_predictions_total{{label="{OTHERS}"}}') == 6
    assert page.count("scoring_predictions_total{") == MOST_SAID + 1

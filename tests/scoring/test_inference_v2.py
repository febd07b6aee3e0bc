"""Requests and answers of the Open Inference Protocol."""

from typing import Any

import orjson
import pytest

from scoring import inference_v2
from scoring.manifest import ModelField
from scoring.payload import PayloadError, Reader

FIELDS = (ModelField("delay", "number"), ModelField("carrier", "category", ("AA", "5")))


def tensor(name: str, shape: list[int], data: list[Any], datatype: str = "FP64") -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def rows(document: Any) -> list[list[object]]:
    body, _ = inference_v2.request(orjson.dumps(document), FIELDS)
    return Reader([field.name for field in FIELDS]).read(body)[0]


@pytest.mark.parametrize(
    "inputs",
    [
        [tensor("delay", [2], [1, 2]), tensor("carrier", [2, 1], ["AA", "5"], "BYTES")],
        [tensor("carrier", [2, 1], [["AA"], ["5"]], "BYTES"), tensor("delay", [2], [1, 2], "INT64")],
        [tensor("any", [2, 2], [1, "AA", 2, "5"])],
        [tensor("any", [2, 2], [[1, "AA"], [2, "5"]])],
    ],
)
def test_tensors_are_columns_or_rows(inputs: list[Any]) -> None:
    assert rows({"inputs": inputs}) == [[1, "AA"], [2, "5"]]


def test_probabilities_and_the_id_are_taken_along() -> None:
    document = {"id": "a1", "parameters": {"probabilities": True}, "inputs": [tensor("x", [1, 2], [1, "AA"])]}
    body, named = inference_v2.request(orjson.dumps(document), FIELDS)
    assert (orjson.loads(body)["probabilities"], named) == (True, "a1")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], 'there is no list "inputs"'),
        ({"inputs": []}, 'there is no list "inputs"'),
        ({"inputs": [1]}, r"inputs\[0\] is a number"),
        ({"inputs": [{"name": "x"}]}, "lacks its name or data"),
        ({"inputs": [tensor("x", [1], [1], "FP8")]}, "the datatype is none of BOOL"),
        ({"inputs": [tensor("x", [1], [1]) | {"datatype": []}]}, "the datatype is none of"),
        ({"inputs": [tensor("x", [], [])]}, "the shape is not"),
        ({"inputs": [tensor("x", [True], [1])]}, "the shape is not"),
        ({"inputs": [tensor("x", [-1, 2], [1])]}, "the shape is not"),
        ({"inputs": [tensor("x", [2, 2], [1])]}, r"1 values do not fill the shape \[2, 2\]"),
        ({"inputs": [tensor("x", [2], [[1], 2])]}, "nested unevenly"),
        ({"inputs": [tensor("a", [1, 2], [1, 2]), tensor("b", [1], [1])]}, "send .rows. or .rows, 1."),
        ({"inputs": [tensor("delay", [1], [1])] * 2}, "the tensor delay is there twice"),
        ({"inputs": [tensor("delay", [1], [1])]}, "the field carrier is missing"),
        ({"id": 3, "inputs": [tensor("delay", [1], [1])]}, "the id is a number"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(document: Any, words: str) -> None:
    with pytest.raises(PayloadError, match=words) as refused:
        rows(document)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("labels", "found", "datatype", "data"),
    [
        (("no", "yes"), ["yes"], "BYTES", ["yes"]),
        ((0, 1), [1], "INT64", [1]),
        ((False, True), [True], "BOOL", [True]),
        ((0, 0.5), [0.5], "FP64", [0.5]),
        (("a", 1), [1], "BYTES", ["1"]),
    ],
)
def test_an_answer_has_the_type_of_its_labels(labels: Any, found: list[Any], datatype: str, data: list[Any]) -> None:
    sent: list[tuple[int, Any]] = []

    class Sender:
        def response_bytes(self, status: int, headers: object, body: bytes) -> None:
            sent.append((status, orjson.loads(body)))

    likely = {str(label).lower() if isinstance(label, bool) else str(label): 0.5 for label in labels}
    ours = {"predictions": found, "version": "7", "probabilities": [likely]}
    answers = inference_v2.Answers(Sender(), "late", labels, "a1")
    answers.response_bytes(200, [], orjson.dumps(ours))
    answers.response_bytes(422, [], b'{"error": "no"}')
    (_, told), refused = sent
    assert (told["model_name"], told["model_version"], told["id"]) == ("late", "7", "a1")
    assert told["outputs"][0] == {"name": "predictions", "shape": [1], "datatype": datatype, "data": data}
    assert (told["outputs"][1]["shape"], told["outputs"][1]["data"]) == ([1, 2], [0.5, 0.5])
    assert refused == (422, {"error": "no"})

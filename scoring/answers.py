"""How answers are written: their bytes and headers, with all that repeats written once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

import orjson

from scoring.model import Batch, Model, Prediction, label_text

Headers: TypeAlias = list[tuple[str, str]]

JSON = ("content-type", "application/json")
CLOSE = ("connection", "close")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer over HTTP, ready to be sent."""

    status: int
    headers: Headers
    body: bytes


def json(status: int, document: Mapping[str, Any], *more: tuple[str, str]) -> Answer:
    """A document as it is."""
    return Answer(status, [JSON, *more], orjson.dumps(document))


def error(status: int, text: str, *more: tuple[str, str]) -> Answer:
    """An error in one line."""
    return json(status, {"error": text}, *more)


class Writer:
    """Writes predictions of one model in one version."""

    def __init__(self, model: Model, version: str) -> None:
        self._model = model
        self._version = version
        self._version_header = ("x-model-version", header_value(version))
        # A request of one row is the usual one: all but its times is known beforehand.
        self._headers: list[Headers] = [
            [JSON, self._version_header, ("x-label", header_value(label_text(label)))] for label in model.labels
        ]
        self._heads = [b'{"predictions":[' + orjson.dumps(label) + b"]" for label in model.labels]
        names = {"model": model.about.algorithm, "version": version, "num_samples": 1}
        self._tail = b"," + orjson.dumps(names)[1:-1] + b',"took_ms":{"preparation":%.3f,"inference":%.3f}}'

    def tail(self, batch: Batch) -> bytes:
        """What the answers of one row end with, all over a batch."""
        return self._tail % (batch.preparation_ms, batch.inference_ms)

    def write(self, prediction: Prediction, batch: Batch, tail: bytes) -> Answer:
        """One request's answer."""
        if prediction.refused is not None:
            return error(prediction.refused.status, str(prediction.refused), self._version_header)
        classes = prediction.classes
        if len(classes) == 1 and prediction.probabilities is None:
            return Answer(200, self._headers[classes[0]], self._heads[classes[0]] + tail)
        headers = self._headers[classes[0]] if len(classes) == 1 else [JSON, self._version_header]
        return Answer(200, headers, orjson.dumps(self.document(prediction, batch)))

    def document(self, prediction: Prediction, batch: Batch) -> dict[str, Any]:
        """The whole answer as a document; `took_ms` is of the rows that were scored in the same call."""
        return self._model.answer(prediction) | {
            "model": self._model.about.algorithm,
            "version": self._version,
            "num_samples": len(prediction.classes),
            "took_ms": {"preparation": round(batch.preparation_ms, 3), "inference": round(batch.inference_ms, 3)},
        }


def header_value(text: str) -> str:
    """A text that may stand in a header: printable ASCII, the rest percent-encoded."""
    return quote(text, safe=" !\"#$&'()*+,/:;<=>?@[]^`{|}~")

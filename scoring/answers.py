"""How answers are written: their bytes and headers, with all that repeats written once."""

from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

import orjson

from scoring.log import refusals
from scoring.model import Batch, Model, label_text

Headers: TypeAlias = list[tuple[str, str]]
Answer: TypeAlias = tuple[int, Headers, bytes]
"""Status, headers and body, ready to be sent."""

LONGEST_LABEL = 100
"""So much of an answer stands in a header, where answers are no labels."""
JSON = ("content-type", "application/json")
CLOSE = ("connection", "close")


def json(status: int, document: Mapping[str, Any], *more: tuple[str, str]) -> Answer:
    """A document as it is."""
    return status, [JSON, *more], orjson.dumps(document)


def error(status: int, text: str, *more: tuple[str, str]) -> Answer:
    """An error in one line; the log hears of its status alone."""
    refusals.count(status)
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

    def write(self, batch: Batch) -> list[Answer]:
        """The answers of a batch, in the order of its requests."""
        tail = self._tail % (batch.preparation_ms, batch.inference_ms)
        classes, headers, heads = batch.classes, self._headers, self._heads
        answers: list[Answer] = []
        at = 0
        for place, count in enumerate(batch.counts):
            if batch.values and count:
                more = [JSON, self._version_header]
                if count == 1 and isinstance(batch.values[at], str | int | float):
                    more.append(("x-label", header_value(label_text(batch.values[at])[:LONGEST_LABEL])))
                answers.append((200, more, orjson.dumps(self.document(batch, place))))
            elif count == 1 and place not in batch.probabilities and place not in batch.notes:
                one = classes[at]
                answers.append((200, headers[one], heads[one] + tail))
            elif count:
                more = headers[classes[at]] if count == 1 else [JSON, self._version_header]
                answers.append((200, more, orjson.dumps(self.document(batch, place))))
            else:
                refused = batch.refused[place]
                answers.append(error(refused.status, str(refused), self._version_header))
            at += count
        return answers

    def document(self, batch: Batch, place: int) -> dict[str, Any]:
        """One request's whole answer; `took_ms` is of all rows that were scored in the same call."""
        return self._model.answer(batch, place) | {
            "model": self._model.about.algorithm,
            "version": self._version,
            "num_samples": batch.counts[place],
            "took_ms": {"preparation": round(batch.preparation_ms, 3), "inference": round(batch.inference_ms, 3)},
        }


def header_value(text: str) -> str:
    """A text that may stand in a header: printable ASCII, the rest percent-encoded."""
    return quote(text, safe=" !\"#$&'()*+,/:;<=>?@[]^`{|}~")

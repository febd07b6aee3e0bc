"""The Open Inference Protocol, version 2, as KServe, Seldon and Triton speak it: its paths, requests and answers.

A request becomes one of the forms that every reader here takes, an answer is made from ours.
"""

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import orjson

from scoring.answers import Answer, Headers, json
from scoring.batching import Reply
from scoring.manifest import Label, Manifest, ModelField
from scoring.model import label_text
from scoring.payload import WISHES, PayloadError, bounded, kind, not_too_many

_TYPES = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "category": "BYTES", "date": "BYTES"}
_TYPES |= {"text": "BYTES", "any": "BYTES"}
_WHOLE = {f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
_KNOWN = frozenset({"BOOL", "BYTES", "FP16", "FP32", "FP64"} | _WHOLE)
_FORM = 'send {"inputs": [{"name": …, "shape": […], "datatype": …, "data": […]}]}'


def model_paths(model: str, version: str) -> tuple[str, ...]:
    """Where a model is found: with and without its version, and in a URL's own spelling where that is another."""
    names = dict.fromkeys((model, quote(model, safe="")))
    return tuple(f"/v2/models/{name}{more}" for name in names for more in ("", f"/versions/{version}"))


def about(manifest: Manifest, model: str, version: str) -> Answer:
    """The model's metadata: a tensor of any length for each field, one for the predictions."""
    inputs = [{"name": field.name, "datatype": _TYPES[field.type], "shape": [-1]} for field in manifest.fields]
    outputs = [{"name": "predictions", "datatype": _label_type(manifest.labels), "shape": [-1]}]
    document = {"name": model, "versions": [version], "platform": "quarterdeck", "inputs": inputs, "outputs": outputs}
    return json(200, document)


def request(body: bytes, fields: Sequence[ModelField]) -> tuple[bytes, str | None]:
    """The request in our own form, and its id; `PayloadError` names the tensor that does not fit."""
    bounded(body)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PayloadError(400, f"the body is not JSON: {error}") from None
    inputs = document.get("inputs") if isinstance(document, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise PayloadError(422, f'there is no list "inputs": {_FORM}')
    named = document.get("id")
    if named is not None and not isinstance(named, str):
        raise PayloadError(422, f"the id is {kind(named)}: send a text")
    options = document.get("parameters")
    wishes = {name: isinstance(options, dict) and options.get(name) is True for name in WISHES}
    tensors = [_tensor(place, each) for place, each in enumerate(inputs)]
    ours = wishes | _rows(tensors, fields)
    return orjson.dumps(ours), named


def _tensor(place: int, tensor: object) -> tuple[str, list[int], list[Any]]:
    """Name, shape and flat data of a tensor."""
    if not isinstance(tensor, dict):
        raise PayloadError(422, f"inputs[{place}] is {kind(tensor)}: {_FORM}")
    name, shape, data, type_ = (tensor.get(key) for key in ("name", "shape", "data", "datatype"))
    if not isinstance(name, str) or not isinstance(data, list):
        raise PayloadError(422, f"inputs[{place}] lacks its name or data: {_FORM}")
    if not isinstance(type_, str) or type_ not in _KNOWN:
        raise PayloadError(422, f"inputs[{place}] ({name[:40]}): the datatype is none of {', '.join(sorted(_KNOWN))}")
    if not isinstance(shape, list) or len(shape) not in (1, 2) or not all(_is_length(each) for each in shape):
        raise PayloadError(422, f"inputs[{place}] ({name[:40]}): the shape is not [rows] or [rows, columns]")
    while data and isinstance(data[0], list):
        if not all(isinstance(each, list) for each in data):
            raise PayloadError(422, f"inputs[{place}] ({name[:40]}): its data is nested unevenly")
        data = [value for each in data for value in each]
    if math.prod(shape) != len(data):
        raise PayloadError(422, f"inputs[{place}] ({name[:40]}): {len(data)} values do not fill the shape {shape}")
    return name, shape, data


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _rows(tensors: list[tuple[str, list[int], list[Any]]], fields: Sequence[ModelField]) -> dict[str, Any]:
    """One tensor of two dimensions holds rows, tensors of one are columns with the names of fields."""
    name, shape, data = tensors[0]
    known = {field.name for field in fields}
    if len(tensors) == 1 and len(shape) == 2 and (name not in known or shape[1] != 1):
        width = shape[1] or 1
        not_too_many(len(data) // width)
        return {"data": [data[start : start + width] for start in range(0, len(data), width)]}
    columns: dict[str, Any] = {}
    for name, shape, data in tensors:
        if len(shape) == 2 and shape[1] != 1:
            raise PayloadError(422, f"the tensor {name[:40]} has the shape {shape}: send [rows] or [rows, 1]")
        if name in columns:
            raise PayloadError(422, f"the tensor {name[:40]} is there twice")
        columns[name] = data
    return {"inputs": columns}


class Answers:
    """Stands before a sender and turns our answer into the protocol's; errors are the same in both."""

    def __init__(self, reply: Reply, model: str, labels: Sequence[Label], named: str | None) -> None:
        self._reply = reply
        self._model = model
        self._labels = labels
        self._named = named

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer of ours on."""
        if status == 200:
            body = orjson.dumps(self._document(orjson.loads(body)))
        self._reply.response_bytes(status, headers, body)

    def _document(self, ours: dict[str, Any]) -> dict[str, Any]:
        found = ours["predictions"]
        if not self._labels:
            # What a value is made of has no place in a tensor of one dimension but its text.
            plain = all(isinstance(each, str | int | float) for each in found)
            found = found if plain else [orjson.dumps(each).decode() for each in found]
        datatype = _label_type(self._labels or found)
        data = [label_text(each) for each in found] if datatype == "BYTES" else found
        outputs = [{"name": "predictions", "shape": [len(data)], "datatype": datatype, "data": data}]
        if likely := ours.get("probabilities"):
            names = [label_text(each) for each in self._labels]
            flat = [row[name] for row in likely for name in names]
            parameters = {"labels": ",".join(names)}
            shape = [len(likely), len(names)]
            outputs.append(
                {"name": "probabilities", "shape": shape, "datatype": "FP64", "data": flat, "parameters": parameters}
            )
        head = {"model_name": self._model, "model_version": ours["version"]}
        if "notes" in ours:
            # A parameter is a text, a number or a boolean there.
            head["parameters"] = {"notes": orjson.dumps(ours["notes"]).decode()}
        return head | ({} if self._named is None else {"id": self._named}) | {"outputs": outputs}


def _label_type(labels: Sequence[Label]) -> str:
    kinds = {type(label) for label in labels}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int}:
        return "INT64"
    return "FP64" if kinds <= {int, float} else "BYTES"

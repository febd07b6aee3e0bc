"""What the service says of its own HTTP: an OpenAPI document and a page for people, made of the model's fields."""

import shlex
from html import escape
from typing import Any

import orjson

from scoring.manifest import Label, Manifest, ModelField
from scoring.settings import Identity

_TYPES = {
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "category": "string",
    "date": "string",
    "text": "string",
    "any": "",
}
_LABELS: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_REFUSALS = {
    "400": "it can't be read: no JSON, no CSV, or a query that is neither yes nor no",
    "408": "it did not come whole in time",
    "413": "it is too large, or has too many rows",
    "415": "its content type or encoding is not taken",
    "422": "it does not fit the model: the row and the field are named",
    "429": "too much waits to be scored: come again after `retry-after` seconds",
    "503": "no replica is ready, or this one is draining",
}
_WISHES = {
    "probabilities": "of each label",
    "notes": "which values are unknown categories or outside the range in training",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#8882;padding:1rem;overflow:auto}td,th{text-align:left;padding:.2rem 1rem .2rem 0}"
)


def document(about: Manifest, identity: Identity, *, keyed: bool) -> dict[str, Any]:
    """The OpenAPI document, version 3.1: how to ask for predictions, and what the answers are."""
    operation: dict[str, Any] = {
        "summary": f"Predict {about.target}",
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "boolean"}, "description": text}
            for name, text in _WISHES.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": _request(about)}},
        "responses": {"200": _answers(about)} | {status: _refusal(text) for status, text in _REFUSALS.items()},
    }
    components: dict[str, Any] = {"schemas": {"Row": _row(about.fields), "Error": _ERROR}}
    whole: dict[str, Any] = {}
    if keyed:
        operation["responses"]["401"] = _refusal("the key is missing or wrong")
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        whole["security"] = [{"key": []}]
    paths = ("/predict", "/score", "/invocations")
    return {
        "openapi": "3.1.0",
        "info": {"title": identity.model, "version": identity.version},
        "paths": {path: {"post": operation | {"operationId": path[1:]}} for path in paths},
        "components": components,
        **whole,
    }


_NOTE = {
    "type": "object",
    "properties": {"row": {"type": "integer"}, "field": {"type": "string"}, "value": {}, "note": {"type": "string"}},
    "required": ["note"],
}
_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "status": {"type": "integer"}},
    "required": ["error"],
}


def _request(about: Manifest) -> dict[str, Any]:
    row = {"$ref": "#/components/schemas/Row"}
    many = {"type": "array", "items": row, "minItems": 1}
    records = {
        "type": "object",
        "properties": {"dataframe_records": many} | {name: {"type": "boolean"} for name in _WISHES},
        "required": ["dataframe_records"],
    }
    return {"schema": {"anyOf": [records, many]}, "example": {"dataframe_records": [dict(about.example)]}}


def _row(fields: tuple[ModelField, ...]) -> dict[str, Any]:
    properties = {field.name: _field(field) for field in fields}
    return {
        "type": "object",
        "properties": properties,
        "required": [field.name for field in fields if field.required],
    }


def _field(field: ModelField) -> dict[str, Any]:
    """A value of a field; null is a missing one."""
    more: dict[str, Any] = {} if field.categories is None else {"examples": list(field.categories[:20])}
    bounds = {"minimum": -3e38, "maximum": 3e38} if _TYPES[field.type] == "number" else {}
    if field.type == "any":
        return {}
    if field.type == "date":
        more = {"format": "date-time" if "hour" in field.parts else "date"}
    return {"type": [_TYPES[field.type], "null"]} | bounds | more


def _answers(about: Manifest) -> dict[str, Any]:
    label: dict[str, Any] = {"enum": list(about.labels), "type": _types(about.labels)} if about.labels else {}
    properties = {
        "predictions": {"type": "array", "items": label},
        "probabilities": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": {"type": "number"}},
        },
        "notes": {"type": "array", "items": _NOTE},
        "model": {"type": "string"},
        "version": {"type": "string"},
        "num_samples": {"type": "integer"},
        "took_ms": {"type": "object", "additionalProperties": {"type": "number"}},
    }
    required = [name for name in properties if name not in _WISHES]
    schema = {"type": "object", "properties": properties, "required": required}
    return {"description": "one label for each row", "content": {"application/json": {"schema": schema}}}


def _types(labels: tuple[Label, ...]) -> list[str]:
    return sorted({_LABELS[type(label)] for label in labels})


def _refusal(text: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": text, "content": content}


def page(about: Manifest, identity: Identity, host: str, *, keyed: bool) -> str:
    """The page for people: the fields, and a command that asks for the model's own example."""
    example = orjson.dumps({"dataframe_records": [dict(about.example)]}).decode()
    key = " \\\n  -H 'authorization: Bearer '\"$KEY\"" if keyed else ""
    command = (
        f"curl {shlex.quote(f'http://{host}/predict')}{key} \\\n"
        f"  -H 'content-type: application/json' \\\n  -d {shlex.quote(example)}"
    )
    name = escape(f"{identity.model} v{identity.version}")
    rows = "".join(_line(field) for field in about.fields)
    labels = ", ".join(escape(str(label)) for label in about.labels)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>'
        f"<h1>{name}</h1><p>Predicts <b>{escape(about.target)}</b>{labels and f': {labels}'}.</p>"
        f"<pre>{escape(command)}</pre>"
        f"<table><tr><th>field<th>type<th>values</tr>{rows}</table>"
        '<p><a href="/openapi.json">/openapi.json</a> · <a href="/metadata">/metadata</a></p></html>\n'
    )


def _line(field: ModelField) -> str:
    known = "" if field.categories is None else ", ".join(field.categories[:20])
    more = f", and {len(field.categories) - 20} more" if field.categories and len(field.categories) > 20 else ""
    needed = "" if field.required else " (may be left out)"
    return f"<tr><td>{escape(field.name)}<td>{escape(field.type)}{needed}<td>{escape(known + more)}</tr>"

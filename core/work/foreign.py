"""Models that somebody else logged to MLflow and only their own packages can run: what they take, or why not.

Read from what MLflow wrote down beside the model. Nothing here loads a model.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.models import Model

from core.domain.errors import Failed
from core.images.needs import needs_in
from core.work import environment
from core.work.job import Report
from core.work.preprocess import FORMAT
from scoring.manifest import ModelError
from scoring.pyfunc import Worker

TYPES: Mapping[str, str] = {
    "boolean": "boolean",
    "integer": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "string": "text",
    "datetime": "text",
    "binary": "text",
}
"""MLflow's types of columns, and what fields of ours they are; any other is what the model makes of it."""
INDEPENDENT = frozenset({"sklearn", "xgboost", "lightgbm", "catboost", "onnx"})
"""Flavours whose answer to a row does not depend on the rows beside it: those of several callers go together."""
ELSEWHERE = {
    "spark": "a cluster of Spark",
    "mleap": "Java",
    "h2o": "a server of H2O",
    "johnsnowlabs": "a cluster of Spark",
}
MODEL = "mlflow"
SIGN = "log it with signature=mlflow.models.infer_signature(X, model.predict(X))"


def flavour(about: Model) -> str:
    """What a model is, in a word."""
    return next((name for name in about.flavors if name != "python_function"), "pyfunc")


def refusal(about: Model) -> str:
    """Why a model can't be served by its own packages, by what it says of itself; empty where it can."""
    pyfunc = about.flavors.get("python_function")
    if pyfunc is None:
        return f"it was logged as {', '.join(about.flavors) or 'nothing'} alone, without the flavour python_function"
    if needed := ELSEWHERE.get(flavour(about)):
        return f"its flavour is {flavour(about)}, which needs {needed} beside it"
    schema = about.get_input_schema()
    if schema is None:
        if flavour(about) == "pyfunc" and not about.saved_input_example_info:
            return f"it has neither a signature nor an input example, so nobody knows its fields; {SIGN}"
        return ""
    if schema.is_tensor_spec() and not schema.has_input_names():
        shape = tuple(schema.inputs[0].shape)
        if len(shape) != 2 or shape[1] < 1:
            return f"it takes a tensor of the shape {shape}; rows of values are served, shape (-1, columns)"
    return ""


def fields(about: Model, native: Mapping[str, Any], example: Sequence[str]) -> tuple[list[dict[str, Any]], str]:
    """The fields by the signature, else by the model or its example, and what was missing. Raises Failed."""
    schema = about.get_input_schema()
    if schema is not None and schema.is_tensor_spec():
        if schema.has_input_names():
            return [{"name": name, "type": "any"} for name in schema.input_names()], ""
        return [{"name": name, "type": "number"} for name in _numbered(schema.inputs[0].shape[1])], ""
    if schema is not None:
        names = schema.input_names() if schema.has_input_names() else _numbered(len(schema.inputs))
        kinds = [TYPES.get(getattr(column.type, "name", ""), "any") for column in schema.inputs]
        needed = [{} if column.required else {"required": False} for column in schema.inputs]
        found = zip(names, kinds, needed, strict=True)
        return [{"name": str(name), "type": kind} | more for name, kind, more in found], ""
    if names := native.get("names") or example:
        return [
            {"name": name, "type": "any"} for name in names
        ], "no signature: fields are the model's own, of any type"
    if count := native.get("count"):
        missing = "no signature and no names: fields are f0, f1 and on, of any type"
        return [{"name": name, "type": "any"} for name in _numbered(count)], missing
    raise Failed(f"it has no signature, and the model does not say what its columns are; {SIGN}")


def _numbered(count: int) -> list[str]:
    return [f"f{place}" for place in range(count)]


def make(where: Path, into: Path, wheels_only: bool, say: Report) -> str:
    """A model folder around a downloaded model, its packages installed and the model loaded once; says what was
    missing. Raises Failed where it can't be served."""
    about = Model.load(str(where))
    if why := refusal(about):
        raise Failed(why)
    pyfunc = about.flavors["python_function"]
    needs = needs_in(where, str(pyfunc.get("python_version") or ""), str(about.mlflow_version or ""))
    python = environment.build(needs, wheels_only, say)
    say.progress(None, "loading the model")
    into.mkdir(parents=True, exist_ok=True)
    model = into / MODEL
    shutil.copytree(where, model, ignore=shutil.ignore_patterns(into.name))
    names_file = model / "fields.json"
    names_file.write_text("null")
    native = _loaded(python, model)
    example = _example(where, about)
    found, missing = fields(about, native, list(example))
    named = about.get_input_schema() is not None or "names" in native or bool(example)
    names_file.write_text(json.dumps([field["name"] for field in found] if named else None))
    document = {
        "format": FORMAT,
        "task": "pyfunc",
        "algorithm": _algorithm(about),
        "file": MODEL,
        "python": str(python),
        "batched": flavour(about) in INDEPENDENT,
        "fields": found,
        "target": "prediction",
        "labels": [],
        "example": {field["name"]: example[field["name"]] for field in found if field["name"] in example},
        "flavour": flavour(about),
    }
    (into / "model.json").write_text(json.dumps(document, indent=1))
    return missing


def _loaded(python: Path, model: Path) -> Mapping[str, Any]:
    """What the model says of its columns once it is loaded, in a process of its own."""
    try:
        worker = Worker(str(python), model)
    except ModelError as error:
        raise Failed(str(error).partition(": ")[2] or str(error)) from None
    worker.close()
    return worker.about


def _algorithm(about: Model) -> str:
    found = about.flavors.get(flavour(about), {})
    return str(found.get("model_class") or (found.get("sklearn_version") and "scikit-learn") or flavour(about))[:80]


def _example(where: Path, about: Model) -> Mapping[str, Any]:
    """The first row that was logged with the model, by the names of its columns; without one nothing."""
    info = about.saved_input_example_info or {}
    try:
        read = json.loads((where / str(info["artifact_path"])).read_text())
        if isinstance(read, dict) and "data" in read:
            names = read.get("columns") or _numbered(len(read["data"][0]))
            return dict(zip(map(str, names), read["data"][0], strict=True))
        rows = read.get("inputs") if isinstance(read, dict) else None
        if isinstance(rows, list) and rows and isinstance(rows[0], list):
            return dict(zip(_numbered(len(rows[0])), rows[0], strict=True))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return {}

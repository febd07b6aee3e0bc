"""Models that somebody else logged to MLflow, as model folders where the endpoint can serve them exactly.

Only files that hold data are read: nothing here unpickles, so no code of a stranger's model runs.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import treelite
import xgboost
from mlflow.models import Model

from core.domain.errors import Failed
from core.work.preprocess import FORMAT

NUMBERS: Mapping[str, str] = {
    "boolean": "boolean",
    "integer": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
}
"""MLflow's types of columns, and what fields of ours they are."""
OURS = "core.work.flavour"
CLASSIFIERS = ("xgboost.sklearn.XGBClassifier",)


def refusal(about: Model) -> str:
    """Why a model can't be served here, in one sentence, by what it says of itself; empty where it can."""
    flavours = [name for name in about.flavors if name != "python_function"]
    found = about.flavors.get("xgboost")
    if found is None:
        named = ", ".join(flavours) or str(about.flavors.get("python_function", {}).get("loader_module", "unknown"))
        return f"its flavour is {named}; the fast path takes models of Quarterdeck's own and xgboost classifiers"
    if found.get("model_class") not in CLASSIFIERS:
        return f"it is a {found.get('model_class')}, which answers scores; log an XGBClassifier, which answers labels"
    if found.get("model_format") not in ("ubj", "json"):
        return f"it was saved as {found.get('model_format')}; log it with model_format='ubj'"
    schema = about.get_input_schema()
    if schema is None:
        return ""
    if not all(schema.input_names()):
        return "its signature names no columns; log it with a signature of named columns, or with none"
    strange = [(column.name, column.type) for column in schema.inputs if _type(column) is None]
    if strange:
        name, kind = strange[0]
        return f"its column {name} is of type {kind}; a model whose own code reads texts is not served"
    return ""


def is_ours(about: Model) -> bool:
    """Whether a model was logged by a release of ours."""
    return str(about.flavors.get("python_function", {}).get("loader_module", "")).startswith("mlflow.pyfunc.") and (
        "folder" in about.flavors["python_function"].get("artifacts", {})
    )


def convert(where: Path, into: Path) -> str:
    """A model folder out of a downloaded MLflow model; says what was missing. Raises Failed where there is none."""
    about = Model.load(str(where))
    if is_ours(about):
        raise Failed("its model folder holds no model.json; release one with train")
    if why := refusal(about):
        raise Failed(why)
    booster = xgboost.Booster(model_file=str(where / about.flavors["xgboost"]["data"]))
    best = booster.attr("best_iteration")
    if best is not None:
        # What scikit-learn's interface answers with once a fit stopped early.
        booster = booster[: int(best) + 1]
    fields, said = _fields(about, booster)
    objective = json.loads(booster.save_config())["learner"]["learner_train_param"]["objective"]
    classes = int(json.loads(booster.save_config())["learner"]["learner_model_param"]["num_class"]) or 2
    if objective not in ("binary:logistic", "multi:softprob", "multi:softmax"):
        raise Failed(f"its objective is {objective}; the fast path takes binary:logistic and multi:softprob")
    into.mkdir(parents=True, exist_ok=True)
    booster.save_model(into / "model.ubj")
    treelite.frontend.load_xgboost_model(into / "model.ubj").serialize(into / "model.tl")
    manifest = {
        "format": FORMAT,
        "task": "classification",
        "fields": fields,
        "target": "prediction",
        "labels": list(range(classes)),
        "example": _example(where, about, fields),
        "algorithm": "XGBoost",
        "file": "model.ubj",
        "treelite": "model.tl",
        "flavour": "xgboost",
    }
    (into / "model.json").write_text(json.dumps(manifest, indent=1))
    return said


def _fields(about: Model, booster: xgboost.Booster) -> tuple[list[dict[str, Any]], str]:
    """The fields by the signature, else by the model itself; and what was missing."""
    own, count = booster.feature_names, booster.num_features()
    if any(kind == "c" for kind in booster.feature_types or ()):
        raise Failed("it has columns of categories, whose codes only the training script knew; encode them as numbers")
    schema = about.get_input_schema()
    if schema is None:
        names: Sequence[str] = own or [f"f{place}" for place in range(count)]
        source = "the model's own names" if own else "f0, f1 and on"
        return [{"name": name, "type": "number"} for name in names], f"no signature: fields are {source}, all numbers"
    names = schema.input_names()
    if len(names) != count or (own and list(own) != list(names)):
        raise Failed(f"its signature has the columns {', '.join(map(str, names[:5]))}, the model others; log it anew")
    fields = [
        {"name": column.name, "type": _type(column)} | ({} if column.required else {"required": False})
        for column in schema.inputs
    ]
    return fields, ""


def _type(column: Any) -> str | None:
    return NUMBERS.get(getattr(column.type, "name", ""))


def _example(where: Path, about: Model, fields: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first row that was logged with the model; without one a row without values."""
    names = [field["name"] for field in fields]
    info = about.saved_input_example_info or {}
    try:
        read = json.loads((where / str(info["artifact_path"])).read_text())
        row = dict(zip(read["columns"], read["data"][0], strict=True))
        return {name: row[name] for name in names}
    except (OSError, ValueError, LookupError, TypeError):
        return dict.fromkeys(names)

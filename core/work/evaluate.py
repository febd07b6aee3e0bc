"""How good baseline, candidate and the version in production are on the same held-out rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, get_model_info
from numpy.typing import NDArray

from core.config.config import alias
from core.domain.errors import Failed
from core.work import asked, contract, flavour, preprocess
from core.work.convert import is_ours
from core.work.fetch import brought
from core.work.figures import mcnemar, measure, short
from core.work.job import Done, Job, Report, kept, needed
from core.work.registry import Registry, answering, connect, local_folder, noun, resolve, said

UNKNOWN = -1
"""Stands for a label that the target does not have."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The held-out rows: raw, and the true labels as places in `labels`; `shares` are those of the training rows."""

    raw: pd.DataFrame
    truth: NDArray[np.int64]
    labels: list[Any]
    shares: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What one model said: a place in the labels for each row, and probabilities where it gives any."""

    guessed: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None


def run(job: Job, say: Report) -> Done:
    """Measure each and compare the candidate with the others.

    Option `serving`: the address of the version that takes the traffic, where one does; else the alias says which.
    """
    rows = held_out(job.folder)
    say.progress(0.1, "candidate")
    answers = {"candidate": of_folder(_candidate(job), rows)}
    registry = connect(job.settings)
    with answering(registry.shown):
        say.progress(0.3, "baseline")
        if baseline := _baseline(job, rows, say):
            answers["baseline"] = baseline
        say.progress(0.5, f"the version behind {alias(job.settings)}")
        answers["majority"] = majority(rows)
        live, absent = _live(job, registry, rows, say, str(job.options.get("serving") or ""))
        if live and live.answers:
            answers["production"] = live.answers
        figures = {
            name: measure(rows.truth, each.guessed, each.probabilities, len(rows.labels))
            for name, each in answers.items()
        }
        _log(registry, job, figures)
    candidate = answers["candidate"]
    against = {
        name: mcnemar(rows.truth, candidate.guessed, other.guessed)
        for name, other in answers.items()
        if name != "candidate"
    }
    names = {"majority": f"always {rows.labels[int(rows.shares.argmax())]}"}
    for name, each in figures.items():
        say(
            f"{names.get(name, name)}: "
            + ", ".join(short(metric, each[metric]) for metric in _SHOWN if each[metric] is not None)
        )
    for name, test in against.items():
        apart = f"right alone {test['better']}, wrong alone {test['worse']}, p {test['p']:.3f}"
        say(f"candidate against {names.get(name, name)}: {apart}")
    metric = job.settings.train.primary_metric
    result = {
        **figures,
        "against": against,
        "rows": len(rows.raw),
        "labels": rows.labels,
        "most_common": rows.labels[int(rows.shares.argmax())],
        "primary_metric": metric,
        "production_version": live.version if live and live.answers else None,
        "production_absent": absent,
        "contract": contract.of_manifest(flavour.manifest(_candidate(job))),
        "production_contract": live.contract if live else None,
    }
    return Done({"production": None, "baseline": None, **result}, short(metric, figures["candidate"][metric]))


_SHOWN = ("macro_f1", "accuracy", "precision", "recall", "log_loss")


def held_out(folder: Path) -> Rows:
    """The held-out rows that the data step left."""
    data = needed(folder, "data", "evaluate")
    train, test = preprocess.frames(folder)
    target, labels = data["target"], data["labels"]
    trained_on = preprocess.indices(train[target], labels)
    shares = np.bincount(trained_on, minlength=len(labels)) / len(trained_on)
    return Rows(test.drop(columns=[target]), preprocess.indices(test[target], labels), list(labels), shares)


def majority(rows: Rows) -> Predictions:
    """What somebody says who knows nothing but how common each label is: the most common one, for every row."""
    count = len(rows.truth)
    return Predictions(np.full(count, int(rows.shares.argmax())), np.tile(rows.shares, (count, 1)))


def of_folder(folder: Path, rows: Rows) -> Predictions:
    """What the model of a folder says."""
    if flavour.manifest(folder)["task"] == "pyfunc":
        return Predictions(places(asked.of_folder(folder, rows.raw), rows.labels), None)
    model = flavour.Folder(folder)
    probabilities = model.probabilities(rows.raw)
    return Predictions(places(model.named(probabilities), rows.labels), _as(probabilities, model.labels, rows.labels))


def places(guessed: Any, labels: list[Any]) -> NDArray[np.int64]:
    """Labels as places; one that the target does not have is never right."""
    known = {label: place for place, label in enumerate(labels)}
    if isinstance(guessed, list):
        # Of several outputs none is a label.
        return np.array([UNKNOWN if isinstance(one, list | dict) else known.get(one, UNKNOWN) for one in guessed])
    plain = (value.item() if isinstance(value, np.generic) else value for value in np.asarray(guessed).ravel())
    return np.array([known.get(value, UNKNOWN) for value in plain], dtype=np.int64)


def _as(probabilities: NDArray[np.float64], own: Any, labels: list[Any]) -> NDArray[np.float64] | None:
    """Probabilities in the order of our labels; None where a model knows others."""
    if set(own) != set(labels):
        return None
    return probabilities[:, [list(own).index(label) for label in labels]]


def _candidate(job: Job) -> Path:
    """What train made, or what was fetched instead."""
    if kept(job.folder, "train") is None and (fetched := kept(job.folder, "fetch")):
        return Path(fetched["folder"])
    return Path(needed(job.folder, "train", "evaluate")["candidate"]["folder"])


def _baseline(job: Job, rows: Rows, say: Report) -> Predictions | None:
    """The forest that was trained beside the candidate, now or when the fetched version was made."""
    if trained := kept(job.folder, "train"):
        return of_folder(Path(trained["baseline"]["folder"]), rows)
    uri = (kept(job.folder, "fetch") or {}).get("baseline")
    if not uri:
        say("baseline: the version names none")
        return None
    return _of_ours(_ours(uri), rows)


@dataclass(frozen=True, slots=True)
class Live:
    """The version that serves now, what it said, and what its callers rely on; None where that is not known."""

    version: Mapping[str, Any]
    answers: Predictions | None
    contract: contract.Contract | None


def _live(job: Job, registry: Registry, rows: Rows, say: Report, serving: str) -> tuple[Live | None, str]:
    """The version that serves, or is behind the alias, on the held-out rows; and why it can't be compared, if so."""
    name = alias(registry.settings)
    found = registry.at(name)
    if serving:
        pointed = found
        try:
            found = resolve(registry, serving)
        except Failed as error:
            say(f"production: {error}")
            return None, str(error)
        if pointed is None or pointed.version != found.version:
            where = "points nowhere" if pointed is None else f"points to v{pointed.version}"
            say(f"production: @{name} {where}, but v{found.version} serves; compared with v{found.version}")
    if found is None:
        absent = f"no version of {registry.settings.model} has the alias {name} yet"
        say(f"production: {absent}")
        return None, absent
    label, known = f"{found.name} v{found.version}", None
    try:
        if (theirs := _theirs(job, registry, found, say)) is not None:
            # Its code runs where it serves, not here.
            known = contract.of_manifest(flavour.manifest(theirs))
            told = asked.of_folder(theirs, rows.raw)
            return Live(noun(found), Predictions(places(told, rows.labels), None), known), ""
        folder = _ours(f"models:/{found.name}/{found.version}")
        known = contract.of_manifest(folder.manifest)
        return Live(noun(found), _of_ours(folder, rows), known), ""
    except (Failed, MlflowException, OSError, ValueError, KeyError) as error:
        registry.at(name)  # raises where it is the registry that is gone: then nothing is known of the version
        absent = f"{label} can't be compared: {said(error)}"
        say(f"production: {absent}")
        return Live(noun(found), None, known), absent


def _theirs(job: Job, registry: Registry, found: ModelVersion, say: Report) -> Path | None:
    """The folder of a version that somebody else logged, fetched where it never was; None for one of ours."""
    served = local_folder(registry.settings, noun(found))
    if (served / "model.json").is_file():
        return served if "flavour" in flavour.manifest(served) else None
    return None if _is_ours(noun(found)["uri"]) else brought(job, found, registry, say)


def _is_ours(uri: str) -> bool:
    return is_ours(Model(flavors=get_model_info(uri).flavors))


def _ours(uri: str) -> flavour.Folder:
    """The model folder inside a registered model of ours. Raises Failed where another made it: nothing of that is
    run here."""
    folder = folder_of(mlflow.pyfunc.load_model(uri)) if _is_ours(uri) else None
    if folder is None:
        raise Failed(f"{uri} is no model of Quarterdeck's")
    return folder


def folder_of(model: Any) -> flavour.Folder | None:
    """The model folder inside a model that MLflow loaded; None where somebody else made it."""
    inner = model.unwrap_python_model() if model.loader_module.startswith("mlflow.pyfunc.") else None
    folder: flavour.Folder | None = getattr(inner, "folder", None)
    return folder


def _of_ours(folder: flavour.Folder, rows: Rows) -> Predictions:
    """What a model of ours says. Raises Failed when it was made for other fields or labels."""
    missing = [field["name"] for field in folder.manifest["fields"] if field["name"] not in rows.raw.columns]
    if missing:
        raise Failed(f"it needs {', '.join(missing)}, which the data no longer has")
    if set(folder.labels) != set(rows.labels):
        raise Failed(f"it predicts {', '.join(map(str, folder.labels))}, not {', '.join(map(str, rows.labels))}")
    probabilities = folder.probabilities(rows.raw)
    return Predictions(places(folder.named(probabilities), rows.labels), _as(probabilities, folder.labels, rows.labels))


def _log(registry: Registry, job: Job, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """The held-out figures of the two that were trained, into their runs."""
    trained = kept(job.folder, "train") or {}
    for name in ("baseline", "candidate"):
        if name in trained and name in figures:
            for metric in _SHOWN:
                registry.client.log_metric(trained[name]["run_id"], metric, figures[name][metric])

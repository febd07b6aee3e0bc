"""Writes model folders: `model.json` and the model beside it, in the forms that scoring reads."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import treelite
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier

from core.system.digests import OURS, changed, digests
from core.work.linear import LinearClassifier


def write_booster(folder: Path, model: XGBClassifier, encoder: Mapping[str, Any], rows: Path) -> Path:
    """XGBoost as `model.ubj`, and as treelite's checkpoint, which answers single rows quicker; with the held-out
    rows that a load generator sends, so that a version brings them wherever it is fetched."""
    with _fresh(folder) as beside:
        model.get_booster().save_model(beside / "model.ubj")
        treelite.frontend.load_xgboost_model(beside / "model.ubj").serialize(beside / "model.tl")
        _manifest(beside, encoder, "XGBoost", "model.ubj")
        shutil.copyfile(rows, beside / rows.name)
    return folder


def write_forest(
    folder: Path, model: RandomForestClassifier, encoder: Mapping[str, Any], rows: Path | None = None
) -> Path:
    """A random forest as treelite's checkpoint."""
    with _fresh(folder) as beside:
        treelite.sklearn.import_model(model).serialize(beside / "model.tl")
        _manifest(beside, encoder, "RandomForest", "model.tl")
        if rows is not None:
            shutil.copyfile(rows, beside / rows.name)
    return folder


def write_linear(folder: Path, model: LinearClassifier, encoder: Mapping[str, Any], rows: Path | None = None) -> Path:
    """A linear model as its weights."""
    with _fresh(folder) as beside:
        (beside / "linear.json").write_text(json.dumps(model.weights()))
        _manifest(beside, encoder, "Linear", "linear.json", treelite_file=None)
        if rows is not None:
            shutil.copyfile(rows, beside / rows.name)
    return folder


def copy(source: Path, folder: Path, version: Mapping[str, Any], registry: str) -> Path:
    """A version's folder for the local target, with `version.json` in it; `registry` is shown without a password.

    The digests in it say later whether a file is still the one that came from the registry.
    """
    if _holds(folder, version):
        return folder
    with _fresh(folder) as beside:
        shutil.copytree(source, beside, dirs_exist_ok=True)
        about = {**version, "registry": registry, "files": digests(beside)}
        (beside / OURS).write_text(json.dumps(about))
    return folder


def _holds(folder: Path, version: Mapping[str, Any]) -> bool:
    """Whether it is this version's, with every file as it came. It may serve: another address of the same registry is
    no reason to write it anew."""
    path = folder / OURS
    if not path.is_file():
        return False
    about = json.loads(path.read_text())
    return bool(version.items() <= about.items()) and not changed(folder, about.get("files", {}))


def _manifest(
    folder: Path, encoder: Mapping[str, Any], algorithm: str, file: str, treelite_file: str | None = "model.tl"
) -> None:
    manifest = {**encoder, "algorithm": algorithm, "file": file, "treelite": treelite_file}
    (folder / "model.json").write_text(json.dumps(manifest, indent=1))


class _fresh:  # noqa: N801 - used as a function
    """A folder to fill beside the one that it replaces at the end, so that nobody reads half of one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.beside = folder.with_name(f"{folder.name}.new")

    def __enter__(self) -> Path:
        shutil.rmtree(self.beside, ignore_errors=True)
        self.beside.mkdir(parents=True)
        return self.beside

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.beside.replace(self.folder)
        else:
            shutil.rmtree(self.beside, ignore_errors=True)

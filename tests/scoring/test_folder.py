"""A model folder that can't be served says why in one line, and which file it is."""

import json
import shutil
from array import array
from pathlib import Path
from typing import Any

import pytest

from scoring import fingerprint, library
from scoring.model import Matrix, ModelError, load


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """A copy of the binary model that a test may break."""
    return Path(shutil.copytree(models / "two", tmp_path / "model"))


def change(folder: Path, **changes: Any) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format: this service reads 1"),
        ({"task": "regression"}, "task: only classification"),
        ({"file": "model.pkl"}, "file: model.ubj, model.tl or linear.json"),
        ({"treelite": "x"}, "treelite: model.tl or null"),
        ({"algorithm": ""}, "algorithm: a text"),
        ({"target": 3}, "target: a text"),
        ({"fields": []}, "fields: a list with at least one"),
        ({"fields": [3]}, r"fields\[0\]: an object with a name"),
        ({"fields": [{"name": "a", "type": "moment"}]}, r"fields\[0\].type \(a\): one of number"),
        ({"fields": [{"name": "a", "type": "date"}]}, r"fields\[0\].parts \(a\): some of year"),
        ({"fields": [{"name": "a", "type": "date", "parts": ["age"]}]}, r"fields\[0\].parts \(a\): some of year"),
        ({"fields": [{"name": "a", "type": "date", "parts": [["year"]]}]}, r"fields\[0\].parts \(a\): some of year"),
        ({"fields": [{"name": "a", "type": "category", "categories": [1]}]}, r"categories \(a\): a list of texts"),
        ({"fields": [{"name": "a", "type": "number"}] * 2}, "a is there twice"),
        ({"labels": ["one"]}, "labels: a list of at least two"),
        ({"labels": [None, "yes"]}, "labels: texts, numbers or booleans"),
        ({"labels": ["a", "b", "c"]}, "binary:logistic with 0 classes does not fit the 3 labels"),
        ({"fields": [{"name": "a", "type": "number"}]}, "it has 4 columns, model.json names 1 fields"),
        ({"file": "model.tl", "fields": [{"name": "a", "type": "number"}]}, "model.tl: it has 4 columns"),
        ({"file": "model.tl", "labels": ["a", "b", "c"]}, "gives 1 classes, model.json names 3 labels"),
    ],
)
def test_a_wrong_manifest_names_the_key(folder: Path, changes: dict[str, Any], words: str) -> None:
    change(folder, **changes)
    with pytest.raises(ModelError, match=words) as caught:
        load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_told_apart_by_what_is_loaded_of_it(models: Path, folder: Path) -> None:
    known = fingerprint.of_folder(models / "two")
    assert known.startswith("sha256:")
    (folder / "rows.jsonl").write_text("{}")
    assert fingerprint.of_folder(folder) == known == load(folder).about.digest
    (folder / "model.ubj").write_bytes((folder / "model.ubj").read_bytes() + b" ")
    assert fingerprint.of_folder(folder) != known
    change(folder, flavour="xgboost")
    assert fingerprint.of_folder(folder) == fingerprint.of_folder(folder / "nowhere") == ""


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_a_manifest_that_is_no_object_is_named(folder: Path, text: str) -> None:
    (folder / "model.json").write_text(text)
    with pytest.raises(ModelError, match=r"model.json: .*write the model folder again"):
        load(folder)


@pytest.mark.parametrize("file", ["model.ubj", "model.tl", "model.json"])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(ModelError, match=file):
        load(folder)


@pytest.mark.parametrize("file", ["model.ubj", "model.tl"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"half"])
def test_a_broken_file_is_named(folder: Path, file: str, content: bytes) -> None:
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2] if content == b"half" else content)
    with pytest.raises(ModelError, match=f"{file}: .*write the model folder again") as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_two_files_of_different_models_are_noticed(models: Path, folder: Path) -> None:
    shutil.copy(models / "forest-two" / "model.tl", folder / "model.tl")
    with pytest.raises(ModelError, match="are not the same model"):
        load(folder)


def test_without_treelite_everything_goes_through_xgboost(folder: Path) -> None:
    change(folder, treelite=None)
    (folder / "model.tl").unlink()
    row = b'{"data": [[1.5, 3, true, "AA"]]}'
    assert load(folder).predict([(row, "")]).counts == [1]


def test_a_library_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModelError, match="the model needs nowhere's library: install nowhere-cpu"):
        library._library("nowhere", "nowhere", "nowhere-cpu")


def test_a_failure_inside_a_library_is_one_line(models: Path) -> None:
    model = load(models / "two")
    assert isinstance(model, Matrix)
    trees = model._trees
    assert isinstance(trees, library.Booster)
    trees._config = b"no json"
    with pytest.raises(ModelError, match="XGBoost can't predict: ") as caught:
        trees.predict(array("f", [1.0] * 4), 1)
    assert "\n" not in str(caught.value)

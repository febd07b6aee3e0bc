"""Run as a program: trains small models, writes each as a model folder, and beside it what its own package says.

`expected.json` holds raw rows and what xgboost or scikit-learn predict for them, by way of numpy and not of
anything in scoring/.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import treelite
import xgboost
from sklearn.ensemble import RandomForestClassifier

ROWS = 200
CARRIERS = ["9E", "AA", "UA"]
FIELDS: list[dict[str, Any]] = [
    {"name": "delay", "type": "number"},
    {"name": "month", "type": "integer"},
    {"name": "vip", "type": "boolean"},
    {"name": "carrier", "type": "category", "categories": CARRIERS},
]


def raw_rows(random: np.random.Generator, count: int) -> list[list[Any]]:
    """Rows as people send them: with missing values everywhere, and carriers that nobody knows."""
    rows: list[list[Any]] = []
    for _ in range(count):
        delay = round(float(random.normal(10, 20)), 2)
        row = [delay, int(random.integers(1, 13)), bool(random.integers(0, 2)), str(random.choice([*CARRIERS, "ZZ"]))]
        rows.append([None if random.random() < 0.1 else value for value in row])
    return rows


def encoded(rows: list[list[Any]]) -> np.ndarray:
    """The model's matrix, written down a second time for this check."""
    codes = {carrier: float(code) for code, carrier in enumerate(CARRIERS)}
    numbers = [[np.nan if value is None else float(value) for value in row[:3]] for row in rows]
    carriers = [codes.get(row[3], np.nan) for row in rows]
    return np.column_stack([numbers, carriers]).astype(np.float32)


def write(folder: Path, algorithm: str, labels: list[Any], rows: list[list[Any]], likely: np.ndarray) -> None:
    """The manifest, and what the package says of the rows."""
    files = {"file": "model.ubj" if algorithm == "XGBoost" else "model.tl", "treelite": "model.tl"}
    example = dict(zip([field["name"] for field in FIELDS], rows[0], strict=True))
    manifest = {"format": 1, "task": "classification", "algorithm": algorithm, "fields": FIELDS, "target": "late"}
    (folder / "model.json").write_text(json.dumps(manifest | files | {"labels": labels, "example": example}))
    predictions = [labels[int(index)] for index in likely.argmax(axis=1)]
    expected = {"rows": rows, "predictions": predictions, "probabilities": likely.tolist()}
    (folder / "expected.json").write_text(json.dumps(expected))


def booster(folder: Path, labels: list[Any], random: np.random.Generator, early: bool = False) -> None:
    """An XGBoost classifier with its twin in treelite; `early` leaves rounds behind that don't count."""
    rows = raw_rows(random, 800)
    matrix = encoded(rows)
    target = classes(matrix, len(labels), random)
    more: dict[str, Any] = {"early_stopping_rounds": 3} if early else {}
    model = xgboost.XGBClassifier(n_estimators=40, max_depth=4, learning_rate=0.4, n_jobs=1, **more)
    model.fit(matrix[:600], target[:600], eval_set=[(matrix[600:], target[600:])], verbose=False)
    folder.mkdir(parents=True)
    model.save_model(folder / "model.ubj")
    treelite.frontend.from_xgboost(model.get_booster()).serialize(folder / "model.tl")
    if early and model.best_iteration + 1 >= model.get_booster().num_boosted_rounds():
        raise SystemExit("early stopping kept every round: the check needs one that does not count")
    sent = rows[:ROWS]
    write(folder, "XGBoost", labels, sent, model.predict_proba(encoded(sent)))


def forest(folder: Path, labels: list[Any], random: np.random.Generator) -> None:
    """A random forest, which only treelite serves."""
    rows = raw_rows(random, 600)
    matrix = encoded(rows)
    model = RandomForestClassifier(n_estimators=23, max_depth=6, random_state=1, n_jobs=1)
    model.fit(matrix, classes(matrix, len(labels), random))
    folder.mkdir(parents=True)
    treelite.sklearn.import_model(model).serialize(str(folder / "model.tl"))
    sent = rows[:ROWS]
    write(folder, "RandomForest", labels, sent, model.predict_proba(encoded(sent)))


def classes(matrix: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """A target that depends on all fields, and on chance."""
    filled = np.nan_to_num(matrix, nan=-1.0)
    score = filled[:, 0] / 20 + filled[:, 1] / 6 + filled[:, 2] - filled[:, 3] / 2 + random.normal(0, 0.6, len(filled))
    edges = np.quantile(score, [step / count for step in range(1, count)])
    found: np.ndarray = np.searchsorted(edges, score)
    return found


def main(root: Path) -> None:
    random = np.random.default_rng(7)
    booster(root / "two", ["no", "yes"], random)
    booster(root / "four", [1, 2, 3, 4], random)
    booster(root / "early", ["no", "yes"], random, early=True)
    forest(root / "forest", ["low", "medium", "hïgh"], random)
    forest(root / "forest-two", [False, True], random)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""What anybody would write: read a CSV, encode it, fit a forest and a searched XGBoost, and measure both.

python -m tests.bench.plain_script ROWS.csv TRIES FOLDS
"""

import sys

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold, train_test_split
from xgboost import XGBClassifier

from core.work.entrants import FOREST
from core.work.search import SPACE


def main(path: str, tries: int, folds: int) -> None:
    """Print how good both are."""
    table = pd.read_csv(path)
    y = pd.factorize(table.pop("y"), sort=True)[0]
    coded = {
        name: values if values.dtype.kind in "ifb" else values.astype("category").cat.codes
        for name, values in table.items()
    }
    x = pd.DataFrame(coded).to_numpy(np.float32)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42, stratify=y)
    forest = RandomForestClassifier(**FOREST, random_state=42, n_jobs=-1).fit(x_train, y_train)
    search = RandomizedSearchCV(
        XGBClassifier(tree_method="hist", random_state=42),
        dict(SPACE),
        n_iter=tries,
        scoring="f1_macro",
        cv=StratifiedKFold(folds, shuffle=True, random_state=42),
        random_state=42,
    ).fit(x_train, y_train)
    scores = []
    for model in (forest, search.best_estimator_):
        guessed = model.predict(x_test)
        scores.append(f"{accuracy_score(y_test, guessed):.3f} {f1_score(y_test, guessed, average='macro'):.3f}")
    print(f"accuracy and macro F1: forest {scores[0]}, XGBoost {scores[1]}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

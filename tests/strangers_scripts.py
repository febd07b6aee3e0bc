"""What strangers do: ten models trained and logged to an MLflow server, with nothing of Quarterdeck.

Run by `tests.strangers_models` with an interpreter that has their packages; the last line it prints is, by name, the
rows that each is asked.
"""

# mypy: ignore-errors

import json
import logging
import sys
import tempfile
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import xgboost
from mlflow.models import infer_signature
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

logging.getLogger("mlflow").setLevel(logging.ERROR)
ROWS, ASKED = 400, 20
draw = np.random.default_rng(4)
people = pd.DataFrame(
    {
        "age": draw.integers(18, 80, ROWS).astype(float),
        "income": draw.normal(50, 15, ROWS).round(1),
        "city": draw.choice(["Rome", "Oslo", "Lima"], ROWS),
    }
)
numbers = people[["age", "income"]]
yes = np.where(people.age / 80 + (people.city == "Oslo") / 2 > 0.8, "yes", "no")
one = (yes == "yes").astype(int)
spent = (people.income * 2 + people.age).to_numpy()
notes = pd.DataFrame({"note": [f"{word} {place % 7}" for place, word in enumerate(people.city)]})
asked: dict[str, list[object]] = {}


class Bands(mlflow.pyfunc.PythonModel):
    """Code alone."""

    def __init__(self, edge: float) -> None:
        self.edge = edge

    def predict(self, context, model_input, params=None):
        """Two columns, one of texts."""
        high = model_input["income"] > self.edge
        return pd.DataFrame({"band": np.where(high, "high", "low"), "over": model_input["income"] - self.edge})


def log(name, flavour, model, rows, answers=None, **more):
    """As people do it; without answers there is no signature."""
    signature = None if answers is None else infer_signature(rows, answers)
    registered = name.replace(", ", "-").replace(" ", "-")
    key = "python_model" if flavour is mlflow.pyfunc else None
    given = {key: model} if key else {}
    with mlflow.start_run():
        flavour.log_model(
            *([] if key else [model]),
            name="model",
            signature=signature,
            registered_model_name=registered,
            pip_requirements=PACKAGES,
            **given,
            **more,
        )
    first = rows[:ASKED]
    asked[name] = first.to_dict("records") if isinstance(first, pd.DataFrame) else first.tolist()


mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("theirs")
PACKAGES = ["mlflow==3.17.2", "scikit-learn", "pandas", "xgboost-cpu", "lightgbm", "onnx", "onnxruntime", "skl2onnx"]
plain = {"serialization_format": "cloudpickle"}

columns = ColumnTransformer(
    [("n", StandardScaler(), ["age", "income"]), ("t", OneHotEncoder(handle_unknown="ignore"), ["city"])]
)
piped = make_pipeline(columns, LogisticRegression()).fit(people, yes)
log("pipeline with columns", mlflow.sklearn, piped, people, yes, **plain)
booster = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(numbers, spent), 20)
log("xgboost booster", mlflow.xgboost, booster, numbers, spent)
log("xgboost classifier", mlflow.xgboost, xgboost.XGBClassifier(n_estimators=20).fit(numbers, one), numbers, one)
log("lightgbm", mlflow.lightgbm, lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(numbers, one), numbers, one)
linear = LinearRegression().fit(numbers.to_numpy(dtype=np.float32), spent)
singles = numbers.to_numpy(dtype=np.float32)
log("onnx", mlflow.onnx, to_onnx(linear, singles[:1]), singles, spent.astype(np.float32).reshape(-1, 1))
logistic = LogisticRegression().fit(numbers, yes)
log("logistic regression", mlflow.sklearn, logistic, numbers, yes, **plain)
log("logistic, unsigned", mlflow.sklearn, logistic, numbers, **plain)
with tempfile.TemporaryDirectory() as folder:
    more = Path(folder) / "extra.py"
    more.write_text("EDGE = 50.0\n")
    bands = Bands(50.0)
    log("code, two outputs", mlflow.pyfunc, bands, numbers, bands.predict(None, numbers), code_paths=[str(more)])
log("code, unsigned", mlflow.pyfunc, Bands(40.0), numbers)
texts = make_pipeline(ColumnTransformer([("note", TfidfVectorizer(), "note")]), LogisticRegression()).fit(notes, yes)
log("text column", mlflow.sklearn, texts, notes, yes, **plain)
sys.stdout.write(json.dumps(asked) + "\n")

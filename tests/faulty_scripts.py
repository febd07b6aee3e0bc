"""Versions that go wrong in one way each, logged and registered by a stranger: REGISTRY NAME FAULT... Prints numbers.

Each answers as a small tree would; what goes wrong is in its code, as it would be in somebody's, and begins some
seconds after its process has: whatever tries it before it has traffic finds nothing.
"""

# mypy: ignore-errors

import logging
import os
import sys
import time

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

logging.getLogger("mlflow").setLevel(logging.ERROR)
KINDS = np.array(["setosa", "versicolor", "virginica"])
BEGINS_S = 10.0
TAKES_S = 0.02
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


class Version(mlflow.pyfunc.PythonModel):
    """Which iris it is, by its petals, but for the fault."""

    def __init__(self, fault):
        self.fault = fault
        self.asked = 0
        self.kept = []
        self.since = None

    def load_context(self, context):
        """What is done before the first answer."""
        if self.fault == "boot":
            os._exit(1)

    def predict(self, context, model_input, params=None):
        """A label a row."""
        import random

        self.since = self.since or time.monotonic()
        word, _, figure = self.fault.partition(":")
        if time.monotonic() - self.since < BEGINS_S:
            word = ""
        else:
            self.asked += len(model_input)
        time.sleep(TAKES_S)
        if word == "fails" and random.random() < float(figure):
            raise RuntimeError("it went wrong in here")
        if word == "slower":
            time.sleep(float(figure))
        if word == "leaks":
            self.kept.append(b"x" * int(float(figure) * 1e6))
        if word == "start":
            os._exit(1)
        if word == "crash" and self.asked > int(figure):
            os._exit(1)
        length = model_input["petal_length"].to_numpy(dtype=float)
        places = (length > 2.5).astype(int) + (length > 4.9).astype(int)
        if word == "wrong":
            places = np.where(places == 0, 2, places)
        if word == "form":
            return pd.DataFrame({"kind": KINDS[places], "sure": np.full(len(places), 0.9)})
        return KINDS[places]


registry, name, *faults = sys.argv[1:]
mlflow.set_tracking_uri(registry)
rows = pd.DataFrame([[5.1, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5]], columns=NAMES)
for fault in faults:
    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=Version(fault),
            signature=infer_signature(rows, KINDS[:2]),
            registered_model_name=name,
            pip_requirements=[f"mlflow=={mlflow.__version__}", f"pandas=={pd.__version__}", f"numpy=={np.__version__}"],
        )
    print(info.registered_model_version)

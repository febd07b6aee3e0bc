"""What a registered model says by itself: `own.py REGISTRY URI TABLE ROWS`. Knows nothing of Quarterdeck's code."""

import json
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import xgboost

registry, uri, table, wanted = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
mlflow.set_tracking_uri(registry)


def plain(value: Any) -> Any:
    """A value as JSON has it; a missing one is None."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if pd.isna(value) else value


def number(field: dict[str, Any], value: Any) -> float:
    """A raw value as the trees read it."""
    if value is None:
        return float("nan")
    if field["type"] != "category":
        return float(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return field["categories"].index(text) if text in field["categories"] else float("nan")


folder = next(Path(mlflow.artifacts.download_artifacts(artifact_uri=uri)).rglob("model.json")).parent
about = json.loads((folder / "model.json").read_text())
names = [field["name"] for field in about["fields"]]
raw = pd.read_parquet(table).drop(columns=[about["target"]])
raw = pd.concat([raw] * (wanted // len(raw) + 1)).head(wanted).reset_index(drop=True)
rows = [{str(name): plain(value) for name, value in row.items()} for row in raw[names].to_dict("records")]

matrix = np.array([[number(field, row[field["name"]]) for field in about["fields"]] for row in rows], dtype=np.float32)
scores = xgboost.Booster(model_file=str(folder / about["file"])).predict(xgboost.DMatrix(matrix, missing=np.nan))
print(
    json.dumps(
        {
            "names": names,
            "rows": rows,
            "missing": int(np.isnan(matrix).sum()),
            "xgboost": [about["labels"][place] for place in scores.argmax(axis=1)],
            "probabilities": scores.tolist(),
            "mlflow": [plain(value) for value in mlflow.pyfunc.load_model(uri).predict(raw)],
        }
    )
)

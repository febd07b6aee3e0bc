"""What a registered version says that it takes and gives, in MLflow's own types."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, ParamSchema, ParamSpec, Schema

from scoring.encode import only_words

OUTPUTS: Mapping[type, DataType] = {bool: DataType.boolean, int: DataType.long, float: DataType.double}
"""MLflow's names for what labels are."""
INPUTS: Mapping[np.dtype[Any], DataType] = {
    np.dtype(np.int64): DataType.long,
    np.dtype(np.float64): DataType.double,
    np.dtype(np.bool_): DataType.boolean,
}
"""MLflow takes a whole number for no broken one in a frame, nor the other way: a column is what its table had."""


def signature(raw: pd.DataFrame, fields: Sequence[Mapping[str, Any]], labels: Sequence[Any]) -> ModelSignature:
    """Named columns, none required, some rows of which are `raw`, as they were trained on; answers as the labels."""
    return ModelSignature(
        inputs=Schema([ColSpec(_input(raw[each["name"]], each), each["name"], required=False) for each in fields]),
        outputs=Schema([ColSpec(_output(labels))]),
        params=ParamSchema([ParamSpec("probabilities", "boolean", default=False)]),
    )


def _input(values: pd.Series, field: Mapping[str, Any]) -> DataType | AnyType:
    """A column's type; any where MLflow would make another value of one that the column's own reader knows."""
    if field["type"] == "date":
        return DataType.string
    if field["type"] == "category":
        # A number may be a category too, and MLflow refuses it for a text.
        return DataType.string if only_words(field["categories"]) else AnyType()
    known = INPUTS.get(values.dtype) if isinstance(values.dtype, np.dtype) else None
    return AnyType() if known is None or not _plainly(field.get("reader")) else known


def _plainly(reader: Mapping[str, Any] | None) -> bool:
    """Whether the texts of a column say to anybody what they say to its reader: "1.500" and "no" do not."""
    if reader is None:
        return True
    if reader["kind"] != "number" or reader.get("decimal") == "," or reader.get("mark"):
        return False
    return not any(_is_number(word) for word in reader.get("missing", ()))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _output(labels: Sequence[Any]) -> DataType:
    """What every label is; a text where they are of several kinds."""
    kinds = {type(label) for label in labels}
    return OUTPUTS.get(kinds.pop(), DataType.string) if len(kinds) == 1 else DataType.string

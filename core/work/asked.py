"""What a model folder answers to rows, asked as an endpoint would be."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from core.domain.errors import Failed
from core.work.content import records_of
from scoring import model as scoring

A_REQUEST = 1000
"""Rows in one request, where there are many."""
SHOWN = 5


def answers(served: scoring.Model, records: Sequence[Mapping[str, Any]]) -> list[Any]:
    """An answer for each record. Raises what it would refuse the request with."""
    found: list[Any] = []
    for start in range(0, len(records), A_REQUEST):
        found += answer(served, body_of(records[start : start + A_REQUEST]))
    return found


def body_of(records: Sequence[Mapping[str, Any]]) -> bytes:
    """The request that asks for these rows."""
    return json.dumps({"dataframe_records": list(records)}).encode()


def answer(served: scoring.Model, body: bytes) -> list[Any]:
    """The answers to one request. Raises what it would be refused with."""
    batch = served.predict([(body, "")])
    for refused in batch.refused.values():
        raise refused
    found: list[Any] = served.answer(batch, 0)["predictions"]
    return found


def of_folder(folder: Path, frame: pd.DataFrame) -> list[Any]:
    """The answers of a folder's model to raw rows. Raises Failed where these are not its rows."""
    with closing(scoring.load(folder)) as served:
        wanted = [field for field in served.about.fields if field.name not in frame.columns]
        if missing := [field.name for field in wanted if field.required]:
            more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
            raise Failed(f"the model needs {', '.join(missing[:SHOWN])}{more}, which the data does not have")
        names = [field.name for field in served.about.fields if field.name in frame.columns]
        found: list[Any] = []
        try:
            for start in range(0, len(frame), A_REQUEST):
                found += answers(served, records_of(frame[names].iloc[start : start + A_REQUEST]))
        except (scoring.PayloadError, scoring.ModelError) as error:
            raise Failed(f"the model does not answer the held-out rows: {error}") from None
        return found

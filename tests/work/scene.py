"""Small projects over files of rows, for the tests of what is read and how it is judged."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.config.config import load
from core.config.settings import Settings
from core.domain.errors import BadData
from core.work.data import Dataset, prepare, read

ROWS = 120


def settings(folder: Path, source: str = "rows.csv", target: str = "y", **data: Any) -> Settings:
    """A project over one file."""
    text = json.dumps({"data": {"source": source, "target": target, **data}, "endpoint": {"name": "x"}})
    (folder / "quarterdeck.yaml").write_text(text)
    return load(folder, environ={})


def table(**columns: Any) -> pd.DataFrame:
    """Rows with a number `x` and a target `y` of two labels, and more columns."""
    base: Mapping[str, Any] = {"x": [i * 0.5 for i in range(ROWS)], "y": ["no", "yes", "no"] * (ROWS // 3)}
    return pd.DataFrame({**base, **columns})


def prepared(frame: pd.DataFrame, folder: Path, said: list[str] | None = None, **data: Any) -> Dataset:
    """The frame after the data step."""
    return prepare(frame, settings(folder, **data), (said if said is not None else []).append)


def from_csv(text: str | bytes, folder: Path, name: str = "rows.csv", **data: Any) -> pd.DataFrame:
    """What a file with this content reads as."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(settings(folder, name, **data), lambda _: None)


def types(dataset: Dataset) -> dict[str, str]:
    """The type of each field."""
    return {field.name: field.type for field in dataset.fields}


def refused(frame: pd.DataFrame, folder: Path, **data: Any) -> str:
    """The one line that refuses a frame."""
    with pytest.raises(BadData) as caught:
        prepared(frame, folder, **data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


CUSTOMERS = "age,city,vip,tier,note\n" + "".join(
    f"{20 + i % 40},{['Oslo', 'Rome', ''][i % 3]},{['True', 'False', ''][i % 7 % 3]},{i % 4 + 1},n/a\n"
    for i in range(ROWS)
)

"""What a column holds, counted once. Of a wide table this is done thousands of times, so numpy does what it can."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """How many values there are and how many different ones; equal columns have the same `mark`."""

    count: int
    different: int
    mark: int
    codes: NDArray[np.integer[Any]] | None = None
    """Which of the different ones stands in each row, -1 for none; of numbers only `codes_of` knows."""
    texts: tuple[Any, ...] = ()
    """The different ones, of numbers none."""


def content_of(values: pd.Series) -> Content:
    """What a column holds."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iufb":
        array = values.to_numpy()
        mark = hash(array.tobytes())
        if values.dtype.kind != "f":
            return Content(len(array), len(pd.unique(array)), mark)
        gaps = int(np.isnan(array).sum())
        return Content(len(array) - gaps, len(pd.unique(array)) - bool(gaps), mark)
    codes, found = pd.factorize(values)
    texts = tuple(found)
    return Content(int((codes >= 0).sum()), len(texts), hash((codes.tobytes(), texts)), codes, texts)


def codes_of(values: pd.Series, content: Content) -> NDArray[np.integer[Any]]:
    """Which of the different values stands in each row, -1 for none."""
    return pd.factorize(values.to_numpy())[0] if content.codes is None else content.codes


def commonest(content: Content, most: int) -> dict[str, int]:
    """The most common texts and how often each is there."""
    if content.codes is None or not content.texts:
        return {}
    counts = np.bincount(content.codes[content.codes >= 0], minlength=len(content.texts))
    order = np.argsort(-counts, kind="stable")[:most]
    return {str(content.texts[place]): int(counts[place]) for place in order}


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON has them: plain values, None for what is missing."""
    columns = [[None if _missing(value) else value for value in values.tolist()] for _, values in frame.items()]
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or value != value  # noqa: PLR0124 - NaN

"""What `report.json` says of the rows that a release learns from."""

from typing import Any

import numpy as np
import pandas as pd

from core.config.settings import DataSettings
from core.work.columns import Field, Screened


def report_of(screened: Screened, data: DataSettings, rows: int, warnings: list[str]) -> dict[str, Any]:
    """What `report.json` says of the data."""
    frame = screened.frame
    counts = frame[data.target].value_counts()
    return {
        "source": data.source,
        "synthetic": data.source == "support-tickets",
        "rows_read": rows,
        "rows": len(frame),
        "target": data.target,
        "labels": {str(label): int(count) for label, count in counts.items()},
        "columns": [describe(frame[field.name], field) for field in screened.fields],
        "dropped": [{"column": name, "why": why} for name, why in screened.dropped.items()],
        "warnings": warnings,
        "labels_shuffled": data.shuffle_labels,
    }


def describe(values: pd.Series, field: Field) -> dict[str, Any]:
    """One column in figures."""
    missing = len(values) - int(values.count())
    about = {"name": field.name, "type": field.type, "missing": missing, "different": int(values.nunique())}
    if field.type == "category":
        return about | {"most": {str(text): int(count) for text, count in values.value_counts().head(5).items()}}
    if field.type == "date":
        there = values.dropna()
        return about | {"first": there.min(), "last": there.max(), "parts": list(field.parts)}
    numbers = values.to_numpy(np.float64, na_value=np.nan)
    low, mean, high = (float(each(numbers)) for each in (np.nanmin, np.nanmean, np.nanmax))
    return about | {"min": low, "mean": mean, "max": high}

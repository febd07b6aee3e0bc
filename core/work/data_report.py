"""What `report.json` says of the rows that a release learns from."""

from typing import Any

import numpy as np
import pandas as pd

from core.config.settings import DataSettings
from core.work.columns import Field, Screened
from core.work.content import commonest, content_of


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
    content = content_of(values)
    about = {
        "name": field.name,
        "type": field.type,
        "missing": len(values) - content.count,
        "different": content.different,
    }
    if field.type == "category":
        return about | {"most": commonest(content, 5)}
    if field.type == "date":
        there = values.dropna()
        return about | {"first": there.min(), "last": there.max(), "parts": list(field.parts)}
    numbers = values.to_numpy(np.float64, na_value=np.nan)
    low, mean, high = (float(each(numbers)) for each in (np.nanmin, np.nanmean, np.nanmax))
    return about | {"min": low, "mean": mean, "max": high}

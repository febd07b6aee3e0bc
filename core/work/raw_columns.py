"""Columns as files give them, brought to texts where those are what is read."""

import datetime as dt
import json
from typing import Any

import pandas as pd
from pandas.api import types


def uncategorical(values: pd.Series) -> pd.Series:
    """A column of pandas' categories as what they are."""
    is_one = isinstance(values.dtype, pd.CategoricalDtype)
    return values.astype(values.cat.categories.dtype) if is_one else values


def dated(values: pd.Series) -> pd.Series:
    """A column of moments or days as the texts that JSON has for them; of moments with an offset those of UTC."""
    if isinstance(values.dtype, pd.StringDtype):
        return values
    if types.is_datetime64_any_dtype(values.dtype):
        plain_ = values.dt.tz_convert("UTC") if values.dt.tz is not None else values
        texts: pd.Series = plain_.dt.strftime("%Y-%m-%dT%H:%M:%S").astype("str")
        return texts
    if values.dtype == object and {type(value) for value in values.dropna()} == {dt.date}:
        return values.map(str, na_action="ignore").astype("str")
    return values


def all_texts(values: pd.Series) -> bool:
    """Whether a column holds texts and gaps alone."""
    if isinstance(values.dtype, pd.StringDtype):
        return True
    return values.dtype == object and {type(value) for value in values.dropna()} == {str}


def spelled(values: pd.Series) -> pd.Series:
    """A column whose settings ask for another type than its file gives, in texts."""
    return values if all_texts(values) else values.astype(object).map(text_of, na_action="ignore")


def text_of(value: Any) -> str:
    """A value of a category: text as it is, anything else as JSON writes it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)

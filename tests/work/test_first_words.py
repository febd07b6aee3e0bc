"""Of names that mostly differ the first word is the category, where it repeats."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.work.data import Dataset
from tests.work.learned import answers, served
from tests.work.scene import types
from tests.work.test_cases import dataset_of
from tests.work.test_signature import logged, plain, to_mlflows_server

MAKERS = ("ford", "audi", "fiat", "volvo")
ROWS = 160


def cars() -> pd.DataFrame:
    """Each car has a name of its own, and its maker tells where it is from."""
    maker = np.random.default_rng(3).choice(MAKERS, ROWS)
    names = [f"{each} {chr(97 + row % 26)}{row}" for row, each in enumerate(maker)]
    return pd.DataFrame({"name": names, "x": np.arange(ROWS) % 7, "origin": np.where(maker == "ford", "USA", "Europe")})


def dataset(table: pd.DataFrame, folder: Path, said: list[str], **data: object) -> Dataset:
    table.to_csv(folder / "cars.csv", index=False)
    return dataset_of(str(folder / "cars.csv"), "origin", folder, said, **data)


def test_the_maker_is_learned_from_the_name_and_that_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    found = dataset(cars(), tmp_path, said)
    assert types(found)["name"] == "category"
    assert set(found.train["name"]) == set(MAKERS)
    line = next(line for line in said if line.startswith("name: "))
    assert "first word of texts that mostly differ: " in line
    assert line.endswith("data.columns.name: text keeps them whole")


def test_whole_names_and_first_words_get_one_answer_on_every_way(tmp_path: Path) -> None:
    ours, theirs = logged(dataset(cars(), tmp_path, []), tmp_path)
    whole = [{"name": f"  {maker} never seen {row}", "x": 3} for row, maker in enumerate(MAKERS)]
    short = [{"name": maker, "x": 3} for maker in MAKERS]
    expected = ["USA", "Europe", "Europe", "Europe"]
    assert answers(ours, whole) == answers(ours, short) == expected
    assert to_mlflows_server(theirs, whole) == plain(theirs.predict(pd.DataFrame(whole))) == expected
    odd = [{"name": name, "x": 3} for name in (None, " ", "tata nano")]
    assert to_mlflows_server(theirs, odd) == answers(ours, odd)


def test_a_first_word_that_is_not_known_is_an_unknown_category(tmp_path: Path) -> None:
    model = served(dataset(cars(), tmp_path, []), tmp_path / "model")
    body = b'[{"name": "tata nano", "x": 1}, {"name": "ford nano", "x": 1}, {"name": " ", "x": 1}]'
    batch = model.predict([(body, "notes=true")])
    assert [note["row"] for note in batch.notes[0].first] == [0]


def test_the_settings_keep_texts_whole(tmp_path: Path) -> None:
    found = dataset(cars(), tmp_path, [], columns={"name": "text"})
    assert "name" not in types(found)


@pytest.mark.parametrize(
    "names",
    [
        [f"{row % 9} Main Street {row}" for row in range(ROWS)],
        [f"row {row}" for row in range(ROWS)],
        [f"word{row // 2} and {row}" for row in range(ROWS)],
        [f"x{row}" for row in range(ROWS)],
    ],
    ids=["houses", "one word", "people", "codes"],
)
def test_first_words_that_say_nothing_are_no_category(names: list[str], tmp_path: Path) -> None:
    said: list[str] = []
    found = dataset(cars().assign(name=names), tmp_path, said)
    assert "name" not in types(found)
    assert "name: dropped, names its row: 160 different texts in 160 rows" in said

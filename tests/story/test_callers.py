"""What callers can't go on with is stopped at the gate by name, and by the canary where it is forced."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.story.conftest import grades
from tests.story.shop import Shop, quarterdeck

SMALL = (
    "--set",
    "thresholds.max_regression_percent=50",
    "--set",
    "train.n_iter=1",
    "--set",
    "train.cv_folds=2",
    "--set",
    "endpoint.replicas=1",
)
FORCED = ("--set", "release.allow_breaking=true", "--set", "release.steps=10,100", "--set", "release.hold_s=15")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Grades of wine, served in dev, with three later tables beside."""
    home = tmp_path_factory.mktemp("callers")
    grades(home / "wine.csv")
    table = pd.read_csv(home / "wine.csv", keep_default_na=False)
    later = {
        "renamed": table.rename(columns={"alcohol": "alcohol_percent"}),
        "dropped": table.drop(columns=["colour"]),
        "required": table.assign(sugar=range(len(table))).astype({"sugar": float}),
    }
    for name, changed in later.items():
        changed.to_csv(home / f"{name}.csv", index=False)
    shop = Shop(home / "shop", "wine", "grade", SMALL)
    told = quarterdeck("init", str(shop.folder), "--data", str(home / "wine.csv"), "--target", "grade", cwd=home)
    assert told.code == 0, told.err
    try:
        told = shop.release("--env", "dev")
        assert told.code == 0, told.out + told.err
        yield shop
    finally:
        shop.down()


def released(shop: Shop, table: str, *flags: str) -> tuple[int, str]:
    """The exit code of a release of another table, and what it said."""
    told = shop.release("--env", "dev", "--set", f"data.source={Path('..') / table}.csv", *flags)
    return told.code, told.out + told.err


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("renamed", "alcohol is gone and alcohol_percent new (renamed?)"),
        ("dropped", "colour is gone"),
        ("required", "sugar is new and required"),
    ],
)
def test_it_is_stopped_at_the_gate_by_name(shop: Shop, table: str, names: str) -> None:
    code, said = released(shop, table)
    assert code == 1, said
    assert names in said
    assert "release.allow_breaking" in said
    newest = shop.snapshot().release_of(shop.endpoint("dev"))
    assert newest is not None
    assert newest.version is None, "nothing was registered"


@pytest.mark.parametrize(
    "table", ["dropped", *(pytest.param(x, marks=pytest.mark.long) for x in ("renamed", "required"))]
)
def test_where_it_is_forced_the_canary_catches_it(shop: Shop, table: str) -> None:
    code, said = released(shop, table, *FORCED)
    assert code == 1, said
    assert "422 : live" in said
    endpoint = shop.snapshot().endpoints[shop.endpoint("dev")]
    serving = endpoint.slots[endpoint.serving or ""].version
    assert serving is not None
    assert serving.number == "1"

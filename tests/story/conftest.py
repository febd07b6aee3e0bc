"""Two projects that serve, one of a sample and one of somebody's own rows; made once, side by side."""

import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.story.shop import KEY_VARIABLE, Shop, quarterdeck

MEASURED = "COVERAGE_PROCESS_CONFIG"
"""By this variable children are measured too: here they run at the speed that users know, and are killed."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """The real commands of these tests are not measured; the children of all others are."""
    here = item.path.is_relative_to(Path(__file__).parent)
    measured = os.environ.pop(MEASURED, None) if here else None
    try:
        return (yield)
    finally:
        if measured is not None:
            os.environ[MEASURED] = measured


QUICK = ("--set", "release.strategy=all-at-once", "--set", "release.background.users=0")


def grades(path: Path) -> None:
    """A table that no sample covers: four whole numbers as labels, a text column, gaps. Made up."""
    draw = np.random.default_rng(SEED)
    grade = draw.integers(3, 7, 1500)
    table = pd.DataFrame(
        {
            "acidity": np.round(4 + 1.6 * grade + draw.normal(0, 0.6, 1500), 2),
            "alcohol": np.round(6 + 1.2 * grade + draw.normal(0, 0.4, 1500), 1),
            "colour": np.where(draw.random(1500) < 0.8, np.where(grade > 4, "red", "white"), "rosé"),
            "grade": grade,
        }
    )
    for name in ("alcohol", "colour"):
        table[name] = table[name].astype(object).where(draw.random(1500) > 0.08, None)
    table.to_csv(path, index=False)


SEED = 8


def _opened(shop: Shop, *init: str, release: tuple[str, ...] = ()) -> Shop:
    told = quarterdeck("init", str(shop.folder), *init, cwd=shop.folder.parent)
    assert told.code == 0, told.err
    if shop.key:
        written = shop.folder / "quarterdeck.yaml"
        written.write_text(written.read_text().replace("\nendpoint:\n", f"\nendpoint:\n  key_env: {KEY_VARIABLE}\n"))
    told = shop.release(*release)
    assert told.code == 0, told.out + told.err
    return shop


@pytest.fixture(scope="session")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Shop]]:
    """Both projects, each with its first version behind its endpoint."""
    home = tmp_path_factory.mktemp("story")
    grades(home / "grades.csv")
    iris = Shop(home / "iris", "iris", "species", (*QUICK, "--set", "train.n_iter=2"), secrets.token_hex(16))
    own = Shop(home / "own", "grades", "grade", (*QUICK, "--set", "train.cv_folds=2"))
    try:
        with ThreadPoolExecutor(2) as pool:
            made = [
                pool.submit(_opened, iris, "--sample", "iris"),
                pool.submit(
                    _opened,
                    own,
                    *("--data", str(home / "grades.csv"), "--target", "grade"),
                    release=("--env", "dev", "--set", "train.n_iter=5"),
                ),
            ]
            shops = {"iris": made[0].result(), "own": made[1].result()}
        yield shops
    finally:
        for shop in (iris, own):
            if shop.folder.is_dir():
                shop.down()


@pytest.fixture(scope="session")
def iris(shops: dict[str, Shop]) -> Shop:
    """Irises, served in prod, to those who have the key."""
    return shops["iris"]


@pytest.fixture(scope="session")
def own(shops: dict[str, Shop]) -> Shop:
    """Somebody's own rows, served in dev."""
    return shops["own"]

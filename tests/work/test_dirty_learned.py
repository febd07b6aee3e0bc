"""What is learned from a dirty table agrees with the clean one, or what differs is said by name."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings as how, strategies as st
from pandas.testing import assert_frame_equal

from core.work.data import prepare, read
from tests.dirty_tables import WAYS, Written, clean, compare
from tests.work.scene import settings

SAME = sorted(set(WAYS) - {"one odd cell", "case twins", "leading zeros"})
"""After these a table reads as before."""


@pytest.mark.parametrize("way", WAYS)
def test_models_of_a_dirty_and_a_clean_table_agree_or_the_difference_is_said(way: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(11)
    table = clean(draw)
    assert compare(table, WAYS[way](table, draw), tmp_path).fault() == ""


@given(seed=st.integers(0, 2**32), ways=st.lists(st.sampled_from(SAME), min_size=2, max_size=3, unique=True))
@how(max_examples=8, deadline=None, derandomize=True)
def test_ways_together_teach_the_same_as_the_clean_table(
    seed: int, ways: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    draw = np.random.default_rng(seed)
    table = dirty = clean(draw)
    for way in sorted(set(ways) - ({"currency"} if "percent" in ways else set()), key=list(WAYS).index):
        dirty = WAYS[way](dirty, draw)
    neat, other = (taught(each, tmp_path_factory.mktemp("rows")) for each in (table, dirty))
    assert_frame_equal(other, neat)


def taught(table: Written, folder: Path) -> pd.DataFrame:
    (folder / "rows.csv").write_bytes(table.content())
    chosen = settings(folder)
    dataset = prepare(read(chosen, lambda _: None), chosen, lambda _: None)
    return pd.concat([dataset.train, dataset.test])

"""The baseline forest: on all cores, told as it grows, and the same as in one go."""

import sys
import threading
import warnings

import numpy as np
import pytest
import xgboost

from core.work.child import QUIET
from core.work.job import Progress, Report, Said

with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # MLflow warns of its own code while it is imported; the child that does so elsewhere keeps that in work.log.
    warnings.simplefilter("ignore")
    for name, value in QUIET.items():
        patch.setenv(name, value)
    from sklearn.ensemble import RandomForestClassifier

    from core.work import train
    from core.work.check import MOST_FIELDS, some
    from core.work.cores import threads
    from core.work.entrants import FOREST
    from core.work.search import cached_nodes


def test_a_forest_that_is_grown_in_parts_is_the_same_as_in_one_go() -> None:
    draw = np.random.default_rng(3)
    x = draw.normal(size=(400, 5)).astype(np.float32)
    y = (x[:, 0] + draw.normal(0, 0.5, 400) > 0).astype(np.int64)
    said: list[Said] = []
    grown = train.grown(x, y, 7, Report(said.append))
    whole = RandomForestClassifier(**FOREST, random_state=7, n_jobs=1).fit(x, y)
    for one, two in zip(grown.estimators_, whole.estimators_, strict=True):
        assert np.array_equal(one.tree_.threshold, two.tree_.threshold)
        assert np.array_equal(one.tree_.value, two.tree_.value)
    texts = [each.text for each in said if isinstance(each, Progress)]
    assert len(texts) > 1
    assert texts[-1] == "baseline, 100 of 100 trees"


def test_what_is_traced_computes_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.setattr(threading, "gettrace", lambda: None)
    assert threads() >= 1
    monkeypatch.setattr(threading, "gettrace", lambda: print)
    assert threads() == 1


def test_of_many_fields_some_are_tried_the_first_and_the_last_among_them() -> None:
    names = [f"f{number}" for number in range(20_000)]
    tried = some(names)
    assert (len(set(tried)), tried[0], tried[-1]) == (MOST_FIELDS, "f0", "f19999")
    assert some(names[:3]) == names[:3]


def test_what_a_fit_keeps_of_a_wide_table_is_bounded_and_changes_no_tree() -> None:
    # Of a usual table all nodes of the deepest tree.
    assert cached_nodes(50) > 2**7
    assert cached_nodes(20_000) * 20_000 * 256 * 16 <= 2**28
    draw = np.random.default_rng(3)
    x = draw.normal(size=(120, 30)).astype(np.float32)
    y = (x[:, 0] + draw.normal(size=120) > 0).astype(int)
    few, all_of_them = (
        xgboost.XGBClassifier(tree_method="hist", n_jobs=1, n_estimators=20, max_cached_hist_node=nodes).fit(x, y)
        for nodes in (2, 2**16)
    )
    assert few.get_booster().get_dump() == all_of_them.get_booster().get_dump()

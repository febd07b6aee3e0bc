"""How long the check looks at a model's pace."""

from itertools import count
from types import SimpleNamespace

import pytest

from core.work import pace


@pytest.mark.parametrize(("limit_ms", "asked"), [(100.0, 17), (1000.0, 300)])
def test_a_model_that_is_surely_too_slow_is_not_asked_on(
    monkeypatch: pytest.MonkeyPatch, limit_ms: float, asked: int
) -> None:
    """Of 300 rows that take half a second each the first few say all; what may still pass is asked to the end."""
    clock, rows = count(0.0, 0.5), list[int]()
    monkeypatch.setattr(pace, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    assert set(pace.paced(rows.append, 300, limit_ms)) == {500.0}
    assert rows == list(range(asked))

"""Figures and the comparison of two models, against hand-made cases and textbook values."""

import numpy as np
import pytest

from core.work.figures import mcnemar, measure, short
from core.work.search import trouble


def test_measures_of_a_small_case() -> None:
    truth, guessed = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9]])
    found = measure(truth, guessed, probabilities, 2)
    assert found["accuracy"] == 0.75
    assert found["precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["recall"] == 0.75
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.9]).mean())
    assert found["confusion"] == [[1, 1], [0, 2]]


def test_without_probabilities_there_is_no_log_loss() -> None:
    assert measure(np.array([0, 1]), np.array([0, 1]), None, 2)["log_loss"] is None


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (9, 1, 22 / 1024), (1, 9, 22 / 1024), (6, 0, 2 / 64)],
)
def test_mcnemar_is_the_sign_test_on_the_rows_that_one_alone_got_right(better: int, worse: int, p: float) -> None:
    truth = np.zeros(20, dtype=np.int64)
    one = np.array([0] * better + [1] * worse + [0] * (20 - better - worse))
    two = np.array([1] * better + [0] * worse + [0] * (20 - better - worse))
    found = mcnemar(truth, one, two)
    assert (found["better"], found["worse"]) == (better, worse)
    assert found["p"] == pytest.approx(p)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [("macro_f1", 0.8574, "f1 .857"), ("log_loss", 1.2345, "log loss 1.234"), ("accuracy", 1.0, "accuracy 1.000")],
)
def test_figures_are_short(metric: str, value: float, text: str) -> None:
    assert short(metric, value) == text


@pytest.mark.parametrize(
    ("score", "loss", "says"),
    [
        (0.9, 0.1, ""),
        (float("nan"), 0.1, "a score is not a number"),
        (0.9, float("inf"), "a score is not a number"),
        (0.5, 0.70, "log loss 0.700 on its own training rows is no better than the labels' shares (0.693)"),
    ],
)
def test_training_that_led_nowhere_is_said(score: float, loss: float, says: str) -> None:
    assert trouble(score, loss, np.array([0, 0, 1, 1])) == says

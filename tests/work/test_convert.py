"""Models that somebody else logged: served with the answers that MLflow's own server would give, or refused."""

import asyncio
import os
import platform
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.domain.errors import Failed
from core.images.needs import needs_of
from core.work.child import QUIET, Job, WorkChild
from scoring.model import load
from tests.work.conftest import settings, work
from tests.work.environments import seed

with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # MLflow warns of its own code while it is imported; the child that does so elsewhere keeps that in work.log.
    warnings.simplefilter("ignore")
    for name, value in QUIET.items():
        patch.setenv(name, value)
    import mlflow
    from xgboost import Booster, XGBClassifier, XGBRegressor

    from core.work.convert import convert

LOG = """
import sys
import mlflow
import numpy as np
from sklearn.linear_model import LogisticRegression
from xgboost import XGBClassifier

mlflow.set_tracking_uri(sys.argv[1])
x = np.arange(40.0).reshape(20, 2)
y = (x[:, 0] > 20).astype(int)
place = mlflow.create_experiment("x", artifact_location=sys.argv[2])
with mlflow.start_run(experiment_id=place) as run:
    for name, kind, model in (
        ("theirs", mlflow.xgboost, XGBClassifier(n_estimators=2)),
        ("linear", mlflow.sklearn, LogisticRegression()),
        ("other", mlflow.xgboost, XGBClassifier(n_estimators=3)),
    ):
        kept = "model" if name == "theirs" else name
        kind.log_model(model.fit(x, y), name=kept, pip_requirements=[], registered_model_name=name)
mlflow.MlflowClient().set_registered_model_alias("theirs", "good", "1")
print(run.info.run_id)
"""
"""What a stranger does, elsewhere."""
DRAW = np.random.default_rng(5)
X = pd.DataFrame(DRAW.normal(size=(300, 3)).round(2), columns=["a", "b", "c"]).assign(n=DRAW.integers(0, 9, 300))
Y = (X["a"] + X["n"] / 9 > 0.5).astype(int)
THREE = pd.cut(X["a"], 3, labels=False)


def infer_signature(rows: pd.DataFrame, answers: "pd.Series[int]") -> Any:
    """As people make one; MLflow's warnings would be errors here, and it would leave the columns out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mlflow.models.infer_signature(rows, answers)


def saved(path: Path, model: Any, **more: Any) -> Path:
    """A model as MLflow keeps it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.xgboost.save_model(model, path, pip_requirements=[], **more)
    return path


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("target", [Y, THREE], ids=["two labels", "three labels"])
def test_a_classifier_answers_as_it_does_in_mlflow(tmp_path: Path, signed: bool, target: "pd.Series[int]") -> None:
    model = XGBClassifier(n_estimators=12, max_depth=3, n_jobs=1).fit(X, target)
    signature = infer_signature(X, target) if signed else None
    where = saved(tmp_path / "theirs", model, signature=signature, input_example=X.head(1) if signed else None)
    missing = convert(where, tmp_path / "ours")
    assert missing == ("" if signed else "no signature: fields are the model's own names, all numbers")
    served = load(tmp_path / "ours")
    body = X.to_json(orient="split", index=False).encode()
    batch = served.predict([(b'{"dataframe_split": ' + body + b"}", "probabilities=1")])
    answer = served.answer(batch, 0)
    assert answer["predictions"] == mlflow.pyfunc.load_model(str(where)).predict(X).tolist()
    given = [list(row.values()) for row in answer["probabilities"]]
    np.testing.assert_allclose(given, model.predict_proba(X), atol=1e-6)
    assert dict(served.about.example) == (X.iloc[0].to_dict() if signed else dict.fromkeys(X.columns))


def test_a_fit_that_stopped_early_answers_with_its_best_round(tmp_path: Path) -> None:
    noise = DRAW.integers(0, 2, len(X))
    model = XGBClassifier(n_estimators=60, early_stopping_rounds=5, n_jobs=1)
    model.fit(X[:150], noise[:150], eval_set=[(X[150:], noise[150:])], verbose=False)
    convert(saved(tmp_path / "theirs", model), tmp_path / "ours")
    served = load(tmp_path / "ours")
    batch = served.predict([(X.to_json(orient="records").encode(), "")])
    assert served.answer(batch, 0)["predictions"] == model.predict(X).tolist()


def booster() -> "Booster":
    return XGBClassifier(n_estimators=2).fit(X, Y).get_booster()


@pytest.mark.parametrize(
    ("model", "more", "why"),
    [
        (lambda: XGBRegressor(n_estimators=2).fit(X, Y), {}, "answers scores; log an XGBClassifier"),
        (booster, {}, "answers scores; log an XGBClassifier"),
        (
            lambda: XGBClassifier(n_estimators=2).fit(X, Y),
            {"signature": infer_signature(X.assign(a="text"), Y)},
            "column a is of type DataType.string",
        ),
        (
            lambda: XGBClassifier(n_estimators=2).fit(X, Y),
            {"signature": infer_signature(X.rename(columns={"a": "z"}), Y)},
            "the model others",
        ),
    ],
    ids=["numbers", "scores", "a text column", "another's signature"],
)
def test_what_can_not_be_served_exactly_is_refused(tmp_path: Path, model: Any, more: Any, why: str) -> None:
    with pytest.raises(Failed, match=why):
        convert(saved(tmp_path / "theirs", model(), **more), tmp_path / "ours")


@pytest.mark.asyncio(loop_scope="session")
async def test_addresses_of_every_form_are_looked_at_and_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    project = settings(tmp_path / "project")
    logged = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "ignore", "-c", LOG, store, (tmp_path / "files").as_uri()],
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    run = logged.stdout.split()[-1]
    child = WorkChild()

    async def does(step: str, uri: str) -> Any:
        return (await work(child, Job(step, tmp_path / "work", project, "r1", {"uri": uri}))).result

    try:
        for uri in ("models:/theirs/1", "models:/theirs@good", "models:/theirs/latest", f"runs:/{run}/model"):
            assert (await does("look", uri))["uri"] == uri
            version = (await does("fetch", uri))["version"]
            assert (version["model"], version["number"]) == ("iris" if uri.startswith("runs") else "theirs", "1")
        for path, number in (("other", "2"), ("model", "1"), ("other", "2")):
            assert (await does("fetch", f"runs:/{run}/{path}"))["version"]["number"] == number, path
        for uri, why in (
            ("models:/linear/1", "models:/linear/1: its packages can't be had: "),
            ("models:/theirs/7", "has no version 7"),
            ("models:/nobody/latest", "holds no version of a model 'nobody'"),
            ("runs:/nowhere/model", "nowhere"),
        ):
            with pytest.raises(Failed, match=why):
                await does("look", uri)
        seed(tmp_path / "cache", needs_of("", platform.python_version(), mlflow.__version__))
        assert (await does("look", "models:/linear/1"))["uri"] == "models:/linear/1"
    finally:
        await child.close()

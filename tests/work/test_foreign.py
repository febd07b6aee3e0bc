"""Models that only their own packages can run: what is known of them, their answers, and why some are refused."""

import json
import os
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import psutil
import pytest

from core.domain.errors import Failed
from core.images.needs import Needs, needs_of
from core.work import environment
from core.work.child import QUIET
from core.work.job import Report
from scoring.model import ModelError, PayloadError, load
from scoring.pyfunc import Pyfunc, environment as seen_by_the_model
from scoring.slices import SMALL_BYTES
from tests.scoring.test_service import counted, served as served_over_http
from tests.work.environments import seed

with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name, value in QUIET.items():
        patch.setenv(name, value)
    import mlflow
    from mlflow.models import Model
    from mlflow.pyfunc import PythonModel
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from core.work import foreign

DRAW = np.random.default_rng(8)
X = pd.DataFrame({"age": DRAW.normal(40, 9, 60).round(1), "city": DRAW.choice(["Rome", "Oslo"], 60)})
Y = np.where(X["age"] > 40, "yes", "no")
MINE = f"{sys.version_info.major}.{sys.version_info.minor}"
PLAIN = {"serialization_format": "cloudpickle"}
SAY = Report(lambda _: None)


class Sizes(PythonModel):  # type: ignore[misc]
    """A model that is code alone: two outputs, and no answer to a text that is none."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        return pd.DataFrame({"letters": model_input["text"].str.len(), "upper": model_input["text"].str.upper()})


class Waits(PythonModel):  # type: ignore[misc]
    """Answers a path with what is written into the pipe that lies there."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        return [Path(path).read_text() if path.startswith("/") else path for path in model_input["text"]]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Keeps a model as MLflow does, with our own packages for its environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    seed(tmp_path / "cache", needs_of("", MINE, mlflow.__version__))

    def kept(module: Any, model: Any, **more: Any) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            named = {"python_model" if module is mlflow.pyfunc else "sk_model": model}
            module.save_model(path=tmp_path / "theirs", pip_requirements=[], **named, **more)
        return tmp_path / "theirs"

    return kept


def signature(rows: Any, answers: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mlflow.models.infer_signature(rows, answers)


def pipeline() -> Pipeline:
    columns = [("numbers", StandardScaler(), ["age"]), ("texts", OneHotEncoder(handle_unknown="ignore"), ["city"])]
    return Pipeline([("columns", ColumnTransformer(columns)), ("model", LogisticRegression())]).fit(X, Y)


def asked(served: Any, body: str) -> Any:
    batch = served.predict([(body.encode(), "")])
    for refused in batch.refused.values():
        raise refused
    return served.answer(batch, 0)["predictions"]


def test_a_pipeline_with_a_column_of_texts_answers_as_it_does_in_mlflow(
    log: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    where = log(
        mlflow.sklearn,
        pipeline(),
        signature=signature(X, Y),
        input_example=X.head(1),
        **PLAIN,
    )
    assert foreign.make(where, tmp_path / "ours", True, SAY) == ""
    served = load(tmp_path / "ours")
    try:
        assert [(field.name, field.type) for field in served.about.fields] == [("age", "number"), ("city", "text")]
        assert dict(served.about.example) == X.iloc[0].to_dict()
        expected = mlflow.pyfunc.load_model(str(where)).predict(X).tolist()
        assert asked(served, X.to_json(orient="records")) == expected
        requests = [(X.iloc[[row]].to_json(orient="records").encode(), "") for row in range(5)]
        batch = served.predict([*requests, (b'[{"age": "old", "city": "Rome"}]', ""), (b'[{"age": 3}]', "")])
        assert batch.values == expected[:5], "those that fit are answered"
        assert sorted(batch.refused) == [5, 6]
        assert "city" in str(batch.refused[6])
        with pytest.raises(PayloadError, match="predictions alone"):
            asked(served, '{"dataframe_records": [{"age": 3, "city": "Rome"}], "probabilities": true}')
        (child,) = (one for one in psutil.Process().children() if "worker.py" in " ".join(one.cmdline()))
        assert "secret" not in str(child.environ())
        child.kill()
        for _ in range(2):
            with pytest.raises(ModelError, match="the model's process ended"):
                asked(served, '[{"age": 3, "city": "Rome"}]')
    finally:
        served.close()
    assert isinstance(served, Pyfunc)


def test_code_with_several_outputs_answers_with_a_record_a_row(log: Callable[..., Path], tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": ["one", "three"]})
    where = log(mlflow.pyfunc, Sizes(), signature=signature(rows, Sizes().predict(None, rows)))
    foreign.make(where, tmp_path / "ours", True, SAY)
    served = load(tmp_path / "ours")
    try:
        found = asked(served, '[{"text": "one"}, {"text": "three"}]')
        assert found == [{"letters": 3, "upper": "ONE"}, {"letters": 5, "upper": "THREE"}]
    finally:
        served.close()


@pytest.mark.parametrize("padding", ["", " " * 2 * SMALL_BYTES], ids=["small", "large"])
def test_pages_are_answered_while_a_model_predicts_and_what_comes_meanwhile_is_answered_then(
    log: Callable[..., Path], tmp_path: Path, padding: str
) -> None:
    rows = pd.DataFrame({"text": ["one"]})
    foreign.make(log(mlflow.pyfunc, Waits(), signature=signature(rows, ["one"])), tmp_path / "ours", True, SAY)
    os.mkfifo(tmp_path / "pipe")

    def visit(http: httpx.Client) -> list[Any]:
        def sent(text: str, more: str) -> Any:
            answer = http.post("/predict", content=json.dumps([{"text": text}]) + more)
            return answer.json().get("predictions", answer.text)

        with ThreadPoolExecutor(4) as others:
            first = others.submit(sent, str(tmp_path / "pipe"), padding)
            # Opening the other end waits until the model reads.
            with (tmp_path / "pipe").open("w") as pipe:
                pages = [http.get(path).status_code for path in ("/health", "/health/ready", "/metrics")]
                behind = [others.submit(sent, text, more) for text, more in (("two", ""), ("three", 9000 * " "))]
                while counted(http.get("/metrics").text, "scoring_in_flight") < 3:
                    pass
                pipe.write("written")
            return [pages, first.result(), *(each.result() for each in behind)]

    answers = served_over_http(load(tmp_path / "ours"), visit)
    assert answers == [[200, 200, 200], ["written"], ["two"], ["three"]]


def test_without_a_signature_the_model_says_its_columns(log: Callable[..., Path], tmp_path: Path) -> None:
    fitted = LinearRegression().fit([[1.0, 3], [2, 1], [3, 2]], [1, 2, 4])
    missing = foreign.make(log(mlflow.sklearn, fitted, **PLAIN), tmp_path / "ours", True, SAY)
    assert missing == "no signature and no names: fields are f0, f1 and on, of any type"
    served = load(tmp_path / "ours")
    try:
        assert [field.name for field in served.about.fields] == ["f0", "f1"]
        assert asked(served, "[[1, 3], [2, 1]]") == pytest.approx([1.0, 2.0])
    finally:
        served.close()


def about(*flavours: str, **more: Any) -> Model:
    return Model(flavors={name: {} for name in flavours}, **more)


TENSOR = mlflow.models.ModelSignature(
    inputs=mlflow.types.Schema([mlflow.types.TensorSpec(np.dtype("float32"), (-1, 28, 28))])
)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (about("python_function", "sklearn"), ""),
        (about("python_function"), "neither a signature nor an input example"),
        (about("python_function", "spark"), "its flavour is spark, which needs a cluster of Spark"),
        (about("sklearn"), "it was logged as sklearn alone"),
        (about("python_function", "onnx", signature=TENSOR), "a tensor of the shape"),
    ],
    ids=["sklearn", "no fields", "spark", "no pyfunc", "pictures"],
)
def test_what_can_not_be_served_is_known_before_anything_is_installed(model: Model, why: str) -> None:
    found = foreign.refusal(model)
    assert found.startswith(why) if not why else why in found


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ("mlflow==3.1\n# why\nnumpy>=2  # here\n", ("mlflow==3.1", "numpy>=2")),
        ("numpy\n", ("numpy", "mlflow==2.9")),
        ("mlflow-skinny[x]==2\n", ("mlflow-skinny[x]==2",)),
    ],
)
def test_a_model_s_requirements_are_what_it_names_and_mlflow(text: str, packages: tuple[str, ...]) -> None:
    assert needs_of(text, "3.10.4", "2.9") == Needs("3.10", packages)


@pytest.mark.parametrize("line", ["--extra-index-url https://elsewhere", "-e .", "x @ file:///tmp/x"])
def test_requirements_that_come_from_elsewhere_are_refused(line: str) -> None:
    with pytest.raises(Failed, match="name packages of an index alone"):
        needs_of(f"numpy\n{line}\n", "3.11", "3.17")


def test_packages_that_nobody_has_are_told_before_and_while_installing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    needs = Needs(MINE, ("quarterdeck-knows-no-such-package==1",))
    assert "its packages can't be had: " in environment.refusal(needs, True)
    with pytest.raises(Failed, match=r"its packages can't be installed: .*quarterdeck-knows-no-such-package"):
        environment.build(needs, True, SAY)
    assert not list(environment.cache().glob(f"{needs.digest}*/"))


def test_a_model_s_process_sees_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "SHOP_KEY"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in seen_by_the_model(".").values()

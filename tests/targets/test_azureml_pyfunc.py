"""A model that its own packages and its own code run is served in Azure ML too, in the container's interpreter."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.domain.errors import Failed
from core.domain.model import Version
from core.images.needs import needs_of
from core.targets.azureml.client import AzureMLTarget
from core.targets.azureml.code_folder import SERVER_PIN, digest, files_of, packages
from tests.azure.standin import AzureStandIn
from tests.targets.azureml_places import AzurePlaceOf, serving_workspace
from tests.targets.helpers import ONE, watching
from tests.work.environments import seed

OWN_CODE = "def price(weight, city):\n    return round(weight * (2 if city == 'Rome' else 3), 1)\n"
LOGGED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import mlflow
import pandas as pd
import shipping_prices

class Prices(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [shipping_prices.price(row.weight, row.city) for row in model_input.itertuples()]

rows = pd.DataFrame({"weight": [1.5, 2.0], "city": ["Rome", "Oslo"]})
mlflow.pyfunc.save_model(
    sys.argv[1] + "/theirs", python_model=Prices(), code_paths=[sys.argv[1] + "/shipping_prices.py"],
    signature=mlflow.models.infer_signature(rows, [3.0, 6.0]), input_example=rows.head(1), pip_requirements=[],
)
from core.work import foreign
from core.work.job import Report
foreign.make(Path(sys.argv[1], "theirs"), Path(sys.argv[1], "ours"), True, Report(lambda _: None))
"""
ASKED: list[tuple[str, Any]] = [
    ("/predict", {"dataframe_records": [{"weight": 1.5, "city": "Rome"}, {"weight": 2.0, "city": "Oslo"}]}),
    ("/score", [{"weight": 1.5, "city": "Rome"}, {"weight": 2.0, "city": "Oslo"}]),
    ("/score", {"dataframe_split": {"columns": ["city", "weight"], "data": [["Rome", 1.5], ["Oslo", 2.0]]}}),
    ("/invocations", {"instances": [{"weight": 1.5, "city": "Rome"}, {"weight": 2.0, "city": "Oslo"}]}),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a version whose code lies beside it, as it is made of what somebody has logged."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "shipping_prices.py").write_text(OWN_CODE)
    mlflow = subprocess.run(
        [sys.executable, "-c", "import mlflow; print(mlflow.__version__)"], capture_output=True, text=True, check=True
    )
    seed(folder / "cache", needs_of("", platform.python_version(), mlflow.stdout.strip()))
    environ = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOGGED, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environ,
    )
    assert done.returncode == 0, done.stderr
    return folder / "ours"


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    """A workspace whose containers run what was uploaded."""
    with serving_workspace(tmp_path_factory.mktemp("azure")) as one:
        yield one


@pytest.fixture
async def place(azure: AzureStandIn, tmp_path: Path) -> AsyncIterator[AzurePlaceOf]:
    place = AzurePlaceOf(azure, tmp_path)
    yield place
    await place.close()


def test_no_place_of_this_machine_goes_along_and_its_packages_stand_beside_what_serves(model: Path) -> None:
    files = files_of(model)
    assert str(Path(sys.prefix)).encode() not in files["model.json"]
    assert {"mlflow/MLmodel", "mlflow/fields.json", "mlflow/code/shipping_prices.py"} <= set(files)
    moved = model.with_name("moved")
    about = json.loads((model / "model.json").read_text())
    if not moved.is_dir():
        moved.mkdir()
        (moved / "mlflow").symlink_to(model / "mlflow")
    (moved / "model.json").write_text(json.dumps({**about, "python": "/elsewhere/bin/python"}))
    assert digest(files_of(moved)) == digest(files)
    python, pins = packages(model, files)
    assert python == ".".join(platform.python_version_tuple()[:2])
    assert pins[0] == SERVER_PIN
    assert [pin.partition("==")[0] for pin in pins[1:]] == ["orjson", "mlflow"]


def test_one_that_was_logged_with_an_older_python_says_so(tmp_path: Path, model: Path) -> None:
    old = tmp_path / "late-3"
    (old / "mlflow").mkdir(parents=True)
    (old / "model.json").write_text((model / "model.json").read_text())
    said = (model / "mlflow" / "MLmodel").read_text().replace(f": {platform.python_version()}", ": 3.8.10")
    (old / "mlflow" / "MLmodel").write_text(said)
    with pytest.raises(Failed, match=r"late-3: it was logged with Python 3.8, and served there it needs 3.11"):
        packages(old, files_of(old))


async def test_it_is_deployed_and_answers_in_every_form_of_a_request(place: AzurePlaceOf, model: Path) -> None:
    async def models(_: Version) -> Path:
        return model

    target = AzureMLTarget(place.at, models, 1, row=lambda _: json.dumps(ASKED[0][1]).encode(), source=place.token)
    place.made.append(target)
    async with watching(target) as watcher:
        await target.apply("blue", ONE, 1)
        await watcher.ready("blue", 1)
        await target.route({"blue": 100})
        assert (await watcher.weight("blue", 100)).proved_by >= 20
        address = await target.address("blue")
        async with httpx.AsyncClient(headers=address.headers, timeout=30) as client:
            for path, body in ASKED:
                answer = await client.post(f"{address.url}{path}", json=body)
                assert (answer.status_code, answer.json()["predictions"]) == (200, [3.0, 6.0]), (path, answer.text)
                assert answer.headers["x-model-version"] == "1"
            wrong = await client.post(f"{address.url}/score", json=[{"weight": "heavy", "city": "Rome"}])
        assert wrong.status_code == 422, wrong.text
        assert "weight" in wrong.text

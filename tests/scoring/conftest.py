"""Models that xgboost and scikit-learn trained in a child process, once for all tests of this folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from scoring.model import Model, load

MAKER = Path(__file__).parent / "make_models.py"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model folder for each of: two, four, early, forest, forest-two."""
    root = tmp_path_factory.mktemp("models")
    done = subprocess.run(
        [sys.executable, str(MAKER), str(root)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def model(models: Path) -> Model:
    """The binary XGBoost model with fields delay, month, vip and carrier."""
    return load(models / "two")

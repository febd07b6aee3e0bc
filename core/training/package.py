"""What a job runs: our own package as it is installed here, and the packages that training needs, each pinned."""

import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import core
import scoring
from core.domain.errors import Failed
from core.images.needs import own_python
from core.images.wheels import BOOSTER
from core.targets.azureml.bodies import conda

ENTRY = "core.work.remote"
NEEDED = (
    "charset-normalizer",
    "mlflow",
    "msgspec",
    "numpy",
    "orjson",
    "packaging",
    "pandas",
    "psutil",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "scikit-learn",
    "scipy",
    "sqlalchemy",
    "treelite",
    BOOSTER,
)
"""What the steps from data to check import. Serving, users and the deck need others."""
_NAMED = re.compile(r"^name: .*$", re.MULTILINE)


def package_files() -> dict[str, bytes]:
    """Our modules by their paths, all of `core` and `scoring`."""
    found: dict[str, bytes] = {}
    for package in (core, scoring):
        home = Path(str(package.__path__[0]))
        for path in sorted(home.rglob("*")):
            if path.is_file() and path.suffix in {".py", ".yaml", ".json", ".csv", ".parquet"}:
                found[f"{home.name}/{path.relative_to(home).as_posix()}"] = path.read_bytes()
    return found


def training_conda(more: Sequence[str] = ()) -> str:
    """The packages and some more, as the environment of a workspace takes them."""
    try:
        pins = [f"{name}=={metadata.version(name)}" for name in (*NEEDED, *more)]
    except metadata.PackageNotFoundError as error:
        raise Failed(f"{error.name} is not installed here, and training needs it; install quarterdeck again") from None
    return _NAMED.sub("name: training", conda(own_python(), pins))

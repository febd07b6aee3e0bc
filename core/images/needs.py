"""The packages that somebody else's model asks for, by what MLflow wrote down beside it. Nothing is installed here."""

import contextlib
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from core.domain.errors import Failed
from core.system.text import clean_line


@dataclass(frozen=True, slots=True)
class Needs:
    """What a model says it runs with. `python` is a version without its last part, such as 3.11."""

    python: str
    packages: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The same for the same packages, in whatever order."""
        return hashlib.sha256(json.dumps([self.python, sorted(self.packages)]).encode()).hexdigest()[:16]


def needs_of(requirements: str, python: str, mlflow: str) -> Needs:
    """Out of a model's requirements.txt, and the versions of Python and MLflow that logged it. Raises Failed."""
    lines = [line.split(" #")[0].strip() for line in requirements.splitlines()]
    packages = [line for line in lines if line and not line.startswith("#")]
    if odd := next((line for line in packages if line.startswith("-") or "file:" in line), None):
        raise Failed(f"its requirements hold {clean_line(odd)[:80]!r}; name packages of an index alone")
    if not any(name in {"mlflow", "mlflow-skinny"} for name in map(package_name, packages)):
        packages.append(f"mlflow=={mlflow}" if mlflow else "mlflow")
    return Needs(".".join(python.split(".")[:2]) or own_python(), tuple(packages))


def needs_in(where: Path, python: str, mlflow: str) -> Needs:
    """What the model in a folder of MLflow's asks for: its requirements.txt, else its conda.yaml."""
    text = where / "requirements.txt"
    if text.is_file():
        return needs_of(text.read_text(encoding="utf-8"), python, mlflow)
    lines: list[str] = []
    with contextlib.suppress(OSError, yaml.YAMLError, AttributeError, TypeError):
        for each in yaml.safe_load((where / "conda.yaml").read_text(encoding="utf-8"))["dependencies"]:
            if isinstance(each, dict):
                lines += map(str, each.get("pip", []))
    return needs_of("\n".join(lines), python, mlflow)


def of_model(where: Path) -> Needs:
    """What a model asks for by its own MLmodel. Raises Failed."""
    try:
        about = yaml.safe_load((where / "MLmodel").read_text(encoding="utf-8"))
        python = str(((about.get("flavors") or {}).get("python_function") or {}).get("python_version") or "")
        return needs_in(where, python, str(about.get("mlflow_version") or ""))
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise Failed(f"{where / 'MLmodel'}: can't be read ({type(error).__name__}); log the model again") from None


def package_name(package: str) -> str:
    """The name in a requirement."""
    return re.split(r"[=<>!~\[;@ ]", package, maxsplit=1)[0].strip().lower()


def own_python() -> str:
    """This interpreter's version without its last part."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"

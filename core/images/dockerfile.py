"""A Dockerfile for those who have a builder: places, user and command as of the image that is packed without one."""

import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import scoring
from core.domain.errors import Failed, Refused
from core.domain.model import Version
from core.images import container, wheels
from core.images.interpreter import USER
from core.images.model_files import model_files

FILE = "Dockerfile"
MARK = "# Written by quarterdeck: "
_STAGES = """\
{mark}the service and {model} {label}. Build it where it lies:
#   docker build -t {tag} .
# It writes nothing but /tmp, so it runs with --read-only --tmpfs /tmp. SCORING_KEY is the key that callers need.
ARG BASE={base}

FROM ${{BASE}} AS packages
# Where packages come from, if not from PyPI.
ARG PIP_INDEX_URL
COPY requirements.txt /requirements.txt
# --no-deps: of xgboost and treelite only the C libraries are loaded, and those need nothing else.
RUN ["python", "-m", "pip", "install", "--no-cache-dir", "--no-deps", "--no-compile", "--only-binary=:all:", \
"--disable-pip-version-check", "--root-user-action=ignore", "--target=/{code}", "-r", "/requirements.txt"]
COPY scoring /{code}/scoring
RUN ["python", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "/{code}"]

FROM ${{BASE}}
COPY --from=packages /{code} /{code}
COPY {model_folder} /{model_folder}
ENV {environment}
LABEL {labels}
USER {user}:{user}
WORKDIR /
EXPOSE {port}
STOPSIGNAL SIGTERM
ENTRYPOINT {program}
CMD {arguments}
"""


def usual_base() -> str:
    """Of the Python that the packages are of."""
    return f"docker.io/library/python:{sys.version_info.major}.{sys.version_info.minor}-slim"


def text(version: Version, base: str, tag: str) -> str:
    """The Dockerfile."""
    return _STAGES.format(
        mark=MARK,
        model=_plain(version.model),
        label=version.label,
        tag=tag,
        base=base,
        code=container.CODE,
        model_folder=container.MODEL,
        environment=_pairs(container.ENVIRONMENT),
        labels=_pairs(container.labels(version)),
        user=USER,
        port=container.PORT,
        program=json.dumps(list(container.PROGRAM)),
        arguments=json.dumps(container.arguments(version)),
    )


def write(version: Version, folder: Path, model: Path, base: str, tag: str) -> list[wheels.Wheel]:
    """All that a builder needs, into a folder that is empty or was written by this; the packages that it will hold.

    Raises Refused where the folder holds something else, Failed where it can't be written.
    """
    files = model_files(model)
    packages = [wheels.wheel(name) for name in wheels.needed_by(files)]
    try:
        _clear(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(text(version, base, tag), encoding="utf-8")
        (folder / "requirements.txt").write_text("".join(f"{pin}\n" for pin in pins(packages)), encoding="utf-8")
        (folder / container.MODEL).mkdir()
        for name, entry in files.items():
            (folder / container.MODEL / name).write_bytes(entry.read())
        service = Path(str(scoring.__file__)).parent
        shutil.copytree(service, folder / "scoring", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    except OSError as error:
        raise Failed(f"{error.filename or folder}: {error.strerror or error}; the Dockerfile was not written") from None
    return packages


def pins(packages: Iterable[wheels.Wheel]) -> list[str]:
    """As requirements for Linux, where the library of XGBoost has a package of its own without the one for GPUs."""
    return [one.pin.replace("xgboost==", "xgboost-cpu==") for one in packages]


def _clear(folder: Path) -> None:
    """Remove what an earlier call wrote, and nothing else."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    written = folder / FILE
    if not written.is_file() or not written.read_text(encoding="utf-8", errors="replace").startswith(MARK):
        raise Refused(f"{folder}: holds other things; name an empty folder, or one that this wrote before")
    for name in ("scoring", container.MODEL):
        shutil.rmtree(folder / name, ignore_errors=True)


def _pairs(given: Mapping[str, str]) -> str:
    """As Docker takes names with values: a `$` would be replaced, a quote would end the value."""
    quoted = {name: json.dumps(value, ensure_ascii=False).replace("$", "\\$") for name, value in given.items() if value}
    return " \\\n  ".join(f"{name}={value}" for name, value in sorted(quoted.items()))


def _plain(name: str) -> str:
    return name if name.isprintable() else "a model"

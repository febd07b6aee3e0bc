"""A new project: a folder with a commented quarterdeck.yaml, from a sample or over someone's own rows."""

import csv
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from itertools import islice
from pathlib import Path
from string import Template

from core.config.columns import ColumnSettings
from core.config.config import FILE, STATE
from core.config.settings import SAMPLES
from core.domain.errors import BadInput, Refused
from core.system.suggest import did_you_mean

HINT = "  # columns: "
"""Where the template of one's own rows has an example."""
MOST_WRITTEN = 30
"""As many columns are written down; how the others are read is found again each time."""
QUARTERS = (
    "steps: [10, 50, 100]       # percent of traffic",
    "steps: [25, 50, 100]       # percent: 1 of 4 pods, 2 of 4, all",
)
"""A line of the templates, and what stands in its place where no more than four pods may be."""
OF_CPU = ("# replicas; cpu in percent of the 500m", "# instances; cpu in percent of one")
"""The same where an instance is a whole machine."""
IGNORED = f"{STATE}/\nruns/\n"


def init(
    folder: Path,
    sample: str | None = None,
    data: Path | None = None,
    target: str | None = None,
    cluster: str | None = None,
    workspace: str | None = None,
) -> Path:
    """Write quarterdeck.yaml into a folder, made if it is not there, and return its path.

    Either `sample` is given, or `data` with its `target`; `cluster` is a CONTEXT/NAMESPACE, or `workspace` a
    SUBSCRIPTION/GROUP/WORKSPACE of Azure ML, that serves. Raises BadInput, and Refused where the folder already holds a
    project.
    """
    if data is None and target is not None:
        places = "a cluster is named by --kubernetes, a workspace by --azureml"
        raise BadInput(f"--target {target}: is the column of --data to predict; {places}")
    if cluster is not None and workspace is not None:
        raise BadInput("--kubernetes, --azureml: one of them; the other's settings can stand under environments later")
    text = _for_sample(sample) if data is None else _for_rows(folder, data, target)
    text = text if cluster is None else _in_cluster(text, cluster)
    text = text if workspace is None else _in_workspace(text, workspace)
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_new(path, text)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text(IGNORED, encoding="utf-8")
    except FileExistsError as error:
        if path.exists():
            raise Refused(f"{path}: is already there; choose another folder or edit it") from None
        raise BadInput(f"{error.filename}: is a file, not a folder") from None
    except OSError as error:
        raise BadInput(f"{error.filename or folder}: can't be written: {error.strerror}") from None
    return path


def add_columns(path: Path, columns: Mapping[str, ColumnSettings]) -> int:
    """Write how columns were found into a new quarterdeck.yaml, the first of them; how many."""
    shown = dict(islice(columns.items(), MOST_WRITTEN))
    lines = "".join(f"    {_quoted(name)}: {_flow(each)}\n" for name, each in shown.items())
    text = path.read_text(encoding="utf-8")
    if shown and HINT in text:
        path.write_text(text.replace(HINT, f"  columns:  # as found; change what is wrong\n{lines}{HINT}", 1), "utf-8")
    return len(shown)


def _flow(column: ColumnSettings) -> str:
    """One column as people write it: its type alone where that says all."""
    said = column.model_dump(exclude_defaults=True)
    if set(said) == {"type"}:
        return str(said["type"])
    words = (f"{key}: {value if key == 'type' else json.dumps(value)}" for key, value in said.items())
    return f"{{{', '.join(words)}}}"


def _write_new(path: Path, text: str) -> None:
    """The whole text in a new file, or no file; never over one that appeared this moment."""
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            path.unlink()
            raise


def _for_sample(sample: str | None) -> str:
    if sample not in SAMPLES:
        said = "no sample is named" if sample is None else f"{sample!r} is no sample"
        raise BadInput(f"--sample: {said}; one of {', '.join(SAMPLES)}{did_you_mean(sample or '', SAMPLES)}")
    return _template(sample)


def _for_rows(folder: Path, data: Path, target: str | None) -> str:
    if not data.is_file():
        raise BadInput(f"{data}: no such file")
    if target is None:
        raise BadInput(f"--target: say which column of {data.name} the model predicts{_columns(data)}")
    source, home = data.resolve(), folder.resolve()
    within = source.relative_to(home) if source.is_relative_to(home) else source
    stem = re.sub(r"[^a-z0-9]+", "-", data.name.split(".")[0].lower()).strip("-")[:30].strip("-")
    name = stem if stem[:1].isalpha() else f"model-{stem}".strip("-")
    words = {"source": _quoted(str(within)), "target": _quoted(target), "name": name}
    return Template(_template("own")).substitute(words)


def _in_cluster(text: str, cluster: str) -> str:
    """A template for a cluster, with shares that its pods can give: quarters where there are four at the most."""
    context, _, namespace = cluster.rpartition("/")
    if not (context.strip() and namespace.strip()):
        raise BadInput(f"--kubernetes {cluster}: write CONTEXT/NAMESPACE, the context as your kubeconfig names it")
    if re.search(r"^  autoscaling:.*max: 4", text, re.MULTILINE):
        text = text.replace(*QUARTERS)
    return _served_by(text, "cluster", context=context, namespace=namespace)


def _in_workspace(text: str, workspace: str) -> str:
    """A template for Azure ML."""
    parts = [part.strip() for part in workspace.split("/")]
    if len(parts) != 3 or not all(parts) or not _ID.fullmatch(parts[0]):
        named = "SUBSCRIPTION/GROUP/WORKSPACE, the first by its id as 'az account show' names it"
        raise BadInput(f"--azureml {workspace}: write {named}")
    subscription, group, name = parts
    return _served_by(text.replace(*OF_CPU), "workspace", subscription=subscription, group=group, workspace=name)


def _served_by(text: str, place: str, **names: str) -> str:
    """A template with the settings of who serves, before those of a release."""
    quoted = {key: _quoted(name) for key, name in names.items()}
    settings = Template(_template(place)).substitute(quoted)
    return text.replace("\nrelease:\n", f"\n{settings}\nrelease:\n", 1)


def _columns(data: Path) -> str:
    """The names in a CSV file's first line, as a hint."""
    if data.suffix.lower() != ".csv":
        return ""
    with data.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        names = next(csv.reader(file), [])
    return f": {', '.join(names[:20])}" if names else ""


def _quoted(text: str) -> str:
    """A text as YAML takes it for one: plain where that is safe."""
    return text if re.fullmatch(r"[A-Za-z./][\w./-]*", text) and text.lower() not in _WORDS else json.dumps(text)


_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "~"}


def _template(name: str) -> str:
    return (files("core") / "work" / "samples" / f"{name}.yaml").read_text(encoding="utf-8")

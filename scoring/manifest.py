"""What a model folder says of itself: its fields, its labels, its files. Reads `model.json` and nothing else."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import orjson

from scoring.cells import CellReader, from_document
from scoring.dates import PARTS

FORMAT = 1
FLOAT32_MAX = 3.4028235677973366e38
TYPES = ("number", "integer", "boolean", "category", "date")
PLAIN_TYPES = ("number", "integer", "boolean", "text", "any")
"""Of a model that reads its values itself."""

Label: TypeAlias = str | int | float | bool


class ModelError(Exception):
    """The model can't be served as it is: which folder or file, what is wrong, what to do, in one line."""


@dataclass(frozen=True, slots=True)
class ModelField:
    """One column of the model's input. `categories` is None unless the type is `category`.

    One that is not `required` is missing where a caller leaves it out. With a `reader` values may come as the
    texts that its file had. The model sees a date as its `parts`, each a column. `range` is the least and the greatest
    number of the rows it was trained on, where that is known.
    """

    name: str
    type: str
    categories: tuple[str, ...] | None = None
    required: bool = True
    reader: CellReader | None = None
    parts: tuple[str, ...] = ()
    range: tuple[float, float] | None = None

    @property
    def width(self) -> int:
        """Columns of the model's matrix."""
        return len(self.parts) or 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """`model.json`, read and checked. Fields stand in the order of columns, labels in that of classes.

    With a `python` the model runs in that interpreter, `batched` where its rows do not depend on each other; it has no
    labels then. `converted`: it was made of what somebody else logged. `digest` is set once the model is loaded.
    """

    folder: Path
    algorithm: str
    file: str
    treelite: str | None
    fields: tuple[ModelField, ...]
    target: str
    labels: tuple[Label, ...]
    example: Mapping[str, Any]
    python: str = ""
    batched: bool = False
    converted: bool = False
    digest: str = ""

    @property
    def columns(self) -> int:
        """Columns of the model's matrix."""
        return sum(field.width for field in self.fields)


def read(folder: Path) -> Manifest:
    """The manifest of a model folder; `ModelError` names what is missing or wrong."""
    path = folder / "model.json"
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; a model folder holds model.json and its model") from None
    except orjson.JSONDecodeError as error:
        raise ModelError(f"{path}: not JSON ({error}); write the model folder again") from None
    if not isinstance(document, dict):
        raise ModelError(f"{path}: an object is expected; write the model folder again")
    try:
        return _checked(folder, document)
    except _WrongError as wrong:
        raise ModelError(f"{path}: {wrong}") from None


class _WrongError(Exception):
    """One key of the manifest that can't be used."""


def _checked(folder: Path, document: dict[str, Any]) -> Manifest:
    if document.get("format") != FORMAT:
        raise _WrongError(f"format: this service reads {FORMAT}, the folder has {document.get('format')!r}")
    if document.get("task") == "pyfunc":
        return _pyfunc(folder, document)
    if document.get("task") != "classification":
        raise _WrongError(f"task: only classification is served, the folder has {document.get('task')!r}")
    file, treelite = document.get("file"), document.get("treelite")
    if file not in ("model.ubj", "model.tl", "linear.json"):
        raise _WrongError(f"file: model.ubj, model.tl or linear.json is expected, not {file!r}")
    if treelite not in (None, "model.tl"):
        raise _WrongError(f"treelite: model.tl or null is expected, not {treelite!r}")
    example = document.get("example")
    return Manifest(
        folder=folder,
        algorithm=_text(document, "algorithm"),
        file=file,
        treelite=treelite,
        fields=_fields(document.get("fields")),
        target=_text(document, "target"),
        labels=_labels(document.get("labels")),
        example=example if isinstance(example, dict) else {},
        converted="flavour" in document,
    )


def _pyfunc(folder: Path, document: dict[str, Any]) -> Manifest:
    """Of a model that an interpreter of its own runs."""
    example = document.get("example")
    return Manifest(
        folder=folder,
        algorithm=_text(document, "algorithm"),
        file=_text(document, "file"),
        treelite=None,
        fields=_fields(document.get("fields"), PLAIN_TYPES),
        target=_text(document, "target"),
        labels=(),
        example=example if isinstance(example, dict) else {},
        python=_text(document, "python"),
        batched=document.get("batched") is True,
        converted=True,
    )


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise _WrongError(f"{key}: a text is expected, not {value!r}")
    return value


def _fields(value: object, types: Sequence[str] = TYPES) -> tuple[ModelField, ...]:
    if not isinstance(value, list) or not value:
        raise _WrongError("fields: a list with at least one field is expected")
    fields = tuple(_field(index, each, types) for index, each in enumerate(value))
    names = [field.name for field in fields]
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise _WrongError(f"fields: {twice} is there twice")
    return fields


def _field(index: int, value: object, types: Sequence[str]) -> ModelField:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise _WrongError(f"fields[{index}]: an object with a name is expected")
    name, type_, categories = value["name"], value.get("type"), value.get("categories")
    if type_ not in types:
        raise _WrongError(f"fields[{index}].type ({name}): one of {', '.join(types)} is expected, not {type_!r}")
    required = value.get("required", True) is not False
    reader = from_document(value.get("reader"))
    if reader is None and value.get("reader") is not None:
        raise _WrongError(f"fields[{index}].reader ({name}): can't be used; write the model folder again")
    if type_ == "date":
        return ModelField(name, type_, None, required, reader or CellReader("date"), _parts(index, name, value))
    if type_ != "category":
        return ModelField(name, str(type_), None, required, reader, range=_range(index, name, value.get("range")))
    if not _texts(categories):
        raise _WrongError(f"fields[{index}].categories ({name}): a list of texts is expected")
    return ModelField(name, type_, tuple(categories), required, reader)


def _parts(index: int, name: str, value: dict[str, Any]) -> tuple[str, ...]:
    parts = value.get("parts")
    if not _texts(parts) or not parts or not set(parts) <= set(PARTS):
        raise _WrongError(f"fields[{index}].parts ({name}): some of {', '.join(PARTS)} are expected")
    return tuple(parts)


def _range(index: int, name: str, value: object) -> tuple[float, float] | None:
    """Models of earlier releases have none."""
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2 and all(_fits_float32(each) for each in value):
        return float(value[0]), float(value[1])
    raise _WrongError(f"fields[{index}].range ({name}): two numbers are expected, the least and the greatest")


def _fits_float32(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FLOAT32_MAX


def _labels(value: object) -> tuple[Label, ...]:
    if not isinstance(value, list) or len(value) < 2:
        raise _WrongError("labels: a list of at least two labels is expected")
    if not all(isinstance(label, str | int | float | bool) for label in value):
        raise _WrongError("labels: texts, numbers or booleans are expected")
    return tuple(value)


def _texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)

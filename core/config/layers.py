"""Where settings come from: a file, variables, flags, each a layer of plain values. Judges no value."""

import copy
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from core.domain.errors import BadInput

Values: TypeAlias = Mapping[str, Any]
Keys: TypeAlias = Sequence[str | int]

PREFIX = "QUARTERDECK_"
VARIABLES = "variables"
FLAGS = "--set"


@dataclass(frozen=True, slots=True)
class Layer:
    """Values from one place: VARIABLES, FLAGS or a file; `section` is the part of the file they lie in.

    `places` says of values that come from several places where each was written.
    """

    values: Values
    source: str = ""
    section: str = ""
    places: Mapping[tuple[str | int, ...], str] = field(default_factory=dict)

    def path(self, keys: Keys) -> str:
        """A key as this place writes it: `quarterdeck.yaml: train.n_iter`, `QUARTERDECK_TRAIN__N_ITER`."""
        if (place := self.places.get(tuple(keys))) is not None:
            return place
        if self.source == FLAGS:
            return f"{FLAGS} {self.key(keys)}"
        return self.key(keys) if self.source == VARIABLES else f"{self.source}: {self.key(keys)}"

    def key(self, keys: Keys) -> str:
        """A key as it is written inside this place."""
        if self.source == VARIABLES:
            return PREFIX + "__".join(str(key).upper() for key in keys)
        text = self.section
        for key in keys:
            text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
        return text

    def holds(self, keys: Keys) -> bool:
        """Whether this layer sets the key, or a list that it lies in."""
        value: object = self.values
        for key in keys:
            if isinstance(value, list | tuple):
                return True
            if not isinstance(value, Mapping) or key not in value:
                return False
            value = value[key]
        return True


def merged(below: Values, above: Values) -> dict[str, Any]:
    """Two mappings as one; where both hold a mapping these are merged, else the upper one wins."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            result[key] = merged(under, value)
        else:
            result[key] = value
    return result


def filled(values: Values | None) -> Values:
    """Without what is empty, such as `train:` with all of its lines commented out."""
    return {key: value for key, value in (values or {}).items() if value is not None}


def spelled(values: Values) -> Values:
    """What may be written short in full: `train: azureml` is `train: {on: azureml}`."""
    train = values.get("train")
    return {**values, "train": {"on": train}} if isinstance(train, str) else values


class _Loader(yaml.SafeLoader):
    """YAML as people mean it: a key given twice is an error, `on` is a name where it is a key, and 1e-3 is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping, once its keys are known to differ."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(str(key.value))
            if key.tag == "tag:yaml.org,2002:bool":
                key.tag = "tag:yaml.org,2002:str"  # `on:` is a key's name, and no yes
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


@lru_cache(maxsize=8)
def _read(text: str) -> object:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader


def parse(text: str) -> object:
    """A value in YAML; raises yaml.YAMLError. The same text is not read twice: that takes 2 ms, and a key waits."""
    return copy.deepcopy(_read(text))


def read_file(path: Path) -> Values:
    """The values of a YAML file; raises BadInput."""
    try:
        values = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path.name}: can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path.name}: is not text in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise BadInput(f"{path.name}: {where}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"{path.name}: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise BadInput(f"{path.name}: should hold settings by name, such as 'data:' and 'endpoint:'")
    return filled(values)


def from_variables(environ: Mapping[str, str], ours: Collection[str]) -> Layer:
    """The variables with our prefix, `__` between the parts of a key; those in `ours` are something else."""
    values: dict[str, Any] = {}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in ours:
            _put(values, name[len(PREFIX) :].lower().split("__"), environ[name], name)
    return Layer(values, VARIABLES)


def from_sets(sets: Sequence[str]) -> Layer:
    """The flags `--set train.n_iter=5`."""
    values: dict[str, Any] = {}
    for item in sets:
        key, equals, text = item.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")):
            raise BadInput(f"{FLAGS} {item}: write it as key=value, such as train.n_iter=5")
        _put(values, [part.strip() for part in key.split(".")], text, f"{FLAGS} {key}")
    return Layer(values, FLAGS)


def _put(values: dict[str, Any], keys: Sequence[str], text: str, place: str) -> None:
    try:
        value = parse(text)
    except (yaml.YAMLError, ValueError):
        raise BadInput(f"{place}: {text!r} is not a value; put quotes around text") from None
    inner = values
    for key in keys[:-1]:
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            raise BadInput(f"{place}: {key} has been given a value of its own")
    inner[keys[-1]] = value

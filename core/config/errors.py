"""What is wrong with settings, in one line: the place, the key, the matter, and the nearest right name."""

import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from core.config.layers import VARIABLES, Keys, Layer, merged
from core.config.settings import Settings
from core.system.suggest import did_you_mean, nearest

_HIDDEN = ("folder", "floors_from", "production")
_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "tuple_type": "a list",
    "model_type": "a mapping of settings",
    "dict_type": "a mapping of settings",
}
_LIMITS = {
    "greater_than": "above",
    "greater_than_equal": "at least",
    "less_than": "below",
    "less_than_equal": "at most",
}
_LIMIT_KEYS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}


def complain(error: ValidationError, layers: Sequence[Layer]) -> str:
    """All that is wrong in one line, each key as the layer writes it that set it."""
    details = error.errors(include_url=False)
    # What is not known comes first: a missing key is often the same key, mistyped. What nobody wrote comes last: it
    # follows from what somebody did.
    details.sort(key=lambda detail: (detail["type"] != "extra_forbidden", _setter(detail["loc"], layers) is None))
    mistyped = {meant(detail["loc"]) for detail in details if detail["type"] == "extra_forbidden"}
    wrong = _by_key([one for one in details if one["type"] != "missing" or one["loc"] not in mistyped], layers)
    said, source = [], ""
    for keys, several in wrong.items():
        layer = _setter(keys, layers) or next(layer for layer in layers if layer.source)
        path = layer.path(keys)
        said.append(f"{path.removeprefix(f'{layer.source}: ') if layer.source == source else path}: ")
        said[-1] += _matter_of(several, layer)
        source = source or layer.source
    # A file that can't be read lacks everything that it may say.
    return " · ".join(dict.fromkeys(said))


def _by_key(details: Sequence[ErrorDetails], layers: Sequence[Layer]) -> dict[Keys, list[ErrorDetails]]:
    """What is wrong with each key. Of a value that may be of several kinds each kind complains: where one of them finds
    what is wrong further inside, only that is said."""
    found: dict[Keys, list[ErrorDetails]] = {}
    for detail in details:
        found.setdefault(tuple(_written(detail["loc"], layers)), []).append(detail)
    inside = [keys[:at] for keys in found for at in range(1, len(keys))]
    return {
        keys: several
        for keys, several in found.items()
        if keys not in inside or not all(len(one["loc"]) > len(keys) and one["type"] in _KINDS for one in several)
    }


def _matter_of(several: Sequence[ErrorDetails], layer: Layer) -> str:
    """What is wrong with one key in words, whatever kinds of value it may have."""
    if all(one["type"] in _KINDS for one in several):
        words = " or ".join(dict.fromkeys(_KINDS[one["type"]] for one in several))
        given = several[0]["input"]
        return f"is empty, and should be {words}" if given is None else f"{shown(given)} should be {words}"
    # Who complains of the limit took the value for one of the right kind.
    return _matter(next((one for one in several if one["type"] in _LIMITS), several[0]), layer)


def _setter(keys: Keys, layers: Sequence[Layer]) -> Layer | None:
    """The uppermost place that sets a key."""
    written = _written(keys, layers)
    return next((layer for layer in reversed(layers) if (layer.source or layer.places) and layer.holds(written)), None)


def _written(keys: Keys, layers: Sequence[Layer]) -> Keys:
    """As people write keys: the kinds that a value was tried to be read as, which stand between or behind, are left
    out."""
    keys = keys[:-1] if keys and keys[-1] == "[key]" else keys
    whole: dict[str, Any] = {}
    for layer in layers:
        whole = merged(whole, layer.values)
    value: object = whole
    written: list[str | int] = []
    for at, key in enumerate(keys):
        if isinstance(value, list | tuple):
            if isinstance(key, int):
                written.append(key)
                value = value[key] if key < len(value) else None
        elif not isinstance(value, Mapping):
            break
        elif key in value:
            written.append(key)
            value = value[key]
        elif _is_known(written, key):
            return (*written, *keys[at:])
    return tuple(written)


def _is_known(inside: Sequence[str | int], key: str | int) -> bool:
    """Whether a key that nobody wrote is one of the settings, such as one that is missing."""
    model = _model_at(inside)
    return model is not None and any(key in (name, field.alias) for name, field in model.model_fields.items())


def _matter(detail: ErrorDetails, layer: Layer) -> str:
    """What is wrong with one value, in words."""
    kind, context, given = detail["type"], detail.get("ctx", {}), shown(detail["input"])
    if kind == "extra_forbidden":
        return f"unknown key{_hint(detail['loc'], layer)}"
    if kind == "missing":
        return "is needed and not set"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        words = str(context["expected"]).replace(" or ", ", ").replace("'", "")
        return f"{given} is none of {words}{did_you_mean(str(detail['input']), words.split(', '))}"
    if kind in _LIMITS:
        return f"{given} should be {_LIMITS[kind]} {context[_LIMIT_KEYS[kind]]:g}"
    return f"{given}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _hint(keys: Keys, layer: Layer) -> str:
    """The known key that was meant: its name alone where it lies beside the unknown one in a file."""
    near = meant(keys)
    if not near:
        return ""
    beside = near[:-1] == tuple(keys[:-1]) and layer.source != VARIABLES
    return f"; did you mean {near[-1] if beside else Layer({}, layer.source).key(near)}?"


def shown(value: object) -> str:
    """A value as the file writes it, short."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = repr(value) if not isinstance(value, Mapping) else "a mapping"
    return text if len(text) <= 40 else f"{text[:39]}…"


def meant(keys: Keys) -> Keys:
    """The known key that an unknown one was meant to be, beside it or in another part; empty without one."""
    *inside, last = keys
    model = _model_at(inside)
    beside = [] if model is None else [name for name in model.model_fields if name not in _HIDDEN]
    if match := nearest(str(last), beside):
        return (*inside, match)
    elsewhere = {path[-1]: path for path in _paths(Settings)}
    return elsewhere.get(nearest(str(last), elsewhere, cutoff=0.75), ())


def _model_at(keys: Sequence[str | int]) -> type[BaseModel] | None:
    """The part of the settings that lies at a path."""
    model: type[BaseModel] | None = Settings
    for key in keys:
        if isinstance(key, str):
            field = model.model_fields.get(key) if model else None
            model = None if field is None else _part(field.annotation)
    return model


def _part(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as `Autoscaling | None` or `tuple[GateSettings, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((part for one in typing.get_args(annotation) if (part := _part(one))), None)


def _paths(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of the settings as a path from the top."""
    for name, field in model.model_fields.items():
        if name not in _HIDDEN:
            yield (*above, name)
            part = _part(field.annotation)
            if part is not None and typing.get_origin(field.annotation) is not tuple:
                yield from _paths(part, (*above, name))

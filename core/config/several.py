"""Several endpoints in one quarterdeck.yaml: what each sets for itself, and which one is meant."""

from collections.abc import Mapping, Sequence

from core.config.layers import Layer, Values, filled, merged
from core.config.settings import Settings
from core.domain.errors import BadInput
from core.system.suggest import did_you_mean

KEY = "endpoints"
NAME = ("endpoint", "name")
ELSEWHERE = ("environment", "environments", KEY, "production", "read_only")
"""What is said of an environment or of the whole project, never of one endpoint."""


def names_of(values: Values, file: str) -> tuple[str, ...]:
    """The names under `endpoints`, in the file's order; none where the project has one endpoint. Raises BadInput."""
    if KEY not in values:
        return ()
    sections = values[KEY]
    if not isinstance(sections, Mapping) or not sections or not all(isinstance(name, str) for name in sections):
        raise BadInput(
            f"{file}: {KEY}: should be a mapping of endpoints' names to what each sets, such as 'late: {{}}'"
        )
    if Layer(values).holds(NAME):
        raise BadInput(f"{file}: endpoint.name: can't be set beside {KEY}, whose keys are the names; take it out")
    for name in sections:
        other = next((one for one in sections if name in (f"{one}-dev", f"{one}-staging")), None)
        if other is not None:
            raise BadInput(
                f"{file}: {KEY}.{name}: is what {other}'s own endpoint is called elsewhere; take another name"
            )
    return tuple(sections)


def section_of(values: Values, name: str, file: str) -> Layer:
    """What the file says of one endpoint alone, its name too; raises BadInput."""
    section = values[KEY][name]
    path = f"{KEY}.{name}"
    if section is not None and not isinstance(section, Mapping):
        raise BadInput(f"{file}: {path}: should be a mapping of settings, or {{}}")
    for key in filled(section):
        if key in ELSEWHERE:
            raise BadInput(f"{file}: {path}.{key}: can't be set for one endpoint")
    if section and Layer(section).holds(NAME):
        raise BadInput(f"{file}: {path}.endpoint.name: the name is {name} already, by its key")
    return Layer(merged(filled(section), {"endpoint": {"name": name}}), file, path)


def meant(names: Sequence[str], layers: Sequence[Layer]) -> str:
    """The endpoint that a flag or a variable names; empty where none does. Raises BadInput for an unknown one."""
    for layer in layers:
        if layer.holds(NAME):
            given = str(layer.values["endpoint"]["name"])
            if given not in names:
                raise BadInput(
                    f"{layer.path(NAME)}: {given!r} is none of {', '.join(names)}{did_you_mean(given, names)}"
                )
            return given
    return ""


def nameless(layer: Layer) -> Layer:
    """A layer without the name that only chooses."""
    if not layer.holds(NAME):
        return layer
    endpoint = {key: value for key, value in layer.values["endpoint"].items() if key != NAME[1]}
    return Layer({**layer.values, "endpoint": endpoint}, layer.source, layer.section)


def called(name: str, environment: str) -> str:
    """What an endpoint is called in an environment."""
    return name if environment == "prod" else f"{name}-{environment}"


def refuse_meeting(names: Sequence[str], settings: Sequence[Settings], file: str) -> None:
    """Raise BadInput where a place can't tell two endpoints apart, of these settings of each environment."""
    for one in settings:
        here = [other for other in settings if other.where == one.where]
        theirs = [called(name, other.environment) for other in here for name in names or [other.endpoint.name]]
        if why := one.place.apart(theirs):
            raise BadInput(f"{file}: {one.target}: {why}")

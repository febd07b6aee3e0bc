"""The gates of a YAML file that may hold nothing else: for judging a recording with limits that are only tried out."""

from pathlib import Path

from pydantic import ValidationError

from core.config.errors import complain
from core.config.layers import Layer, filled, merged, read_file
from core.config.serving import ReleaseSettings
from core.domain.errors import BadInput
from core.domain.gates import Gate

PARTS = ("gates", "more_gates")


def gates_of(path: Path, environment: str | None = None) -> tuple[Gate, ...]:
    """Its `release.gates` and `more_gates`, as the named environment has them; raises BadInput."""
    values = read_file(path)
    sections = values.get("environments")
    own = sections.get(environment) if isinstance(sections, dict) and environment else None
    if isinstance(own, dict):
        values = merged(values, filled(own))
    release = values.get("release")
    given = {name: release.get(name) for name in PARTS} if isinstance(release, dict) else {}
    given = {name: gates for name, gates in given.items() if gates is not None}
    if not given:
        raise BadInput(f"{path.name}: no gates in it; write them under release.gates, as in quarterdeck.yaml")
    try:
        settings = ReleaseSettings.model_validate(given)
    except ValidationError as error:
        raise BadInput(complain(error, [Layer(given, path.name, "release")])) from None
    return tuple(gate.gate() for gate in settings.all_gates)

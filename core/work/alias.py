"""The environment's alias follows the traffic; what it pointed to before is kept under the previous alias."""

from collections.abc import Mapping
from typing import Any

from core.domain.errors import BadInput
from core.work.job import Done, Job, Report, keep, kept
from core.work.registry import Registry, answering, connect

NOTE = "promoting"


def run(job: Job, say: Report) -> Done:
    """Options `number`, `alias`, `previous_alias`. Done twice it changes nothing more."""
    model = model_of(job)
    number, alias, previous = wanted(job, "number", "alias", "previous_alias")
    registry = connect(job.settings)
    with answering(registry.shown):
        before = _before(job, registry, model, number, alias, previous)
        was = before["alias_was"]
        moved = was not in (None, number)
        if moved:
            registry.point(previous, was, model)
        registry.point(alias, number, model)
    say(f"{model}@{alias} is v{number}" + (f", @{previous} v{was}" if moved else ""))
    return Done(before, f"v{number}")


def _before(job: Job, registry: Registry, model: str, number: str, alias: str, previous: str) -> Mapping[str, Any]:
    """Where the aliases pointed, written down before they move: a second try must not take the first for the past."""
    noted = kept(job.folder, NOTE)
    asked = {"model": model, "number": number, "alias": alias, "previous_alias": previous}
    if noted is not None and asked.items() <= noted.items():
        return noted
    found = {"alias_was": registry.at(alias, model), "previous_was": registry.at(previous, model)}
    before = asked | {name: None if version is None else str(version.version) for name, version in found.items()}
    keep(job.folder, NOTE, Done(before, ""))
    return before


def model_of(job: Job) -> str:
    """What the registry calls the model: the settings' name, or another where a version of another was fetched."""
    fetched = kept(job.folder, "fetch")
    return str(fetched["version"]["model"]) if fetched else job.settings.model


def wanted(job: Job, *names: str) -> list[str]:
    """Options that the step can't do without."""
    missing = [name for name in names if not job.options.get(name)]
    if missing:
        raise BadInput(f"{job.step}: needs the options {', '.join(missing)}")
    return [str(job.options[name]) for name in names]

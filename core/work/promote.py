"""The environment's alias follows the traffic; what it pointed to before is kept under the previous alias."""

from collections.abc import Mapping
from typing import Any

from core.errors import BadInput
from core.work.job import Done, Job, Say, kept
from core.work.registry import answering, connect


def run(job: Job, say: Say) -> Done:
    """Options `number`, `alias`, `previous_alias`. Done twice it changes nothing more."""
    number, alias, previous = wanted(job, "number", "alias", "previous_alias")
    registry = connect(job.settings)
    with answering(registry.shown):
        current = registry.at(alias)
        was = None if current is None else str(current.version)
        if was == number:
            before: Mapping[str, Any] = kept(job.folder, "promote") or {}
            if before.get("number") == number:
                return Done(before, f"v{number}")
        older = registry.at(previous)
        if was not in (None, number):
            registry.point(previous, was)
        registry.point(alias, number)
    say(f"{job.settings.model}@{alias} is v{number}" + (f", @{previous} v{was}" if was not in (None, number) else ""))
    result = {
        "number": number,
        "alias": alias,
        "previous_alias": previous,
        "alias_was": was,
        "previous_was": None if older is None else str(older.version),
    }
    return Done(result, f"v{number}")


def wanted(job: Job, *names: str) -> list[str]:
    """Options that the step can't do without."""
    missing = [name for name in names if not job.options.get(name)]
    if missing:
        raise BadInput(f"{job.step}: needs the options {', '.join(missing)}")
    return [str(job.options[name]) for name in names]

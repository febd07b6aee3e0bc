"""Aliases back to what they were before this release moved them, or to the version that serves again."""

from core.work.alias import NOTE, model_of, wanted
from core.work.job import Done, Job, Report, kept
from core.work.registry import answering, connect


def run(job: Job, say: Report) -> Done:
    """Options `alias`, `previous_alias`; `number` is the version that serves again, where that is known.

    `moved_to` is where this release had moved the alias: where it is elsewhere, somebody else moved it, and that is
    said.

    What the aliases pointed to goes before; where this release moved none and no number is given, nothing changes.
    """
    alias, previous = wanted(job, "alias", "previous_alias")
    model = model_of(job)
    before = kept(job.folder, NOTE)
    registry = connect(job.settings)
    with answering(registry.shown):
        if before is not None and before["alias"] == alias:
            number, older = before["alias_was"], before["previous_was"]
        elif job.options.get("number"):
            number, current = str(job.options["number"]), registry.at(previous, model)
            older = None if current is None else str(current.version)
        else:
            say(f"{model}@{alias} stays as it is: this release never moved it")
            return Done({"number": None, "alias": alias, "previous_alias": previous}, "unchanged")
        found = registry.at(alias, model)
        others = _others(alias, None if found is None else str(found.version), number, job.options.get("moved_to"))
        registry.point(alias, number, model)
        registry.point(previous, None if older == number else older, model)
    say(f"{model}@{alias} is " + (f"v{number} again" if number else "gone again"))
    result = {"number": number, "alias": alias, "previous_alias": previous, "moved_by_others": others}
    return Done(result, f"v{number}" if number else "none")


def _others(alias: str, found: str | None, number: str | None, moved_to: object) -> str:
    """What somebody else did with the alias meanwhile; empty when nobody did."""
    if moved_to is None or found in (number, str(moved_to)):
        return ""
    where = f"at v{found}" if found is not None else "gone"
    return f"@{alias} was {where}, not at v{moved_to}: somebody else had moved it"

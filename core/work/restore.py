"""Aliases back to what they were before this release moved them, or to the version that serves again."""

from core.work.job import Done, Job, Report, kept
from core.work.promote import NOTE, model_of, wanted
from core.work.registry import answering, connect


def run(job: Job, say: Report) -> Done:
    """Options `alias`, `previous_alias`; `number` is the version that serves again, where that is known.

    What promote found goes before; where this release promoted nothing and no number is given, nothing changes.
    """
    alias, previous = wanted(job, "alias", "previous_alias")
    model = model_of(job)
    promoted = kept(job.folder, NOTE)
    registry = connect(job.settings)
    with answering(registry.shown):
        if promoted is not None and promoted["alias"] == alias:
            number, older = promoted["alias_was"], promoted["previous_was"]
        elif job.options.get("number"):
            number, current = str(job.options["number"]), registry.at(previous, model)
            older = None if current is None else str(current.version)
        else:
            say(f"{model}@{alias} stays as it is: this release never moved it")
            return Done({"number": None, "alias": alias, "previous_alias": previous}, "unchanged")
        registry.point(alias, number, model)
        registry.point(previous, None if older == number else older, model)
    say(f"{model}@{alias} is " + (f"v{number} again" if number else "gone again"))
    return Done({"number": number, "alias": alias, "previous_alias": previous}, f"v{number}" if number else "none")

"""One node of an exported pipeline: `python -m core.training.node STEP --NAME PATH…`, a path for each input and output.

Runs the steps of a release that `PIPELINE` names, over what the nodes before it left, in the folder `work`. Its models
are kept in a registry of that folder's own; what was measured goes to the workspace's run as well.
"""

import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from core.config.settings import Settings
from core.domain.errors import BadInput, QuarterdeckError
from core.training.job_body import QUIET
from core.training.pipeline_steps import MODEL, PIPELINE, SETTINGS, TABLE, TRAINED, PipelineStep
from core.work.job import Broken, Done, Job, OutputLine, Progress, Said, kept, needed
from core.work.remote import WORK, own_registry, ran

EVERY_S = 5.0
BROUGHT = "brought"


def main() -> int:
    """Do it; 1 where it went wrong or the candidate may not go on."""
    step, paths = told(sys.argv[1:])
    folder = Path(WORK).resolve()
    gathered(step, paths, folder)
    for name, word in QUIET.items():
        os.environ.setdefault(name, word)
    environ = own_registry(folder)
    job = job_of(folder, paths)
    say = Spoken()
    if not ran(step.runs, job, say) or not goes_on(folder, say):
        return 1
    if line := figures(step, folder, environ):
        say(OutputLine(line))
    left(step, job, paths, say)
    return 0


def told(words: list[str]) -> tuple[PipelineStep, Mapping[str, Path]]:
    """Which step, and where each of its inputs and its output lies; raises BadInput."""
    if not words or words[0] not in PIPELINE:
        raise BadInput(f"{' '.join(words[:1]) or 'no step'}: is none of {', '.join(PIPELINE)}")
    step, rest = PIPELINE[words[0]], words[1:]
    paths = {name.removeprefix("--"): Path(path) for name, path in zip(rest[::2], rest[1::2], strict=False)}
    missing = [name for name in (*step.needs, step.output) if name not in paths and name != TABLE]
    if missing:
        raise BadInput(f"{step.name}: --{missing[0]} is missing")
    return step, paths


def gathered(step: PipelineStep, paths: Mapping[str, Path], folder: Path) -> None:
    """What the step works on, where it may be written beside."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in step.needs:
        if name == TRAINED:
            shutil.copytree(paths[name], folder / BROUGHT, dirs_exist_ok=True)
        elif name not in {SETTINGS, TABLE, MODEL}:
            shutil.copytree(paths[name], folder, dirs_exist_ok=True)


def job_of(folder: Path, paths: Mapping[str, Path]) -> Job:
    """What is asked, with the rows where they lie here, and what was trained elsewhere where that was brought."""
    settings = Settings.from_dump(paths[SETTINGS].read_text(encoding="utf-8"))
    data = settings.data
    if TABLE in paths:
        data = data.model_copy(update={"source": str(paths[TABLE].resolve())})
    brought = {"brought": str(folder / BROUGHT)} if (folder / BROUGHT).is_dir() else {}
    return Job("", folder, settings.model_copy(update={"folder": folder, "data": data}), options=brought)


def goes_on(folder: Path, say: "Spoken") -> bool:
    """Whether the gate let the candidate through, where it was asked."""
    judged = kept(folder, "gate")
    if judged is None or judged["passed"]:
        return True
    say(Broken("Failed", f"gate: {judged['why']}"))
    return False


def figures(step: PipelineStep, folder: Path, environ: Mapping[str, str]) -> str:
    """Tell the workspace's run what was measured; gives what could not be done, in a line."""
    if step.name not in {"train", "evaluate"}:
        return ""
    # Loads MLflow, which must not be before its registry's address is set.
    from core.work import azure_run  # noqa: PLC0415

    return (azure_run.written if step.name == "train" else azure_run.measured)(folder, environ)


def left(step: PipelineStep, job: Job, paths: Mapping[str, Path], say: "Spoken") -> None:
    """Put what the step leaves into its output."""
    out, folder = paths[step.output], job.folder
    out.mkdir(parents=True, exist_ok=True)
    for name in step.leaves:
        (shutil.copytree if (folder / name).is_dir() else shutil.copyfile)(folder / name, out / name)
    if step.output == MODEL:
        from core.work import logged  # noqa: PLC0415 - loads MLflow

        uri = needed(folder, "register", step.name)["version"]["uri"]
        logged.copied(job.settings, uri, out)
        say(OutputLine(f"{job.settings.model}: becomes a version of the workspace's model once this step has ended"))
    if step.name == "prepare":
        from core.training import prepared  # noqa: PLC0415 - another step needs none of it

        say(OutputLine(prepared.prepare(job.settings, paths[MODEL], out)))


class Spoken:
    """Says in the log of a node what a step says: lines as they are, how far it is now and then."""

    def __init__(self) -> None:
        self._said_s = -EVERY_S

    def __call__(self, said: Said) -> None:
        """One thing said, for people."""
        match said:
            case OutputLine(text=text):
                line = text
            case Progress(fraction=fraction, text=text):
                if time.monotonic() - self._said_s < EVERY_S:
                    return
                self._said_s = time.monotonic()
                line = text if fraction is None else f"{fraction:.0%} {text}"
            case Done(figure=figure):
                line = f"done: {figure}"
            case Broken(text=text):
                line = f"error: {text}"
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, QuarterdeckError) as error:
        Spoken()(Broken("Failed", str(error)))
        sys.exit(1)

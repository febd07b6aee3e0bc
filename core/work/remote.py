"""Steps of a release as a command on somebody else's machine: `python -m core.work.remote IN OUT STEP…`.

IN holds `job.json` and what earlier steps left; OUT gets `work.tar.gz`, what these steps left. What is said goes to
stdout: lines as they are, and how far it is behind `MARK`, one JSON object a line. The models are logged to a registry
of the folder's own; what was measured goes to the run of the place that began this too, where it has one.
"""

import json
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from core.domain.errors import QuarterdeckError
from core.work.job import MARK, Broken, Job, OutputLine, Progress, Report, Said, encode

PACKED = "work.tar.gz"
WORK = "work"
RUN = "run.json"
"""The run as the place that trained keeps it, put beside what it made: params, and of each metric steps and values."""
LEFT_OUT = frozenset({"train.parquet", "test.parquet", "matrices.npz", "mlflow.db", "mlartifacts"})
"""What whoever gave the rows has already, or nobody needs again."""
THEIRS = frozenset({"RUN_ID", "EXPERIMENT_ID", "EXPERIMENT_NAME", "TRACKING_TOKEN", "TRACKING_URI"})
"""MLflow's variables, which name the run that this job is: our own runs would be sought there."""
EVERY_S = 1.0


def main() -> int:
    """Run the steps one after the other; 1 where one of them went wrong."""
    given, out, *steps = sys.argv[1:]
    folder = Path(WORK).resolve()
    copied(Path(given), folder)
    given_us = own_registry(folder)
    job = job_in(folder)
    done = ran(steps, job, Teller().tell)
    if done and "train" in steps:
        # What trains is loaded by now, and the registry with it.
        from core.work import azure_run  # noqa: PLC0415

        if said := azure_run.written(folder, given_us):
            tell(OutputLine(said))
    if done:
        pack(folder, Path(out))
    return 0 if done else 1


def own_registry(folder: Path) -> dict[str, str]:
    """From now on MLflow keeps everything in the folder; gives the variables as they were given to us."""
    given_us = dict(os.environ)
    for name in [one for one in os.environ if one.startswith("MLFLOW_") and one.partition("_")[2] in THEIRS]:
        del os.environ[name]
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    return given_us


def copied(given: Path, folder: Path) -> None:
    """What came in, where it may be written beside."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in given.iterdir():
        if one.is_file():
            shutil.copyfile(one, folder / one.name)
    if (packed := folder / PACKED).is_file():
        with tarfile.open(packed) as tar:
            tar.extractall(folder, filter="data")
        packed.unlink()


def job_in(folder: Path) -> Job:
    """The job that lies in a folder, to be done there."""
    dumped = Job.from_dump((folder / "job.json").read_text(encoding="utf-8"))
    return replace(dumped, folder=folder, settings=dumped.settings.model_copy(update={"folder": folder}))


def ran(steps: Sequence[str], job: Job, say: Callable[[Said], None]) -> bool:
    """Whether all of them did what they should; what went wrong is said."""
    from core.work.worker import answer  # noqa: PLC0415 - loads what the registry's address must be set before

    for step in steps:
        say(OutputLine(f"{step} begins"))
        came = answer(replace(job, step=step), Report(say))
        say(came)
        if isinstance(came, Broken):
            return False
    return True


class Teller:
    """Says how far a step is once a second, and everything else at once."""

    def __init__(self) -> None:
        self._said_s = -EVERY_S

    def tell(self, said: Said) -> None:
        """Say it, unless it is only how far it is and that was said just now."""
        now_s = time.monotonic()
        if isinstance(said, Progress) and now_s - self._said_s < EVERY_S:
            return
        if isinstance(said, Progress):
            self._said_s = now_s
        tell(said)


def tell(said: Said) -> None:
    """A line on stdout."""
    sys.stdout.write((said.text if isinstance(said, OutputLine) else f"{MARK}{encode(said)}") + "\n")
    sys.stdout.flush()


def pack(folder: Path, out: Path) -> None:
    """All that the steps left as one file."""
    out.mkdir(parents=True, exist_ok=True)
    with tarfile.open(out / PACKED, "w:gz", compresslevel=1) as tar:
        for one in sorted(folder.iterdir()):
            if one.name not in LEFT_OUT:
                tar.add(one, one.name)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, json.JSONDecodeError, QuarterdeckError) as error:
        tell(Broken("Failed", f"{type(error).__name__}: {error}"))
        sys.exit(1)

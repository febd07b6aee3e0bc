"""Jobs that train elsewhere and that no release needs any more: cancelled when a watch begins."""

import logging
import os

from core.config.config import state_folder
from core.config.settings import Settings
from core.domain.errors import QuarterdeckError
from core.engine.engine import Engine
from core.engine.project import Project
from core.state.release import Release
from core.training.kept_jobs import KeptJobs
from core.work.child import WorkChild

log = logging.getLogger("quarterdeck")


async def cancel(project: Project, engine: Engine) -> None:
    """Each that is on disk and of no live release; what is refused stays there for the next watch."""
    try:
        for name, own in project.by_endpoint().items():
            await _cancel(name, own, engine.snapshot.live_release(name))
    except QuarterdeckError as error:
        log.warning("jobs that were left: %s", error)


async def _cancel(name: str, own: Settings, live: Release | None) -> None:
    every = KeptJobs(state_folder(own), name).every()
    if all(live is not None and one.release == live.id for one in every):
        return
    # Loads what speaks HTTP; few have such jobs.
    from core.training.elsewhere import TrainingElsewhere  # noqa: PLC0415

    training = TrainingElsewhere(own, name, os.environ, WorkChild(own))
    try:
        training.let_go(but="" if live is None else live.id)
        await training.let_gone()
    finally:
        # A watch that ends waits for nobody here: the next one asks again.
        await training.close(heard_s=0.0)

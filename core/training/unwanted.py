"""What is said of jobs that go on though nobody needs them; loads nothing that speaks to Azure."""

from collections.abc import Iterator

from core.config.config import state_folder
from core.config.settings import Settings
from core.training.kept_jobs import KeptJobs


def unwanted_lines(settings: Settings, endpoint: str) -> Iterator[str]:
    """A line for each job that is not known to be cancelled, with what can be typed."""
    place = getattr(settings, "azureml", None)
    where = f" --resource-group {place.resource_group} --workspace-name {place.workspace}" if place else ""
    for job in KeptJobs(state_folder(settings), endpoint).every():
        if job.unwanted:
            why = f": {job.why}" if job.why else ""
            yield (
                f"the job {job.name} of {job.release or endpoint} may train on for nobody and cost, its cancel was not "
                f"heard{why}; the next watch asks again, or type 'az ml job cancel --name {job.name}{where}'"
            )

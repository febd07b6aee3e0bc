"""`quarterdeck export azureml-pipeline`: a release up to its version as files for `az ml`; asks Azure nothing."""

import shlex
from collections.abc import Callable
from pathlib import Path

from core.engine.project import Project
from core.targets.azureml.workspace import AzureEndpoint, azure_endpoint
from core.training import pipeline, pipeline_folder
from core.training.pipeline_steps import PIPELINE


def azureml_pipeline(project: Project, folder: Path | None, say: Callable[[str], None]) -> int:
    """The pipeline of each endpoint that is meant, into a folder; raises QuarterdeckError."""
    members = project.together
    # All of them before the first is written.
    made = [
        (at := azure_endpoint(one.settings), pipeline.table_of(one.settings), pipeline.files_of(at, one.settings))
        for one in members
    ]
    for at, table, files in made:
        above = folder or project.settings.folder / "azureml-pipeline"
        into = folder if folder and len(members) == 1 else above / at.name
        count = pipeline_folder.write(into, files, table)
        say(f"wrote {into}: {len(PIPELINE)} steps for {at.called} in {at.place.where}, {count} files")
        say(f"next: {submitted_by(at, into)}")
    return 0


def submitted_by(at: AzureEndpoint, folder: Path) -> str:
    """What to type to run it."""
    place = at.place
    where = (
        f"--subscription {place.subscription} --resource-group {shlex.quote(place.resource_group)} "
        f"--workspace-name {place.workspace}"
    )
    return f"az ml job create --file {shlex.quote(str(folder / pipeline.PIPELINE_FILE))} {where}"

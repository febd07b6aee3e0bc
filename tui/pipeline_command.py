"""`quarterdeck export azureml-pipeline`: a release up to its version as files for `az ml`; asks Azure nothing."""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.config.config import find
from core.engine.project import Project
from core.targets.azureml.variables import NAMED, workspace_from
from core.targets.azureml.workspace import AzureEndpoint, azure_endpoint
from core.training import pipeline, pipeline_folder
from core.training.pipeline_steps import PIPELINE

UNNAMED = {
    "subscription": "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "resource_group": "RESOURCE_GROUP",
    "workspace": "WORKSPACE",
}
"""What stands for a workspace that nobody has named: the files are the same whichever it is."""


@contextmanager
def any_workspace(config: Path | None) -> Iterator[None]:
    """Settings that are read in here need name no workspace, neither quarterdeck.yaml nor a variable."""
    named = workspace_from(find(config).parent, os.environ)
    added = {NAMED[key]: text for key, text in UNNAMED.items() if key not in named}
    # The least of all places that say it, so that what quarterdeck.yaml names comes before it.
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


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
        where = "" if any(getattr(at.place, key) == text for key, text in UNNAMED.items()) else f" in {at.place.where}"
        say(f"wrote {into}: {len(PIPELINE)} steps for {at.called}{where}, {count} files")
        say(f"next: {submitted_by(at, into)}")
    return 0


def submitted_by(at: AzureEndpoint, folder: Path) -> str:
    """What to type to run it."""
    place = at.place
    subscription = "SUBSCRIPTION" if place.subscription == UNNAMED["subscription"] else place.subscription
    where = (
        f"--subscription {subscription} --resource-group {shlex.quote(place.resource_group)} "
        f"--workspace-name {place.workspace}"
    )
    return f"az ml job create --file {shlex.quote(str(folder / pipeline.PIPELINE_FILE))} {where}"

"""A training job as it is sent to a workspace: field by field what the official client sends for its YAML. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from core.targets.azureml.bodies import duration

JobJson: TypeAlias = dict[str, Any]
STORE = "azureml://datastores/workspaceblobstore/paths"
QUIET = {
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONUNBUFFERED": "1",
}


def command(entry: str, steps: Sequence[str]) -> str:
    """What the node runs; what is in its two folders Azure brings and takes away."""
    return f"python -m {entry} ${{{{inputs.rows}}}} ${{{{outputs.work}}}} {' '.join(steps)}"


def output_path(name: str) -> str:
    """Where in the workspace's own store a job leaves what it made."""
    return f"quarterdeck/jobs/{name}"


def command_job(
    name: str,
    *,
    words: str,
    label: str,
    experiment: str,
    ids: Mapping[str, str],
    rows: str,
    deadline_s: float,
    tags: Mapping[str, str],
) -> JobJson:
    """The body; `ids` are those of code, environment and compute, `rows` the path of the folder with the rows."""
    return {
        "properties": {
            "displayName": label,
            "command": words,
            "codeId": ids["code"],
            "computeId": ids["compute"],
            "properties": {},
            "experimentName": experiment,
            "isArchived": False,
            "inputs": {"rows": {"uri": f"{STORE}/{rows}", "mode": "Download", "jobInputType": "uri_folder"}},
            "outputs": {
                "work": {"uri": f"{STORE}/{output_path(name)}", "mode": "Upload", "jobOutputType": "uri_folder"}
            },
            "environmentId": ids["environment"],
            "tags": dict(tags),
            "environmentVariables": dict(QUIET),
            "limits": {"timeout": duration(deadline_s), "jobLimitsType": "Command"},
            "jobType": "Command",
        }
    }

"""Jobs as they are shown. Recorded: a job just put (job). Never recorded: the details of a run."""

from tests.azure.calls import Json
from tests.azure.operations import PROVIDER
from tests.azure.place import USER, AzurePlace

KNOWN = frozenset(
    [
        "jobType",
        "command",
        "computeId",
        "environmentId",
        "displayName",
        "experimentName",
        "environmentVariables",
        "inputs",
        "outputs",
        "isArchived",
        "tags",
        "properties",
        "codeId",
        "description",
        "resources",
        "limits",
        "distribution",
        "identity",
        "services",
        "componentId",
        "queueSettings",
        "notificationSetting",
        "parameters",
        "autologgerSettings",
        "jobs",
        "settings",
        "sourceJobId",
        "secretsConfiguration",
        "status",
    ]
)


def job_document(place: AzurePlace, path: str, name: str, asked: Json, state: str, created_at: str) -> Json:
    """A job of any kind."""
    host = place.base.removeprefix("https://")
    where = {
        "Tracking": f"azureml://{host}/mlflow/v1.0{place.workspace}?",
        "Studio": f"https://ml.azure.com/runs/{name}?wsid={place.scope}/workspaces/{place.name}",
    }
    rest = {"port": None, "status": None, "errorMessage": None, "properties": None, "nodes": None}
    store = f"azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.{name}"
    outputs = {
        "description": None,
        "uri": store,
        "assetName": None,
        "mode": "ReadWriteMount",
        "jobOutputType": "uri_folder",
    }
    resources = {"instanceCount": 1, "instanceType": None, "properties": None, "shmSize": "2g", "dockerArgs": None}
    cluster = (asked.get("computeId") or "").rsplit("/", 1)[-1]
    known = {"_azureml.ComputeTargetType": "amlctrain", "_azureml.ClusterName": cluster}
    shown = {key: one for key, one in asked.items() if key != "status"}
    return {
        "id": path,
        "name": name,
        "type": f"{PROVIDER}/workspaces/jobs",
        "properties": {
            "description": None,
            "parentJobName": None,
            "identity": None,
            "componentId": None,
            "notificationSetting": None,
            "codeId": None,
            "distribution": None,
            "limits": None,
            "parameters": {},
            "queueSettings": {"jobTier": "Null"},
            **shown,
            "tags": asked.get("tags") or {},
            "properties": {**(asked.get("properties") or {}), **known},
            "status": state,
            "resources": {**resources, **(asked.get("resources") or {})},
            "services": {kind: {"jobServiceType": kind, "endpoint": one, **rest} for kind, one in where.items()},
            "outputs": {"default": outputs, **(asked.get("outputs") or {})},
        },
        "systemData": {"createdAt": created_at, "createdBy": USER, "createdByType": "User"},
    }


def run_details(name: str, state: str, started_at: str, ended_at: str, error: str, logs: dict[str, str]) -> Json:
    """The history's details of a run; what a client of the history reads."""
    found: Json = {
        "runId": name,
        "target": "cpu-cluster",
        "status": state,
        "startTimeUtc": started_at or None,
        "endTimeUtc": ended_at or None,
        "services": {},
        "warnings": [],
        "properties": {},
        "inputDatasets": [],
        "outputDatasets": [],
        "runDefinition": {},
        "logFiles": logs,
        "submittedBy": USER,
    }
    if error:
        found["error"] = {"error": {"code": "UserError", "message": error}}
    return found

"""Datastores of the workspace. Recorded: GET, list, 404 and the secrets of one with a key and of one without (model,
datastore, deployment-2025). Never recorded: a secret that is a SAS."""

from dataclasses import dataclass, field
from typing import Literal

from tests.azure.blobs import ACCOUNT, DOMAIN, BlobStore
from tests.azure.calls import Json, RestAnswer, RestCall
from tests.azure.operations import PROVIDER
from tests.azure.place import BIRTH, NOBODY, AzurePlace
from tests.azure.refusals import user_error
from tests.azure.stamps import made_by_user

Credentials = Literal["AccountKey", "Sas", "None"]
BLOB_STORE, ARTIFACTS = "workspaceblobstore", "workspaceartifactstore"


@dataclass(slots=True)
class Datastores:
    """The two that matter, in one account; `credentials` is what both have."""

    place: AzurePlace
    blobs: BlobStore
    credentials: Credentials = "AccountKey"
    containers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.containers = {BLOB_STORE: f"azureml-blobstore-{self.place.workspace_id}", ARTIFACTS: "azureml"}
        for one in self.containers.values():
            (self.blobs.folder / one).mkdir(parents=True, exist_ok=True)

    def answer(self, call: RestCall) -> RestAnswer:
        """GET of one or all, and listSecrets."""
        match call.method, call.parts[1:]:
            case "GET", []:
                return RestAnswer(200, {"value": [self._document(one) for one in self.containers]})
            case "GET", [name]:
                return RestAnswer(200, self._document(self._known(name)))
            case "POST", [name, action] if action.lower() == "listsecrets":
                return RestAnswer(200, self._secrets(self._known(name)))
        raise user_error(405, f"{call.method} is not supported for this resource.")

    def _known(self, name: str) -> str:
        if name not in self.containers:
            said = f"Could not find datastore: {name}"
            raise user_error(404, said, inner=("NotFoundError",))
        return name

    def _secrets(self, name: str) -> Json:
        if self.credentials == "None":
            raise user_error(400, "No secrets for credentials of type None.")
        if self.credentials == "Sas":
            return {"secretsType": "Sas", "sasToken": self.blobs.sas()}
        return {"secretsType": "AccountKey", "key": self.blobs.key}

    def _document(self, name: str) -> Json:
        return {
            "id": self.place.path("datastores", name),
            "name": name,
            "type": f"{PROVIDER}/workspaces/datastores",
            "properties": {
                "description": None,
                "tags": None,
                "properties": None,
                "isDefault": name == BLOB_STORE,
                "credentials": {"credentialsType": self.credentials},
                "datastoreType": "AzureBlob",
                "accountName": f"{self.place.base.removeprefix('https://')}/{ACCOUNT}",
                "containerName": self.containers[name],
                "endpoint": DOMAIN,
                "protocol": "https",
                "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity",
                "subscriptionId": self.place.subscription,
                "resourceGroup": self.place.group,
            },
            "systemData": made_by_user(NOBODY, BIRTH),
        }

"""The one workspace that there is: its names, its document, and who is known to it.

Recorded: the workspace (endpoint-2026). Never recorded: its creation, and the answers for another subscription or
group.
"""

import base64
import json
import secrets
import time
from dataclasses import dataclass, field

from tests.azure.calls import Json
from tests.azure.operations import PROVIDER
from tests.azure.refusals import LOCATION, RestRefusal, forbidden, not_here, unauthorized
from tests.azure.stamps import made_by_user

AUDIENCE = "https://management.azure.com"
"""Whom its tokens are for; a client that submits a pipeline looks."""
NOBODY = "00000000-0000-0000-0000-000000000000"
USER = "Test User"
BIRTH = "2026-03-03T16:24:54.5499685Z"


@dataclass(slots=True)
class AzurePlace:
    """Names as a client has them. `base` is where the resource manager answers."""

    subscription: str = NOBODY
    group: str = "rg"
    name: str = "ws"
    tenant: str = NOBODY
    workspace_id: str = "23329d4e-9b5f-403d-a218-c4e4f8323f5a"
    base: str = ""

    @property
    def scope(self) -> str:
        """The group's path."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"

    @property
    def workspace(self) -> str:
        """The workspace's path."""
        return f"{self.scope}/providers/{PROVIDER}/workspaces/{self.name}"

    def path(self, *parts: str) -> str:
        """Of something in the workspace."""
        return "/".join([self.workspace, *parts])

    def parts(self, path: str) -> list[str]:
        """What of a path is below the workspace; refused where it leads elsewhere."""
        found = [one for one in path.split("/") if one]
        wanted = [one for one in self.workspace.split("/") if one]
        lower = [one.lower() for one in found]
        if lower[1] != wanted[1].lower():
            said = f"The subscription '{found[1]}' could not be found."
            raise RestRefusal(404, "SubscriptionNotFound", said)
        if len(found) > 3 and lower[3] != wanted[3].lower():
            raise RestRefusal(404, "ResourceGroupNotFound", f"Resource group '{found[3]}' could not be found.")
        if len(found) < len(wanted) or lower[5] != wanted[5].lower():
            raise not_here(path)
        if lower[7] != wanted[7].lower():
            if len(found) == len(wanted):
                raise not_here(path)
            said = "Workspace not found."
            raise RestRefusal(404, "UserError", said, service=True, inner=("NotFound", "WorkspaceNotFound"))
        return found[len(wanted) :]

    def document(self) -> Json:
        """The workspace itself."""
        near = f"{self.scope}/providers"
        return {
            "id": self.workspace,
            "name": self.name,
            "type": f"{PROVIDER}/workspaces",
            "location": LOCATION,
            "tags": {},
            "etag": None,
            "properties": {
                "friendlyName": self.name,
                "description": "",
                "storageAccount": f"{near}/Microsoft.Storage/storageAccounts/storageaccount1",
                "keyVault": f"{near}/Microsoft.Keyvault/vaults/keyvault1",
                "applicationInsights": f"{near}/Microsoft.insights/components/insights1",
                "containerRegistry": f"{near}/Microsoft.ContainerRegistry/registries/registry1",
                "hbiWorkspace": False,
                "tenantId": self.tenant,
                "imageBuildCompute": None,
                "provisioningState": "Succeeded",
                "v1LegacyMode": False,
                "softDeleteEnabled": False,
                "workspaceId": self.workspace_id,
                "publicNetworkAccess": "Enabled",
                "discoveryUrl": f"{self.base}/discovery",
                "mlFlowTrackingUri": f"azureml://{self.base.removeprefix('https://')}/mlflow/v1.0{self.workspace}",
                "managedNetwork": {"isolationMode": "Disabled"},
                "allowRoleAssignmentOnRG": True,
                "creationTime": BIRTH,
                "systemDatastoresAuthMode": "accesskey",
            },
            "identity": {"type": "SystemAssigned", "principalId": NOBODY, "tenantId": self.tenant},
            "sku": {"name": "Basic", "tier": "Basic"},
            "systemData": made_by_user("user@example.com", BIRTH),
            "kind": "Default",
        }


@dataclass(slots=True)
class AzureUser:
    """Somebody with a token. `lacks` are the ends of actions that the roles do not give: `onlineEndpoints/write`."""

    name: str
    lacks: tuple[str, ...] = ()
    ended: bool = False


@dataclass(slots=True)
class AzureLogins:
    """Tokens and who has them; a token says its claims as a real one does, and is signed by chance."""

    tenant: str
    users: dict[str, AzureUser] = field(default_factory=dict)

    def login(self, name: str = "user@example.com", *lacks: str, seconds: float = 3600.0) -> str:
        """A new token of a user."""
        now = int(time.time())
        claims = {"aud": AUDIENCE, "tid": self.tenant, "oid": NOBODY, "upn": name, "name": USER}
        said = {**claims, "iat": now, "exp": now + int(seconds)}
        head = {"typ": "JWT", "alg": "none"}
        parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in (head, said)]
        token = ".".join([*parts, secrets.token_urlsafe(32)])
        self.users[token] = AzureUser(name, lacks)
        return token

    def end(self, token: str) -> None:
        """It is good for nothing any more."""
        self.users[token].ended = True

    def takes(self, token: str) -> bool:
        """Whether it is somebody's, and good."""
        found = self.users.get(token)
        return found is not None and not found.ended

    def who(self, header: str) -> AzureUser:
        """Whose token it is, or 401."""
        found = self.users.get(header.removeprefix("Bearer "))
        if found is None:
            raise unauthorized()
        if found.ended:
            raise unauthorized("The access token has expired.")
        return found


def check(user: AzureUser, method: str, path: str) -> None:
    """403 where the user's roles lack the action that a call is."""
    parts = [one for one in path.split("/providers/", 1)[-1].split("/") if one]
    kinds, verb = [parts[0], *parts[1::2]], {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(method, "write")
    if method == "POST":
        verb = f"{kinds.pop()}/action" if len(parts) % 2 == 0 else "action"
    action = "/".join([*kinds, verb])
    if any(action.lower().endswith(one.lower()) for one in user.lacks):
        raise forbidden(user.name, action, path)

"""Online endpoints and their deployments as they are held here, and as they are shown.

Recorded: both documents, ready and not (endpoint-2026, deployment-2025, traffic). Never recorded: mirrored traffic, a
deployment that failed.
"""

import time
from dataclasses import dataclass, field

from tests.azure.calls import Json
from tests.azure.containers import ServingContainer
from tests.azure.keys import EndpointKeys
from tests.azure.operations import PROVIDER
from tests.azure.place import NOBODY, USER
from tests.azure.refusals import LOCATION
from tests.azure.stamps import made, stamp

PROBE: Json = {
    "failureThreshold": 30,
    "successThreshold": 1,
    "timeout": "PT2S",
    "period": "PT10S",
    "initialDelay": "PT10S",
}
REQUESTS: Json = {"maxQueueWait": "PT0S", "requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1}
NOT_KEPT = frozenset({"createdBy", "createdAt", "lastModifiedAt", "AzureAsyncOperationUri", "azureml.onlineendpointid"})


@dataclass(slots=True)
class OnlineDeployment:
    """One deployment. `asked` is the newest body that was put; `containers` serve, whatever is asked by now."""

    path: str
    name: str
    asked: Json
    state: str = "Creating"
    created_at: str = field(default_factory=stamp)
    modified_at: str = field(default_factory=stamp)
    operation_uri: str = ""
    made_at_s: float = field(default_factory=time.monotonic)
    containers: list[ServingContainer] = field(default_factory=list)
    last: ServingContainer | None = None
    in_flight: int = 0

    @property
    def properties(self) -> Json:
        """What was asked of it."""
        found: Json = self.asked["properties"]
        return found

    @property
    def capacity(self) -> int:
        """How many instances."""
        return int((self.asked.get("sku") or {}).get("capacity") or 1)

    def settings(self, what: str, usual: Json) -> Json:
        """A group of settings, with the usual ones where none were asked."""
        return {**usual, **{key: one for key, one in (self.properties.get(what) or {}).items() if one is not None}}

    def document(self) -> Json:
        """As it is shown."""
        asked = self.properties
        kept = {key: one for key, one in (asked.get("properties") or {}).items() if key not in NOT_KEPT}
        return {
            "id": self.path,
            "name": self.name,
            "type": f"{PROVIDER}/workspaces/onlineEndpoints/deployments",
            "properties": {
                "description": asked.get("description"),
                "properties": {**kept, "AzureAsyncOperationUri": self.operation_uri},
                "codeConfiguration": asked.get("codeConfiguration"),
                "environmentId": asked.get("environmentId"),
                "environmentVariables": asked.get("environmentVariables") or {},
                "scaleSettings": asked.get("scaleSettings") or {"scaleType": "Default"},
                "requestSettings": self.settings("requestSettings", REQUESTS),
                "modelMountPath": asked.get("modelMountPath"),
                "appInsightsEnabled": bool(asked.get("appInsightsEnabled")),
                "livenessProbe": self.settings("livenessProbe", PROBE),
                "readinessProbe": self.settings("readinessProbe", PROBE),
                "provisioningState": self.state,
                "instanceType": asked.get("instanceType"),
                "model": asked.get("model"),
                "egressPublicNetworkAccess": asked.get("egressPublicNetworkAccess") or "Enabled",
                "dataCollector": asked.get("dataCollector"),
                "endpointComputeType": asked.get("endpointComputeType") or "Managed",
            },
            "systemData": {**made(USER, self.created_at), "lastModifiedAt": self.modified_at},
            "tags": self.asked.get("tags") or {},
            "location": self.asked.get("location") or LOCATION,
            "kind": "Managed",
            "sku": {"name": "Default", "tier": "Standard", "capacity": self.capacity},
        }


@dataclass(slots=True)
class OnlineEndpoint:
    """One endpoint. `traffic` is what requests follow, `shown` what is told of it."""

    path: str
    name: str
    asked: Json
    state: str = "Creating"
    created_at: str = field(default_factory=stamp)
    modified_at: str = field(default_factory=stamp)
    operation_uri: str = ""
    url: str = ""
    traffic: dict[str, int] = field(default_factory=dict)
    mirror: dict[str, int] = field(default_factory=dict)
    shown: tuple[dict[str, int], dict[str, int]] = field(default_factory=lambda: ({}, {}))
    keys: EndpointKeys = field(default_factory=EndpointKeys)
    deployments: dict[str, OnlineDeployment] = field(default_factory=dict)
    landed_at_s: float = 0.0

    @property
    def mode(self) -> str:
        """How callers show who they are."""
        return str(self.asked["properties"].get("authMode") or "Key")

    def document(self) -> Json:
        """As it is shown."""
        asked = self.asked["properties"]
        kept = {key: one for key, one in (asked.get("properties") or {}).items() if key not in NOT_KEPT}
        about = {"azureml.onlineendpointid": self.path.lower(), "AzureAsyncOperationUri": self.operation_uri}
        return {
            "id": self.path,
            "name": self.name,
            "type": f"{PROVIDER}/workspaces/onlineEndpoints",
            "properties": {
                "description": asked.get("description"),
                "properties": {**kept, **about},
                "scoringUri": f"{self.url}/score" if self.url else None,
                "swaggerUri": f"{self.url}/swagger.json" if self.url else None,
                "authMode": self.mode,
                "provisioningState": self.state,
                "compute": None,
                "traffic": self.shown[0],
                "mirrorTraffic": self.shown[1],
                "publicNetworkAccess": asked.get("publicNetworkAccess") or "Enabled",
            },
            "systemData": {**made(USER, self.created_at), "lastModifiedAt": self.modified_at},
            "tags": self.asked.get("tags") or {},
            "location": self.asked.get("location") or LOCATION,
            "kind": "Managed",
            "identity": {
                "type": (self.asked.get("identity") or {}).get("type", "SystemAssigned"),
                "principalId": NOBODY,
                "tenantId": NOBODY,
            },
        }

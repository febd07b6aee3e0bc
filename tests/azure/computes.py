"""Compute clusters. Never recorded: all of it; documents have the fields that the client reads, operations are the
service's own."""

from dataclasses import dataclass, field

from tests.azure.calls import NULL, Json, RestAnswer, RestCall
from tests.azure.delays import AzureDelays
from tests.azure.operations import Operations
from tests.azure.place import BIRTH, USER, AzurePlace
from tests.azure.quota import VmQuota
from tests.azure.refusals import LOCATION, RestRefusal, user_error
from tests.azure.stamps import made_by_user, stamp

USUAL = "cpu-cluster"


@dataclass(slots=True)
class ComputeCluster:
    """One cluster; `busy` is how many nodes have a job."""

    path: str
    name: str
    asked: Json
    state: str = "Creating"
    created_at: str = field(default_factory=stamp)
    busy: int = 0

    def document(self) -> Json:
        """As it is shown."""
        asked = self.asked["properties"]
        own = asked.get("properties") or {}
        scale = own.get("scaleSettings") or {"maxNodeCount": 1, "minNodeCount": 0}
        nodes = max(self.busy, int(scale.get("minNodeCount", 0)))
        counts = {"idleNodeCount": nodes - self.busy, "runningNodeCount": self.busy, "preparingNodeCount": 0}
        more = {"unusableNodeCount": 0, "leavingNodeCount": 0, "preemptedNodeCount": 0}
        return {
            "id": self.path,
            "name": self.name,
            "type": "Microsoft.MachineLearningServices/workspaces/computes",
            "location": self.asked.get("location") or LOCATION,
            "tags": self.asked.get("tags") or {},
            "identity": self.asked.get("identity"),
            "properties": {
                "computeType": asked["computeType"],
                "computeLocation": LOCATION,
                "description": asked.get("description"),
                "provisioningState": self.state,
                "provisioningErrors": None,
                "createdOn": self.created_at,
                "modifiedOn": self.created_at,
                "isAttachedCompute": False,
                "disableLocalAuth": False,
                "properties": {
                    "osType": "Linux",
                    "vmPriority": "Dedicated",
                    "remoteLoginPortPublicAccess": "NotSpecified",
                    **own,
                    "scaleSettings": {"nodeIdleTimeBeforeScaleDown": "PT2M", **scale},
                    "allocationState": "Steady",
                    "allocationStateTransitionTime": self.created_at,
                    "errors": None,
                    "currentNodeCount": nodes,
                    "targetNodeCount": nodes,
                    "nodeStateCounts": {**counts, **more},
                },
            },
            "systemData": made_by_user(USER, self.created_at),
        }


@dataclass(slots=True)
class ComputeClusters:
    """All of the workspace's; `cpu-cluster` is there from the start."""

    place: AzurePlace
    operations: Operations
    delays: AzureDelays
    quota: VmQuota
    held: dict[str, ComputeCluster] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scale = {"minNodeCount": 0, "maxNodeCount": 4}
        asked = {"computeType": "AmlCompute", "properties": {"vmSize": "Standard_D4s_v3", "scaleSettings": scale}}
        usual = ComputeCluster(self.place.path("computes", USUAL), USUAL, {"properties": asked}, "Succeeded", BIRTH)
        self.held[USUAL] = usual

    def answer(self, call: RestCall) -> RestAnswer:
        """What is asked below `computes`."""
        match call.method, call.parts[1:]:
            case "GET", []:
                return RestAnswer(200, {"value": [one.document() for one in self.held.values()]})
            case "GET", [name]:
                return RestAnswer(200, self.known(name).document())
            case "PUT" | "PATCH", [name]:
                return self._put(name, call)
            case "DELETE", [name]:
                return self._delete(name, call)
        raise user_error(405, f"{call.method} is not supported for this resource.")

    def known(self, name: str) -> ComputeCluster:
        """The cluster of this name, or 404."""
        found = self.held.get(name.lower())
        if found is None:
            said = f"The specified resource {name} was not found."
            raise RestRefusal(404, "ResourceNotFound", said, service=True)
        return found

    def _put(self, name: str, call: RestCall) -> RestAnswer:
        asked = call.body
        size = str(((asked["properties"].get("properties") or {}).get("vmSize")) or "")
        if size.lower() in self.quota.not_here:
            said = f"The specified VM size {size} is not supported in region {LOCATION}."
            raise RestRefusal(400, "BadArgument", said, service=True)
        cluster = self.held.get(name.lower())
        new = cluster is None
        if cluster is None:
            cluster = ComputeCluster(self.place.path("computes", name), name, asked)
            self.held[name.lower()] = cluster
        else:
            cluster.asked, cluster.state = asked, "Updating"
        operation = self.operations.begin("comp", self._ready(cluster))
        headers = self.operations.headers(operation, call.version, cluster.path)
        return RestAnswer(201 if new else 200, cluster.document(), headers)

    async def _ready(self, cluster: ComputeCluster) -> str | None:
        await self.delays.spent("compute_s")
        cluster.state = "Succeeded"
        return None

    def _delete(self, name: str, call: RestCall) -> RestAnswer:
        cluster = self.held.get(name.lower())
        if cluster is None:
            return RestAnswer(204)
        cluster.state = "Deleting"
        operation = self.operations.begin("comp", self._gone(cluster))
        return RestAnswer(202, NULL, self.operations.headers(operation, call.version))

    async def _gone(self, cluster: ComputeCluster) -> str | None:
        await self.delays.spent("compute_s")
        self.held.pop(cluster.name.lower(), None)
        return None

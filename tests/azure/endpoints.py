"""Online endpoints: made, changed (traffic is a change), asked, deleted.

Recorded: PUT, GET, list, DELETE, token, traffic to a deployment that is not there (dropped from a new endpoint).
Never recorded: mirrored traffic and its bounds, shares that do not add up, a second change while one goes on,
listKeys, regenerateKeys, a name that somebody else has or that was deleted a moment ago, traffic to a deployment that
is not ready (here taken: its requests are 503).
"""

import time
from dataclasses import dataclass, field

from tests.azure.calls import NULL, Json, RestAnswer, RestCall
from tests.azure.delays import AzureDelays
from tests.azure.deployments import Deployments
from tests.azure.operations import MfeOperation, Operations
from tests.azure.place import AzurePlace
from tests.azure.refusals import RestRefusal, busy, invalid, user_error
from tests.azure.scoring_hosts import ScoringHosts
from tests.azure.serving import OnlineEndpoint
from tests.azure.stamps import stamp

MOST_MIRRORED = 50
TAKEN = (
    '{"errors":{"":["There is already an endpoint with this name, Endpoint name needs to be unique within a region."]}}'
)


@dataclass(slots=True)
class OnlineEndpoints:
    """All of the workspace's. `taken` are names that others have, `just_gone` those that are 404 on PUT."""

    place: AzurePlace
    operations: Operations
    delays: AzureDelays
    deployments: Deployments
    hosts: ScoringHosts
    held: dict[str, OnlineEndpoint] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    just_gone: set[str] = field(default_factory=set)

    def answer(self, call: RestCall) -> RestAnswer:
        """What is asked below `onlineEndpoints`."""
        match call.method, call.parts[1:]:
            case "GET", []:
                return RestAnswer(200, {"value": [one.document() for one in self.held.values()]})
            case "GET", [name]:
                return RestAnswer(200, self.known(name).document())
            case "PUT", [name]:
                return self._put(name, call)
            case "DELETE", [name]:
                return self._delete(name, call)
            case "POST", [name, action]:
                return self._act(self.known(name), action.lower(), call)
            case _, [name, kind, *_] if kind.lower() == "deployments":
                if call.method == "DELETE" and name.lower() not in self.held:
                    return RestAnswer(204)
                return self.deployments.answer(self.known(name), call)
        raise user_error(405, f"{call.method} is not supported for this resource.")

    def known(self, name: str) -> OnlineEndpoint:
        """The endpoint of this name, or 404."""
        found = self.held.get(name.lower())
        if found is None:
            said = f"Endpoint {name} not found in workspace {self.place.name}"
            parameters = {"endpointName": name, "workspaceName": self.place.name}
            raise RestRefusal(404, "UserError", said, service=True, inner=("NotFound",), parameters=parameters)
        return found

    def _put(self, name: str, call: RestCall) -> RestAnswer:
        asked = call.body
        endpoint = self.held.get(name.lower())
        if endpoint is None:
            return self._create(name, asked, call)
        if endpoint.state not in {"Succeeded", "Failed", "Canceled"}:
            raise busy(f"Cannot update endpoint {name}", endpoint.state)
        traffic, mirror = _wanted(asked, endpoint, strict=True)
        endpoint.asked = asked
        endpoint.state, endpoint.modified_at = "Updating", stamp()
        operation = self.operations.begin("oeidp", self._changed(endpoint, traffic, mirror))
        return self._began(endpoint, operation, call)

    def _create(self, name: str, asked: Json, call: RestCall) -> RestAnswer:
        if name.lower() in self.taken:
            raise invalid("InferencingClientCallFailed", TAKEN)
        if name.lower() in self.just_gone:
            said = '{"title":"Not Found"}'
            raise RestRefusal(
                404, "NotFound", said, service=True, details=(("InferencingClientCallFailed", f"{{{said}}}"),)
            )
        endpoint = OnlineEndpoint(self.place.path("onlineEndpoints", name), name, asked)
        traffic, mirror = _wanted(asked, endpoint, strict=False)
        self.held[name.lower()] = endpoint
        operation = self.operations.begin("oeidp", self._made(endpoint, traffic, mirror))
        return self._began(endpoint, operation, call)

    def _began(self, endpoint: OnlineEndpoint, operation: MfeOperation, call: RestCall) -> RestAnswer:
        endpoint.operation_uri = self.operations.unsigned(operation, call.version)
        headers = self.operations.headers(operation, call.version, endpoint.path)
        return RestAnswer(201, endpoint.document(), headers)

    async def _made(self, endpoint: OnlineEndpoint, traffic: dict[str, int], mirror: dict[str, int]) -> str | None:
        await self.delays.spent("endpoint_s")
        endpoint.url = await self.hosts.open(endpoint)
        self._land(endpoint, traffic, mirror)
        return None

    async def _changed(self, endpoint: OnlineEndpoint, traffic: dict[str, int], mirror: dict[str, int]) -> str | None:
        await self.delays.spent("traffic_s")
        self._land(endpoint, traffic, mirror)
        return None

    def _land(self, endpoint: OnlineEndpoint, traffic: dict[str, int], mirror: dict[str, int]) -> None:
        # A deployment may have gone in the meantime.
        endpoint.traffic = {one: share for one, share in traffic.items() if one in endpoint.deployments}
        endpoint.mirror = {one: share for one, share in mirror.items() if one in endpoint.deployments}
        endpoint.state, endpoint.modified_at = "Succeeded", stamp()
        endpoint.landed_at_s = time.monotonic()
        shown = (endpoint.traffic, endpoint.mirror)
        if self.delays.shown_s > 0:
            self.deployments.instances.begin(self._shown_late(endpoint, shown))
        else:
            endpoint.shown = shown

    async def _shown_late(self, endpoint: OnlineEndpoint, shown: tuple[dict[str, int], dict[str, int]]) -> None:
        await self.delays.spent("shown_s")
        endpoint.shown = shown

    def _delete(self, name: str, call: RestCall) -> RestAnswer:
        endpoint = self.held.get(name.lower())
        if endpoint is None:
            return RestAnswer(204)
        endpoint.state = "Deleting"
        operation = self.operations.begin("oeidp", self._gone(endpoint))
        return RestAnswer(202, NULL, self.operations.headers(operation, call.version))

    async def _gone(self, endpoint: OnlineEndpoint) -> str | None:
        await self.delays.spent("delete_s")
        gone, endpoint.deployments = endpoint.deployments, {}
        for one in gone.values():
            await self.deployments.end(endpoint, one)
        await self.hosts.close(endpoint)
        self.held.pop(endpoint.name.lower(), None)
        return None

    def _act(self, endpoint: OnlineEndpoint, action: str, call: RestCall) -> RestAnswer:
        if action == "listkeys":
            return RestAnswer(200, endpoint.keys.document())
        if action == "token":
            return RestAnswer(200, endpoint.keys.token())
        if action == "regeneratekeys":
            operation = self.operations.begin("oeidp", self._renewed(endpoint, call.body.get("keyType", "Primary")))
            return RestAnswer(202, None, self.operations.headers(operation, call.version))
        raise user_error(405, f"{action} is not supported for this resource.")

    async def _renewed(self, endpoint: OnlineEndpoint, kind: str) -> str | None:
        await self.delays.spent("traffic_s")
        endpoint.keys.renew(kind)
        return None


def _wanted(asked: Json, endpoint: OnlineEndpoint, *, strict: bool) -> tuple[dict[str, int], dict[str, int]]:
    """Traffic and mirrored traffic of a body; a new endpoint drops what names no deployment, another one refuses."""
    found = []
    for field_name in ("traffic", "mirrorTraffic"):
        shares = {one: int(share) for one, share in (asked["properties"].get(field_name) or {}).items()}
        unknown = [one for one in shares if one not in endpoint.deployments]
        if unknown and strict:
            raise user_error(400, f"Deployment {unknown[0]} not found in endpoint {endpoint.name}.")
        found.append({one: share for one, share in shares.items() if one not in unknown})
    traffic, mirror = found
    if sum(traffic.values()) not in {0, 100}:
        raise user_error(400, f"The sum of traffic must be 0 or 100, and is {sum(traffic.values())}.")
    if len(mirror) > 1 or sum(mirror.values()) > MOST_MIRRORED:
        raise user_error(400, f"Mirror traffic goes to one deployment, at most {MOST_MIRRORED} percent.")
    return traffic, mirror

"""Deployments under an endpoint: made, changed, asked for their log, deleted.

Recorded: PUT, GET, list, the deletion, 404. Reported: no quota (400 at once), a crash, an endpoint that is not ready,
404 a moment after the creation. Never recorded: a change of instances, getLogs, the deletion of one that has traffic,
a failed change (here the old instances go on serving).
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from tests.azure.calls import NULL, Json, RestAnswer, RestCall
from tests.azure.containers import ServingContainer
from tests.azure.delays import AzureDelays
from tests.azure.faults import BUILD_LOG, CRASHED, ProvisioningFailure, ProvisioningFailures
from tests.azure.instances import Instances
from tests.azure.operations import Operations
from tests.azure.place import AzurePlace
from tests.azure.quota import VmQuota
from tests.azure.refusals import RestRefusal, busy, user_error
from tests.azure.serving import OnlineDeployment, OnlineEndpoint
from tests.azure.stamps import stamp

LOGS = {"inferenceserver", "storageinitializer"}
GOES_ON = {"Creating", "Updating", "Scaling", "Deleting"}


@dataclass(slots=True)
class Deployments:
    """What makes and changes them."""

    place: AzurePlace
    operations: Operations
    delays: AzureDelays
    failures: ProvisioningFailures
    quota: VmQuota
    instances: Instances

    def answer(self, endpoint: OnlineEndpoint, call: RestCall) -> RestAnswer:
        """What is asked below `onlineEndpoints/NAME/deployments`."""
        match call.method, call.parts[3:]:
            case "GET", []:
                return RestAnswer(
                    200, {"value": [one.document() for one in endpoint.deployments.values() if not self._hidden(one)]}
                )
            case "GET", [name]:
                return RestAnswer(200, self._known(endpoint, name).document())
            case "PUT", [name]:
                return self._put(endpoint, name, call)
            case "DELETE", [name]:
                return self._delete(endpoint, name, call)
            case "POST", [name, action] if action.lower() == "getlogs":
                return self._logs(self._known(endpoint, name), call.body)
        raise user_error(405, f"{call.method} is not supported for this resource.")

    def _hidden(self, deployment: OnlineDeployment) -> bool:
        return time.monotonic() < deployment.made_at_s + self.delays.hidden_s

    def _known(self, endpoint: OnlineEndpoint, name: str) -> OnlineDeployment:
        found = endpoint.deployments.get(name)
        if found is None or self._hidden(found):
            said = f"Deployment {name} not found in endpoint {endpoint.name}, workspace {self.place.name}"
            about = {"deploymentName": name, "endpointName": endpoint.name, "workspaceName": self.place.name}
            raise RestRefusal(404, "UserError", said, service=True, inner=("NotFound",), parameters=about)
        return found

    def _put(self, endpoint: OnlineEndpoint, name: str, call: RestCall) -> RestAnswer:
        asked = call.body
        if endpoint.state != "Succeeded" or time.monotonic() < endpoint.landed_at_s + self.delays.settling_s:
            state = endpoint.state if endpoint.state != "Succeeded" else "Updating"
            raise busy(f"Cannot create a deployment in endpoint {endpoint.name}", state)
        deployment = endpoint.deployments.get(name)
        if deployment is not None and deployment.state in GOES_ON:
            raise busy(f"Cannot update deployment {name}", deployment.state)
        kind, wanted = str(asked["properties"].get("instanceType")), int((asked.get("sku") or {}).get("capacity") or 1)
        self.quota.check(f"{endpoint.name}/{name}", kind, wanted)
        if deployment is None:
            path = self.place.path("onlineEndpoints", endpoint.name, "deployments", name)
            deployment = OnlineDeployment(path, name, asked)
            endpoint.deployments[name] = deployment
        else:
            deployment.asked, deployment.state, deployment.modified_at = asked, "Updating", stamp()
        self.quota.hold(f"{endpoint.name}/{name}", kind, wanted)
        operation = self.operations.begin("odidp", self._provisioned(endpoint, deployment))
        deployment.operation_uri = self.operations.unsigned(operation, call.version)
        return RestAnswer(201, deployment.document(), self.operations.headers(operation, call.version, deployment.path))

    def scale(self, endpoint: OnlineEndpoint, name: str, count: int) -> None:
        """So many instances of what a deployment holds, as an autoscaler asks for them."""
        deployment = endpoint.deployments.get(name)
        if deployment is None or deployment.state in GOES_ON or deployment.capacity == count:
            return
        deployment.asked = {**deployment.asked, "sku": {**(deployment.asked.get("sku") or {}), "capacity": count}}
        deployment.state = "Scaling"
        self.operations.begin("odidp", self._provisioned(endpoint, deployment))

    async def _provisioned(self, endpoint: OnlineEndpoint, deployment: OnlineDeployment) -> str | None:
        kind = str(deployment.properties.get("instanceType"))
        failure = self.failures.of(endpoint.name, deployment.name, kind)
        await self.delays.spent("deployment_s", failure.after_s if failure else 0.0)
        failure = failure or await self._started(endpoint, deployment)
        if endpoint.deployments.get(deployment.name) is not deployment:
            return "OperationCanceled: The operation was canceled by a later one."
        deployment.modified_at = stamp()
        deployment.state = "Failed" if failure else "Succeeded"
        if failure is None:
            return None
        if failure.build_log:
            container, _, name = BUILD_LOG.partition("/")
            self.instances.codes.blobs.write(container, name, failure.build_log.encode())
        if failure.log:
            crashed = ServingContainer(self.instances.pretended(), deployment.name)
            crashed.lines.extend(failure.log)
            deployment.last = crashed
        return failure.message

    async def _started(self, endpoint: OnlineEndpoint, deployment: OnlineDeployment) -> ProvisioningFailure | None:
        """New instances in place of those that serve, once all of them are ready."""
        plan = self.instances.plan(deployment)
        held = deployment.containers
        same = held and held[0].plan == plan
        kept = held[: deployment.capacity] if same else []
        numbers = range(len(kept), deployment.capacity)
        fresh = [ServingContainer(plan, f"{deployment.name}-{number}") for number in numbers]
        try:
            ready = await asyncio.gather(*(one.start() for one in fresh))
        except BaseException:
            await asyncio.gather(*(one.stop() for one in fresh))
            raise
        deployment.last = fresh[-1] if fresh else deployment.last
        if not all(ready) or endpoint.deployments.get(deployment.name) is not deployment:
            await asyncio.gather(*(one.stop() for one in fresh))
            return CRASHED_ITSELF
        deployment.containers = [*kept, *fresh]
        self.instances.begin(self._drained([one for one in held if one not in kept]))
        return None

    async def _drained(self, old: list[ServingContainer]) -> None:
        await asyncio.gather(*(one.idle.wait() for one in old))
        await asyncio.gather(*(one.stop() for one in old))

    def _delete(self, endpoint: OnlineEndpoint, name: str, call: RestCall) -> RestAnswer:
        deployment = endpoint.deployments.get(name)
        if deployment is None:
            return RestAnswer(204)
        if endpoint.traffic.get(name):
            said = f"Deployment {name} in endpoint {endpoint.name} has live traffic and cannot be deleted."
            raise user_error(400, said)
        deployment.state = "Deleting"
        operation = self.operations.begin("odidp", self._gone(endpoint, deployment))
        return RestAnswer(202, NULL, self.operations.headers(operation, call.version))

    async def _gone(self, endpoint: OnlineEndpoint, deployment: OnlineDeployment) -> str | None:
        await self.delays.spent("delete_s")
        if endpoint.deployments.get(deployment.name) is not deployment:
            return None
        del endpoint.deployments[deployment.name]
        for traffic in (endpoint.traffic, endpoint.mirror, *endpoint.shown):
            traffic.pop(deployment.name, None)
        await self.end(endpoint, deployment)
        return None

    async def end(self, endpoint: OnlineEndpoint, deployment: OnlineDeployment) -> None:
        """Stop its instances, and hold no core for it."""
        self.quota.free(f"{endpoint.name}/{deployment.name}")
        await asyncio.gather(*(one.stop() for one in deployment.containers))

    def _logs(self, deployment: OnlineDeployment, body: Json) -> RestAnswer:
        which = str(body.get("containerType") or "InferenceServer")
        if which.lower() not in LOGS:
            raise user_error(400, f"Unknown container type {which}.", ("RequestInvalid", f"containerType {which}"))
        lines = ["Downloading the model", "Downloaded the model"] if which.lower() == "storageinitializer" else []
        if not lines:
            log = deployment.last or next(iter(deployment.containers), None)
            lines = [*log.lines] if log else []
        tail: Any = body.get("tail")
        return RestAnswer(200, {"content": "\n".join(lines[-int(tail) :] if tail else lines)})


CRASHED_ITSELF = ProvisioningFailure(CRASHED.code, CRASHED.text)
"""A container that ended by itself: its log is its own."""

"""Why a release can't go to a workspace, asked before anything is trained: login, workspace, roles, size, quota.

What can't be known, such as a quota that this login may not read, stands in nobody's way.
"""

from collections.abc import Callable, Iterator

from core.domain.errors import BadInput, QuarterdeckError, Refused, Unreachable
from core.domain.plan import Deploy, Plan
from core.targets.azureml import room
from core.targets.azureml.api_errors import ROLE, AzureMissing, LoginRefused
from core.targets.azureml.blobs import store_doubt
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.deploying import NOT_MADE
from core.targets.azureml.reading import EndpointReader
from core.targets.azureml.rights import AUTOSCALE_ROLE, AUTOSCALES, WRITES, missing_rights
from core.targets.azureml.setup import cluster_path, group_path
from core.targets.azureml.view import AzureView
from core.targets.azureml.workspace import COMPUTE_API, WORKSPACE_API, AzureEndpoint, no_cluster, no_workspace

LOOK_S = 8.0
WITHIN_S = 40.0
"""A login by a command takes seconds, and of its ways to log in each is tried."""


def instances_of(plan: Plan) -> int:
    """How many instances a plan asks for in the slot that does not serve; 0 where it deploys nothing."""
    return max((step.replicas for step in plan.steps if isinstance(step, Deploy)), default=0)


def refusals(at: AzureEndpoint, calls: AzureCalls, instances: int) -> Iterator[str]:
    """What Azure would say no with, for so many instances more; raises Unreachable where it says nothing."""
    try:
        body = calls.ask("GET", at.workspace, WORKSPACE_API, timeout_s=LOOK_S).body
    except AzureMissing:
        yield no_workspace(at)
        return
    except (BadInput, Refused, LoginRefused) as error:
        yield str(error)
        return
    region, reader = str(body.get("location") or ""), EndpointReader(at, calls, lambda: None, LOOK_S)
    looks: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _role(at, calls),
        lambda: _autoscale(at, calls),
        lambda: _endpoint(at, reader.read()),
        lambda: _store(at, calls),
        lambda: _size(at, calls, region, instances, reader.view or AzureView()),
    )
    for look in looks:
        try:
            yield from look()
        except LoginRefused as error:
            yield str(error)
            return
        except Unreachable:
            return  # Whoever is mute now would let the others wait as long.
        except QuarterdeckError:
            continue


def training_refusals(at: AzureEndpoint, calls: AzureCalls) -> Iterator[str]:
    """Why no job would train there; raises Unreachable where Azure says nothing."""
    looks = ((at.workspace, WORKSPACE_API, no_workspace), (cluster_path(at), COMPUTE_API, no_cluster))
    for path, api, missing in looks:
        try:
            calls.ask("GET", path, api, timeout_s=LOOK_S)
        except AzureMissing:
            yield missing(at)
            return
        except (BadInput, Refused, LoginRefused) as error:
            yield str(error)
            return


def _role(at: AzureEndpoint, calls: AzureCalls) -> Iterator[str]:
    if missing := missing_rights(calls, at.workspace, WRITES, LOOK_S):
        yield (
            f"azureml {at.place.workspace}: {calls.login.account().name} may not {', '.join(missing)}; "
            f"ask for the role '{ROLE}' on it, then log in again"
        )


def _autoscale(at: AzureEndpoint, calls: AzureCalls) -> Iterator[str]:
    """The settings of an autoscaler lie beside the workspace, in its group."""
    if at.endpoint.autoscaling is None:
        return
    if missing := missing_rights(calls, group_path(at), AUTOSCALES, LOOK_S):
        yield (
            f"azureml {at.place.workspace}: {calls.login.account().name} may not {', '.join(missing)}, which "
            f"endpoint.autoscaling needs; ask for the role '{AUTOSCALE_ROLE}' on the group {at.place.resource_group}, "
            "then log in again, or leave endpoint.autoscaling out"
        )


def _store(at: AzureEndpoint, calls: AzureCalls) -> Iterator[str]:
    if doubt := store_doubt(calls, at.workspace, at.place, LOOK_S):
        yield f"azureml {at.place.workspace}: no file can be put there: {doubt}"


def _endpoint(at: AzureEndpoint, view: AzureView) -> Iterator[str]:
    if view.state == "Failed":
        yield f"azureml {at.place.workspace}: {at.name}: {NOT_MADE}"


def _size(at: AzureEndpoint, calls: AzureCalls, region: str, instances: int, view: AzureView) -> Iterator[str]:
    """A region that has no such instances, else a quota that has none left for as many as are asked for."""
    wanted, where = at.place.instance_type, f"azureml {at.place.workspace}"
    sizes = room.sizes_of(calls, at, region, LOOK_S)
    if sizes.lacks(wanted):
        yield f"{where}: {region} has no {wanted}; name another size in azureml.instance_type"
        return
    family = sizes.family(wanted)
    quota = room.quota_of(calls, at, region, family, LOOK_S)
    if quota is None:
        return
    # What the new version takes the place of gives its cores back.
    free = quota.free + sizes.held(view, family, idle=True)
    if (needed := sizes.cores(wanted, instances)) > free:
        yield (
            f"{where}: out of quota: {instances} x {wanted} need {needed} cores of {family}, {free} of {quota.limit} "
            "are free; take fewer or smaller instances (azureml.instance_type), delete what is unused, or ask Azure "
            "for more"
        )

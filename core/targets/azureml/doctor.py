"""What `quarterdeck doctor` looks at in Azure: login, workspace, role, provider, quota, size, the endpoint's name."""

import math
from collections.abc import Callable, Sequence

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.domain.diagnosis import Diagnoses, Examination, fail, looking, ok, warn
from core.domain.errors import QuarterdeckError
from core.targets.azureml.api_errors import ROLE, AzureMissing
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.costs import cost_line
from core.targets.azureml.credentials import AzureLogin
from core.targets.azureml.workspace import (
    COMPUTE_API,
    ENDPOINT_API,
    PERMISSIONS_API,
    PROVIDER_API,
    SERVICE,
    WORKSPACE_API,
    AzureEndpoint,
    azure_endpoint,
)

WITHIN_S = 40.0
"""A login by a command takes seconds, and of its ways to log in each is tried."""
WRITES = (f"{SERVICE}/workspaces/onlineEndpoints/write", f"{SERVICE}/workspaces/onlineEndpoints/deployments/write")
AUTOSCALES = ("Microsoft.Insights/autoscaleSettings/write", "Microsoft.Insights/autoscaleSettings/delete")
AUTOSCALE_ROLE = "Monitoring Contributor"
UPGRADES = 1.2
"""Azure wants a fifth more cores than the instances have, for its upgrades."""
Look = Callable[[AzureCalls, AzureEndpoint], Diagnoses]


def examinations(several: Sequence[Settings]) -> list[Examination]:
    """The login once for each workspace, and each endpoint."""
    made: list[Examination] = []
    shared: dict[str, AzureCalls] = {}
    for settings in several:
        at, name = azure_endpoint(settings), endpoint_name(settings)
        looks = dict(LOOKS)
        if at.endpoint.autoscaling is None:
            del looks["autoscaling"]
        if at.workspace in shared:
            looks = {what: look for what, look in looks.items() if what in OF_ENDPOINT}
        else:
            shared[at.workspace] = AzureCalls(at.place, AzureLogin(at.place), at.ca)
        calls = shared[at.workspace]
        made += [examination(what, look, calls, at, name) for what, look in looks.items()]
    return made


def examination(what: str, look: Look, calls: AzureCalls, at: AzureEndpoint, name: str) -> Examination:
    """One look, which says in a line what keeps it from looking."""

    def looked() -> Diagnoses:
        try:
            return list(look(calls, at))
        except QuarterdeckError as error:
            return [fail(str(error))]

    return looking(what, looked, name, WITHIN_S)


def login(calls: AzureCalls, _: AzureEndpoint) -> Diagnoses:
    """Who is logged in."""
    return [ok(f"logged in as {calls.login.account()}")]


def workspace(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether the workspace is there, and in which region."""
    body = calls.ask("GET", at.workspace, WORKSPACE_API).body
    return [ok(f"{at.place.where} is there, in {body.get('location')}")]


def role(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether this login may make endpoints and deployments."""
    done = "this login may make endpoints and deployments"
    return _may(calls, at.workspace, WRITES, done, f"the role '{ROLE}' on {at.place.workspace}")


def autoscale(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether this login may write the autoscale settings, which lie beside the workspace in its group."""
    place = at.place
    group = f"/subscriptions/{place.subscription}/resourceGroups/{place.resource_group}"
    done = "this login may set the autoscaling"
    return _may(calls, group, AUTOSCALES, done, f"the role '{AUTOSCALE_ROLE}' on the group {place.resource_group}")


def _may(calls: AzureCalls, scope: str, actions: Sequence[str], done: str, needed: str) -> Diagnoses:
    try:
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        found = calls.ask("GET", path, PERMISSIONS_API).body.get("value") or []
    except AzureMissing:
        return [warn("what this login may do is not said", f"it needs {needed}")]
    missing = [action for action in actions if not any(allows(one, action) for one in found)]
    if missing:
        return [fail(f"this login may not {', '.join(missing)}", f"ask for {needed}")]
    return [ok(done)]


def allows(permission: dict[str, list[str]], action: str) -> bool:
    """Whether a permission's actions, less its notActions, hold one."""

    def holds(patterns: Sequence[str]) -> bool:
        return any(_fits(pattern.lower(), action.lower()) for pattern in patterns)

    return holds(permission.get("actions") or []) and not holds(permission.get("notActions") or [])


def provider(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether the subscription has the service registered."""
    path = f"/subscriptions/{at.place.subscription}/providers/{SERVICE}"
    try:
        state = str(calls.ask("GET", path, PROVIDER_API).body.get("registrationState") or "")
    except AzureMissing:
        return [warn(f"whether {SERVICE} is registered is not said", f"see 'az provider show --namespace {SERVICE}'")]
    if state != "Registered":
        return [fail(f"{SERVICE} is {state or 'not registered'}", f"call 'az provider register --namespace {SERVICE}'")]
    return [ok(f"{SERVICE} is registered")]


def size(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether the region has the instances, and what they cost."""
    where, kind = _location(calls, at), at.place.instance_type
    path = f"/subscriptions/{at.place.subscription}/providers/{SERVICE}/locations/{where}/vmSizes"
    names = [str(one.get("name")) for one in calls.ask("GET", path, COMPUTE_API).body.get("value") or []]
    if names and kind.casefold() not in {name.casefold() for name in names}:
        return [fail(f"{where} has no {kind}", "name another size in azureml.instance_type")]
    return [ok(f"{where} has {kind}; {cost_line(at.place, kind, at.endpoint.replicas, where)}")]


def quota(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether two slots' cores are free: while a release goes on both stand there."""
    where, kind = _location(calls, at), at.place.instance_type
    base = f"/subscriptions/{at.place.subscription}/providers/{SERVICE}/locations/{where}"
    sizes = calls.ask("GET", f"{base}/vmSizes", COMPUTE_API).body.get("value") or []
    found = next((one for one in sizes if str(one.get("name")).casefold() == kind.casefold()), None)
    if found is None:
        return [warn(f"how many cores {kind} has is not said", "see quotas in the workspace's page")]
    family, cores = str(found.get("family") or ""), int(found.get("vCPUs") or 0)
    needed = math.ceil(cores * at.endpoint.replicas * UPGRADES) * 2
    usages = calls.ask("GET", f"{base}/usages", COMPUTE_API).body.get("value") or []
    of = next((one for one in usages if _named(one).casefold() == family.casefold()), None)
    if of is None:
        return [warn(f"the quota of {family or kind} is not said", "see quotas in the workspace's page")]
    free = int(of.get("limit") or 0) - int(of.get("currentValue") or 0)
    if free < needed:
        text = f"{family}: {needed} cores are needed for two slots, {max(0, free)} of {of.get('limit')} are free"
        return [fail(text, "take fewer or smaller instances, delete what is unused, or ask Azure for more")]
    return [ok(f"{family}: {free} of {of.get('limit')} cores free, {needed} needed for two slots")]


def name_taken(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether the endpoint is there already; that somebody else has its name shows only when it is made."""
    try:
        body = calls.ask("GET", at.path, ENDPOINT_API).body
    except AzureMissing:
        return [ok(f"{at.name} is to be made; a name is unique in its region, azureml.name sets another")]
    state = str((body.get("properties") or {}).get("provisioningState") or "")
    if state == "Failed":
        return [fail(f"{at.name} is Failed", "call 'quarterdeck down --env ENVIRONMENT', then release again")]
    return [ok(f"{at.name} is {state}")]


def _location(calls: AzureCalls, at: AzureEndpoint) -> str:
    return str(calls.ask("GET", at.workspace, WORKSPACE_API).body.get("location") or "")


def _named(usage: dict[str, object]) -> str:
    name = usage.get("name")
    return str(name.get("value") if isinstance(name, dict) else name or "")


def _fits(pattern: str, action: str) -> bool:
    head, star, tail = pattern.partition("*")
    if not star:
        return pattern == action
    return action.startswith(head) and action.endswith(tail) and len(action) >= len(head) + len(tail)


LOOKS: dict[str, Look] = {
    "login": login,
    "workspace": workspace,
    "role": role,
    "provider": provider,
    "size": size,
    "quota": quota,
    "name": name_taken,
    "autoscaling": autoscale,
}
OF_ENDPOINT = frozenset({"size", "quota", "name", "autoscaling"})
"""What is another with each endpoint of a workspace."""

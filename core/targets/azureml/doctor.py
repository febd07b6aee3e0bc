"""What `quarterdeck doctor` looks at in Azure: login, workspace, role, provider, quota, size, the endpoint's name."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.domain.diagnosis import Condition, Diagnoses, Diagnosis, Examination, fail, looking, ok, warn
from core.domain.errors import QuarterdeckError
from core.targets.azureml import room
from core.targets.azureml.api_errors import ROLE, AzureMissing
from core.targets.azureml.beforehand import LOOK_S
from core.targets.azureml.blobs import store_doubt
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.costs import cost_line
from core.targets.azureml.credentials import AzureLogin
from core.targets.azureml.doctor_driver import driver
from core.targets.azureml.rights import AUTOSCALE_ROLE, AUTOSCALES, WRITES, missing_rights
from core.targets.azureml.setup import cluster_cost, cluster_path
from core.targets.azureml.standing import looked_at
from core.targets.azureml.workspace import (
    COMPUTE_API,
    ENDPOINT_API,
    PROVIDER_API,
    SERVICE,
    WORKSPACE_API,
    AzureEndpoint,
    azure_endpoint,
    no_cluster,
    no_workspace,
)

WITHIN_S = 40.0
"""A login by a command takes seconds, and of its ways to log in each is tried."""
FIRST, SPARE_S = ("login", "workspace"), 2.0
"""Rows on which all others hang, each on those before it."""
Look = Callable[[AzureCalls, AzureEndpoint], Diagnoses]


def examinations(several: Sequence[Settings]) -> list[Examination]:
    """The login once for each workspace, and each endpoint."""
    made: list[Examination] = []
    shared: dict[str, SharedLogin] = {}
    # Whoever serves there looks at more.
    for settings in sorted(several, key=lambda one: one.target != "azureml"):
        at, name = azure_endpoint(settings), endpoint_name(settings)
        looks = dict(LOOKS) if settings.target == "azureml" else {what: LOOKS[what] for what in OF_TRAINING}
        if at.endpoint.autoscaling is None:
            looks.pop("autoscaling", None)
        if settings.train.on != "azureml":
            looks.pop("cluster", None)
        if at.workspace in shared:
            looks = {what: look for what, look in looks.items() if what in OF_ENDPOINT}
        else:
            shared[at.workspace] = SharedLogin(AzureCalls(at.place, AzureLogin(at.place), at.ca))
        made += [shared[at.workspace].examination(what, look, at, name) for what, look in looks.items()]
    return made


class SharedLogin:
    """The connection to one workspace. What hangs on a row that found nothing good is left out: that row says why."""

    def __init__(self, calls: AzureCalls) -> None:
        self._calls = calls
        self._lock = threading.Lock()
        self._left = 0
        self._well: dict[str, Future[bool]] = {row: Future() for row in FIRST}

    def examination(self, what: str, look: Look, at: AzureEndpoint, name: str) -> Examination:
        """One look, which says in a line what keeps it from looking."""
        self._left += 1
        needs = FIRST[: FIRST.index(what)] if what in FIRST else FIRST

        def looked() -> Diagnoses:
            found: list[Diagnosis] = []
            try:
                if all(self._is_well(row) for row in needs):
                    found = list(look(self._calls, at))
            except QuarterdeckError as error:
                found = [fail(str(error))]
            finally:
                if what in FIRST:
                    self._well[what].set_result([one.condition for one in found] == [Condition.OK])
                self._done()
            return found

        return looking(what, looked, name, WITHIN_S)

    def _is_well(self, row: str) -> bool:
        """Whether a row found what it should; one that hangs has said nothing good by the time that others must end."""
        try:
            return self._well[row].result(WITHIN_S - SPARE_S)
        except TimeoutError:
            return False

    def _done(self) -> None:
        with self._lock:
            self._left -= 1
            if not self._left:
                self._calls.close()


def login(calls: AzureCalls, _: AzureEndpoint) -> Diagnoses:
    """Who is logged in."""
    return [ok(f"logged in as {calls.login.account()}")]


def workspace(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether the workspace is there, and in which region."""
    try:
        body = calls.ask("GET", at.workspace, WORKSPACE_API).body
    except AzureMissing:
        return [fail(no_workspace(at))]
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
    missing = missing_rights(calls, scope, actions)
    if missing is None:
        return [warn("what this login may do is not said", f"it needs {needed}")]
    if missing:
        return [fail(f"this login may not {', '.join(missing)}", f"ask for {needed}")]
    return [ok(done)]


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


def store(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether models and code can be put into the workspace's own store, as far as its address tells."""
    if doubt := store_doubt(calls, at.workspace, at.place, LOOK_S):
        return [fail("no file can be put there", doubt)]
    return [ok(f"files go to {at.place.cloud.storage}")]


def size(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether the region has the instances, and what they cost."""
    where, kind = _location(calls, at), at.place.instance_type
    if room.sizes_of(calls, at, where).lacks(kind):
        return [fail(f"{where} has no {kind}", "name another size in azureml.instance_type")]
    return [ok(f"{where} has {kind}; {cost_line(at.place, kind, at.endpoint.deployed, where)}")]


def quota(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether two slots' cores are free, less those of what stands: while a release goes on both stand there."""
    where, kind = _location(calls, at), at.place.instance_type
    sizes = room.sizes_of(calls, at, where)
    family, see = sizes.family(kind), "see quotas in the workspace's page"
    if not family:
        return [warn(f"how many cores {kind} has is not said", see)]
    found = room.quota_of(calls, at, where, family)
    if found is None:
        return [warn(f"the quota of {family} is not said", see)]
    held = sizes.held(looked_at(at, calls), family)
    needed = max(0, 2 * sizes.cores(kind, at.endpoint.deployed) - held)
    more = f"more than the {held} of what stands" if held else "for two slots"
    if found.free < needed:
        text = f"{family}: {needed} cores are needed {more}, {found.free} of {found.limit} are free"
        return [fail(text, "take fewer or smaller instances, delete what is unused, or ask Azure for more")]
    return [ok(f"{family}: {found.free} of {found.limit} cores free, {needed} needed {more}")]


def cluster(calls: AzureCalls, at: AzureEndpoint) -> Diagnoses:
    """Whether there is what trains, and what it costs."""
    try:
        return [ok(cluster_cost(at, calls.ask("GET", cluster_path(at), COMPUTE_API).body))]
    except AzureMissing:
        return [fail(no_cluster(at))]


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


LOOKS: dict[str, Look] = {
    "login": login,
    "workspace": workspace,
    "role": role,
    "provider": provider,
    "store": store,
    "size": size,
    "quota": quota,
    "name": name_taken,
    "driver": driver,
    "autoscaling": autoscale,
    "cluster": cluster,
}
OF_TRAINING = ("login", "workspace", "store", "cluster")
"""What an endpoint needs that is only trained for there."""
OF_ENDPOINT = frozenset({"cluster", "size", "quota", "name", "driver", "autoscaling"})
"""What is another with each endpoint of a workspace."""

"""The whole stand-in as one object: `with AzureStandIn(folder) as azure:`."""

import contextlib
import secrets
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from tests.azure.assets import Environments, Models, Versions
from tests.azure.autoscale import AutoscaleSettings
from tests.azure.blobs import DOMAIN, BlobStore
from tests.azure.calls import RestAnswer, RestCall, SeenCall
from tests.azure.certificates import certified
from tests.azure.codes import Codes
from tests.azure.components import Components
from tests.azure.computes import ComputeClusters
from tests.azure.datastores import Datastores
from tests.azure.delays import AzureDelays
from tests.azure.deployments import Deployments
from tests.azure.endpoints import OnlineEndpoints
from tests.azure.faults import ProvisioningFailure, ProvisioningFailures, RestFault
from tests.azure.foundations import Foundations
from tests.azure.front import RestFront
from tests.azure.instances import Instances
from tests.azure.jobs import Jobs
from tests.azure.metrics import DeploymentMetrics
from tests.azure.operations import PROVIDER, Operations
from tests.azure.pipelines import PipelineRuns
from tests.azure.place import AUDIENCE, AzureLogins, AzurePlace
from tests.azure.quota import VmQuota
from tests.azure.scoring_hosts import ScoredCall, ScoringHosts
from tests.azure.serving import OnlineEndpoint
from tests.azure.surroundings import Surroundings
from tests.azure.tracking import TrackingServer
from tests.kubernetes.faults import FaultKind, Faults
from tests.loop_thread import LoopThread
from tests.ports import free_port


class AzureStandIn:
    """One subscription with one workspace, on a loop of its own in a thread of its own.

    What a test sets (`delays`, `quota`, `programs` …) may be set at any time; `do` calls a function on the loop.
    """

    def __init__(self, folder: Path) -> None:
        self.delays, self.faults = AzureDelays(), Faults()
        self.failures = ProvisioningFailures()
        self.place = AzurePlace()
        self.logins = AzureLogins(self.place.tenant)
        self.token = self.logins.login()
        self.certificates = certified(folder)
        self.blobs = BlobStore(folder / "blobs", tokens=self.logins.users)
        self.datastores = Datastores(self.place, self.blobs)
        self.models = Models(Versions(self.place, "models"), self.datastores)
        self.environments = Environments(Versions(self.place, "environments"))
        self.codes = Codes(Versions(self.place, "codes"), self.blobs)
        self.operations = Operations(self.place.subscription, self.place.workspace_id, self.delays)
        self.quota = VmQuota(self.place.subscription)
        self.clusters = ComputeClusters(self.place, self.operations, self.delays, self.quota)
        self.tracking = TrackingServer()
        self.jobs = Jobs(
            self.place, self.delays, self.codes, self.datastores, self.clusters, self.tracking, folder / "jobs"
        )
        self.components = Components(Versions(self.place, "components"))
        self.jobs.pipelines = PipelineRuns(self.jobs, self.components, self.models)
        self.autoscale = AutoscaleSettings(self.place, self._size, self._scaled)
        self.metrics = DeploymentMetrics()
        self.surroundings = Surroundings(self.place, self.logins)
        self.foundations = Foundations(self.place)
        models = folder / "azureml-models"
        self.instances = Instances(self.models, self.environments, self.codes, self.delays, models)
        self.hosts = ScoringHosts(self.certificates.context, self.instances, self.faults, self.logins)
        place, operations, delays = self.place, self.operations, self.delays
        self.deployments = Deployments(place, operations, delays, self.failures, self.quota, self.instances)
        self.endpoints = OnlineEndpoints(place, operations, delays, self.deployments, self.hosts)
        self._identity = secrets.token_urlsafe(16)
        self.front = RestFront(
            place,
            self.logins,
            self.faults,
            self.blobs,
            self._rooms(),
            self._beyond(),
            {"/identity": self._login, "/discovery": self._hosts},
            self.surroundings.check,
            self.foundations.workspace,
            self.foundations.check,
        )
        self.port = 0
        self._loop = LoopThread("azure")
        self.run, self.do = self._loop.run, self._loop.do
        self._runner: web.ServerRunner | None = None

    def _rooms(self) -> dict[str, Callable[[RestCall], RestAnswer]]:
        return {
            "onlineEndpoints": self.endpoints.answer,
            "models": self.models.answer,
            "environments": self.environments.answer,
            "codes": self.codes.answer,
            "components": self.components.answer,
            "datastores": self.datastores.answer,
            "jobs": self.jobs.answer,
            "computes": self.clusters.answer,
            "providers": self.surroundings.permissions,
        }

    def _beyond(self) -> dict[str, Callable[[RestCall], RestAnswer]]:
        subscription = f"/subscriptions/{self.place.subscription}"
        location = f"{subscription}/providers/{PROVIDER}/locations/*"
        deployment = self.place.path("onlineEndpoints", "*", "deployments", "*")
        return {
            f"{subscription}/$": self.surroundings.subscription,
            f"{subscription}/resourceGroups/*/$": self.foundations.group,
            f"{self.place.scope}/providers/Microsoft.Authorization": self.surroundings.permissions,
            f"{self.place.scope}/providers/Microsoft.Storage/storageAccounts": self.foundations.beneath,
            f"{self.place.scope}/providers/Microsoft.KeyVault/vaults": self.foundations.beneath,
            f"{subscription}/providers/*/$": self.surroundings.provider,
            f"{subscription}/providers/*/register": self.surroundings.provider,
            f"{self.place.scope}/providers/Microsoft.Insights/autoscaleSettings": self.autoscale.answer,
            f"{deployment}/providers/Microsoft.Insights/metrics": self.metrics.answer,
            f"{location}/usages": lambda call: RestAnswer(200, self.quota.usages()),
            f"{location}/vmSizes": lambda call: RestAnswer(200, self.quota.sizes()),
            location: self.operations.answer,
            "/history": self.jobs.history,
            "/mlflow": self.tracking.answer,
        }

    def _hosts(self, call: RestCall) -> RestAnswer:
        """Where a workspace's other services are; asked without a login."""
        return RestAnswer(200, {"api": self.url, "history": self.url, "experimentation": self.url})

    def _login(self, call: RestCall) -> RestAnswer:
        """A managed identity's login, as App Service offers it: how `DefaultAzureCredential` gets a token here."""
        if call.headers.get("x-identity-header") != self._identity:
            return RestAnswer(401, {"statusCode": 401, "message": "The identity header is wrong."})
        body = {"access_token": self.token, "expires_on": "4102444800", "token_type": "Bearer"}
        return RestAnswer(200, {**body, "resource": call.query.get("resource", "")})

    def _size(self, path: str) -> int | None:
        endpoint, _, name = path.partition("/onlineEndpoints/")[2].split("/")
        found = self.endpoints.known(endpoint).deployments.get(name)
        return None if found is None else found.capacity

    def _scaled(self, path: str, count: int) -> None:
        endpoint, _, name = path.partition("/onlineEndpoints/")[2].split("/")
        self.deployments.scale(self.endpoints.known(endpoint), name, count)

    @property
    def url(self) -> str:
        """Where the resource manager answers."""
        return f"https://localhost:{self.port}"

    @property
    def ca(self) -> Path:
        """The file of the authority to trust."""
        return self.certificates.ca

    @property
    def seen(self) -> deque[SeenCall]:
        """The calls that were answered."""
        return self.front.seen

    @property
    def scored(self) -> deque[ScoredCall]:
        """The requests that deployments answered."""
        return self.hosts.calls

    @property
    def cloud_metadata(self) -> dict[str, str]:
        """What `MLClient(cloud=…, cloud_metadata=…)` wants to know."""
        names = ("resource_manager", "active_directory", "azure_portal", "registry_discovery_endpoint")
        here = dict.fromkeys(names, f"{self.url}/")
        return {**here, "aml_resource_id": AUDIENCE, "storage_endpoint": DOMAIN}

    def secrets(self) -> set[str]:
        """Every key, token and signature that was handed out, for a test that looks where they went."""
        keys = {one for endpoint in self.endpoints.held.values() for one in endpoint.keys.secrets()}
        return {*keys, *self.logins.users, *self.blobs.signatures, self.blobs.key, self._identity}

    def environment(self) -> dict[str, str]:
        """Variables for a child: the workspace, whom to trust, and how to log in."""
        return {
            "AZURE_SUBSCRIPTION_ID": self.place.subscription,
            "AZURE_RESOURCE_GROUP": self.place.group,
            "AZURE_WORKSPACE_NAME": self.place.name,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "IDENTITY_ENDPOINT": f"{self.url}/identity",
            "IDENTITY_HEADER": self._identity,
            "REQUESTS_CA_BUNDLE": str(self.ca),
            "SSL_CERT_FILE": str(self.ca),
        }

    def endpoint(self, name: str) -> OnlineEndpoint:
        """An endpoint as it is held here."""
        return self.endpoints.held[name.lower()]

    def fault(self, kind: FaultKind, method: str = "", path: str = "", **rest: Any) -> RestFault:
        """Set a fault of calls."""
        found = RestFault(kind, method, path, **rest)
        self.faults.add(found)
        return found

    def fail(self, what: str, failure: ProvisioningFailure) -> None:
        """Deployments of an instance type, of `ENDPOINT/DEPLOYMENT` or of all (`*`) fail from now on."""
        self.failures.set_for[what] = failure

    def take_back(self) -> None:
        """No fault and no failure any more."""
        self.faults.clear()
        self.failures.set_for.clear()

    @property
    def troubles(self) -> list[BaseException]:
        """What went wrong behind the server, which no test may leave."""
        return self.operations.troubles

    async def _start(self) -> None:
        runner = web.ServerRunner(web.Server(self.front.answer, access_log=None), shutdown_timeout=1)
        await runner.setup()
        self.port = self.port or free_port()
        await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self.certificates.context).start()
        self._runner = runner
        for one in (self.place, self.operations, self.blobs):
            one.base = self.url
        self.jobs.lent = {**self.environment(), "MLFLOW_TRACKING_TOKEN": self.token}

    async def _stop(self) -> None:
        await self.jobs.stop()
        await self.operations.stop()
        await self.instances.stop()
        for endpoint in [*self.endpoints.held.values()]:
            for one in endpoint.deployments.values():
                await self.deployments.end(endpoint, one)
        await self.hosts.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def __enter__(self) -> Self:
        self._loop.begin()
        self.run(self._start())
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(TimeoutError):
            self.run(self._stop())
        self._loop.end()

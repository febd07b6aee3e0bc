"""Azure ML as a target: versions are managed online deployments, traffic is the endpoint's; a watch says what is true.

Every verb waits in a thread of its own; one thread makes all calls that change something. No package of Azure's is
loaded but the login's, with the first token.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping

from core.domain.errors import BadInput, Refused
from core.domain.model import Noted, Slot, Sticky, Version
from core.system.aside import aside
from core.targets.azureml.assets import WorkspaceAssets
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.changes import EndpointChanges
from core.targets.azureml.container_logs import ContainerLogs
from core.targets.azureml.credentials import AzureLogin, TokenSource, login_ca, login_of
from core.targets.azureml.deploying import SlotDeployer
from core.targets.azureml.forwarding import AzureForwarder
from core.targets.azureml.observing import AzureObserver
from core.targets.azureml.operations import OperationBook
from core.targets.azureml.reading import EndpointReader
from core.targets.azureml.routing import SOURCE, AzureRouter
from core.targets.azureml.scoring_calls import ScoringCalls
from core.targets.azureml.workspace import AzureEndpoint
from core.targets.checks import check_apply, check_sticky
from core.targets.kinds import Models
from core.targets.protocol import Address, Report, Turn

LOGS_S = 5.0


class AzureMLTarget:
    """A `Target` in one workspace. `token` fences off older drivers; `row` is a body that a version can answer."""

    def __init__(
        self,
        at: AzureEndpoint,
        models: Models,
        token: int = 0,
        *,
        row: Callable[[Version], bytes] = lambda _: b"{}",
        source: TokenSource | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.at = at
        self.token = token
        self._models = models
        self._row = row
        self._login = AzureLogin(at.place, source or login_of(at.place, environ), login_ca(environ))
        self._calls = AzureCalls(at.place, self._login, at.ca)
        self._reader = EndpointReader(at, self._calls, self._told)
        self._changes = EndpointChanges(at, self._calls, self._reader, OperationBook(at.folder, at.name), token)
        self._assets = WorkspaceAssets(at, self._calls, self._changes.beside)
        self._scoring = ScoringCalls(at, self._calls, lambda: self._reader.view)
        self._observer = AzureObserver(self._changes, self._scoring, self._any_row)
        self._deployer = SlotDeployer(self._changes, self._assets, self._observer.note)
        self._router = AzureRouter(self._changes, self._observer.note)
        self._forwarder: AzureForwarder | None = None
        self._opening = asyncio.Lock()
        self._closed = threading.Event()
        self._greeted = False

    async def apply(self, slot: Slot, version: Version, replicas: int) -> None:
        """Ask for `replicas` instances of a version in a slot."""
        check_apply(slot, replicas)
        self._open("apply")
        number = self._deployer.begin(slot)
        needed = await aside(lambda: self._deployer.needs_files(slot, version, replicas), "azureml apply")
        folder = await self._models(version) if needed else None
        await self._do("apply", lambda: self._deployer.deploy(number, slot, version, replicas, folder))

    async def scale(self, slot: Slot, replicas: int) -> None:
        """Ask for so many instances of what a slot holds."""
        check_apply(slot, replicas)
        self._open("scale")
        number = self._deployer.begin(slot)
        asleep = await aside(lambda: self._deployer.scale(number, slot, replicas), "azureml scale")
        self._observer.poke()
        if asleep is not None:
            await self.apply(slot, asleep, replicas)

    async def route(
        self,
        weights: Mapping[Slot, float],
        mirror: Mapping[Slot, float] | None = None,
        sticky: Sticky | None = None,
    ) -> None:
        """Ask for traffic weights in whole percents, and for a slot that gets a copy of so many of the requests."""
        check_sticky(sticky)
        if sticky is not None:
            raise BadInput("on Azure ML no caller can be kept on a side; leave header and cookie out")
        wanted, copied = dict(weights), dict(mirror or {})
        if any(share != int(share) for share in [*wanted.values(), *copied.values()] if share == share):  # noqa: PLR0124
            raise BadInput(f"traffic {wanted}: Azure ML splits by whole percents, 100 together")
        number = self._router.begin()
        await self._do("route", lambda: self._router.move(number, wanted, copied))

    async def remove(self, slot: Slot) -> None:
        """Ask for a slot to drain and go."""
        number = self._deployer.begin(slot)
        await self._do("remove", lambda: self._deployer.remove(number, slot))

    def stand_for(self, turn: Turn) -> None:
        """What the changes to come are for; the next one claims the endpoint anew where that is a new thing."""
        self._changes.stand_for(turn)

    async def watch(self) -> AsyncIterator[Report]:
        """Everything that is true, then each change; what can't be read is raised, and tried again meanwhile."""
        async for report in self._observer.reports(self._begin):
            yield report

    async def logs(self, slot: Slot, replica: str = "", lines: int = 50) -> AsyncIterator[str]:  # noqa: ARG002
        """The last lines that a slot's containers wrote, then each new one; Azure tells none of them apart."""
        reading = ContainerLogs(self.at, self._calls, lines)
        while not self._closed.is_set():
            for line in await aside(lambda: reading.news(slot), "azureml logs"):
                yield line
            await aside(lambda: self._closed.wait(max(LOGS_S, self.at.place.poll_s)), "azureml logs")

    async def address(self, slot: Slot | None = None) -> Address:
        """A place on this machine from where requests go to the endpoint, or to one slot of it alone."""
        self._open("address")
        if self._reader.view is None:
            await aside(self._reader.read, "azureml address")
        async with self._opening:
            if self._forwarder is None:
                at, within_s = self.at, self.at.place.request_timeout_s + 5.0
                made = AzureForwarder(self._scoring, lambda: self._reader.view, self._observer.tell, within_s, at.ca)
                await made.open(f"{at.folder.resolve()} {at.name}")
                self._forwarder = made
        return Address(self._forwarder.url, self._forwarder.pin(slot) if slot else {})

    async def close(self) -> None:
        """Let go: watches and logs end, what is served and what goes on goes on."""
        self._closed.set()
        self._router.begin()
        self._observer.close()
        self._changes.close()
        if self._forwarder is not None:
            await self._forwarder.close()
        for one in (self._calls, self._scoring, self._assets):
            one.close()

    def _begin(self) -> None:
        self._observer.begin(self._router, self._deployer.take_back)
        if not self._greeted:
            self._greeted = True
            threading.Thread(target=self._greet, name="azureml account", daemon=True).start()

    async def _do(self, verb: str, work: Callable[[], None]) -> None:
        self._open(verb)
        try:
            await aside(work, f"azureml {verb}")
        finally:
            self._observer.poke()

    def _open(self, verb: str) -> None:
        if self._closed.is_set():
            raise Refused(f"{verb}: this target is closed")

    def _told(self) -> None:
        self._observer.told()

    def _any_row(self) -> bytes:
        """A body for whoever answers next: of a version that has traffic."""
        view = self._reader.view
        if view is None:
            return b"{}"
        versions = view.versions()
        served = [versions[slot] for slot in view.weights if slot in versions]
        return next((row for row in map(self._row, served) if row), b"{}")

    def _greet(self) -> None:
        """Who is logged in, and where."""
        try:
            account = self._login.account()
        except Exception:
            return
        place = self.at.place
        text = f"logged in as {account}; subscription {place.subscription}, {place.resource_group}/{place.workspace}"
        self._observer.logged_in(account, Noted(text, source=SOURCE))

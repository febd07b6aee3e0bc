"""The reads of one endpoint: itself and its deployments, two calls. The last view is kept for whoever looks."""

import threading
from collections.abc import Callable

from core.domain.errors import Refused
from core.targets.azureml.api_errors import AzureMissing, WorkspaceMissing
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.view import AzureView
from core.targets.azureml.workspace import DEPLOYMENT_API, ENDPOINT_API, WORKSPACE_API, AzureEndpoint, no_workspace


class EndpointReader:
    """Reads whenever it is asked. `told` is called in that thread after what was read is other than before."""

    def __init__(
        self, at: AzureEndpoint, calls: AzureCalls, told: Callable[[], None], timeout_s: float | None = None
    ) -> None:
        self._at = at
        self._calls = calls
        self._told = told
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._view: AzureView | None = None
        self._begun = self._newest = 0
        self._location = ""

    @property
    def view(self) -> AzureView | None:
        """What was read last; None before anything was."""
        return self._view

    def read(self) -> AzureView:
        """The endpoint as it is now; an answer that was overtaken by a later one is not kept."""
        with self._lock:
            self._begun += 1
            number = self._begun
        view = self._read()
        with self._lock:
            if number < self._newest:
                return view
            self._newest = number
            changed, self._view = view != self._view, view
        if changed:
            self._told()
        return view

    def nowhere(self) -> AzureView:
        """What there is to see without the workspace; kept as what was read."""
        place = self._at.place
        with self._lock:
            self._begun += 1
            self._newest, self._view = self._begun, AzureView(nowhere=f"{place.resource_group}/{place.workspace}")
        self._told()
        return self._view

    def location(self) -> str:
        """The workspace's region."""
        if not self._location:
            try:
                body = self._calls.ask("GET", self._at.workspace, WORKSPACE_API).body
            except AzureMissing as error:
                raise Refused(
                    f"{error} (azureml.subscription, resource_group, workspace)".replace("check the name ", "check ")
                ) from None
            self._location = str(body.get("location") or "")
        return self._location

    def _read(self) -> AzureView:
        try:
            body = self._calls.ask("GET", self._at.path, ENDPOINT_API, timeout_s=self._timeout_s).body
        except AzureMissing:
            return self._without()
        try:
            page = self._calls.ask("GET", self._at.deployment(), DEPLOYMENT_API, timeout_s=self._timeout_s).body
        except AzureMissing:
            return AzureView()
        return AzureView(body, {str(one["name"]): one for one in page.get("value") or ()})

    def _without(self) -> AzureView:
        """That there is no endpoint; raises WorkspaceMissing where there is no workspace for it either."""
        try:
            self._calls.ask("GET", self._at.workspace, WORKSPACE_API, timeout_s=self._timeout_s)
        except AzureMissing:
            raise WorkspaceMissing(no_workspace(self._at)) from None
        except Refused:
            pass  # Who may see endpoints need not be let to see the workspace itself.
        return AzureView()

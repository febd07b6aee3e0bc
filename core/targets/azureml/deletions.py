"""What was deleted in Azure by somebody else, told once: what two looks show beside what this project removed. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from core.domain.model import Level, Noted, Slot
from core.targets.azureml.api_errors import Json
from core.targets.azureml.claims import changed_by
from core.targets.azureml.operations import AzureOperation
from core.targets.azureml.routing import SOURCE
from core.targets.azureml.view import AzureView, state_of, version_of


class DeletionNews:
    """Of one endpoint, over all looks at it. A deployment is known again by the mark of the change that made it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen = AzureView()
        self._ours: dict[Slot, str] = {}
        self._going: set[Slot] = set()
        self._whole = False

    def removed(self, operations: Iterable[AzureOperation]) -> None:
        """What this project asked for meanwhile: a deployment that goes because of that is no news."""
        for one in operations:
            if one.doing == "remove":
                self._ours[one.slot] = _mark(self._seen.deployments, one.slot)

    def of(self, view: AzureView) -> Iterator[Noted]:
        """Whatever is gone, or on its way, since the look before."""
        before, self._seen = self._seen, view
        if view.nowhere:
            if not before.nowhere:
                yield Noted(self._without_workspace(before, view.nowhere), Level.ERROR, None, SOURCE)
            return
        was = "is being" if view.body is not None else "was"
        if view.state == "Deleting" or (view.body is None and before.body is not None):
            held = _held(before)
            if not self._whole:
                # Whether 'down' here did it is written down by who called it.
                text = f"the endpoint {self._name} {was} deleted{held}: nobody answers its callers"
                yield Noted(text, Level.ERROR, None, SOURCE)
            self._whole = True
            return
        self._whole = False
        there = {slot for slot, body in view.deployments.items() if state_of(body) != "Deleting"}
        self._going -= there
        for slot, body in before.deployments.items():
            if slot in there or slot in self._going:
                continue
            self._going.add(slot)
            if self._ours.get(slot) != _mark(before.deployments, slot):
                was = "is being" if slot in view.deployments else "was"
                level = Level.ERROR if before.weights.get(slot) else Level.WARNING
                yield Noted(f"{_label(slot, body)} {was} deleted, and not by this project", level, slot, SOURCE)

    def _without_workspace(self, before: AzureView, workspace: str) -> str:
        if before.body is None:
            ask = "if it was not deleted, correct azureml.subscription, resource_group or workspace"
            return f"Azure has no workspace {workspace}; {ask}"
        gone = f"the endpoint {self._name} is gone with it{_held(before)}: nobody answers its callers"
        return f"Azure has no workspace {workspace} any more; {gone}"


def _held(view: AzureView) -> str:
    names = ", ".join(_label(slot, body) for slot, body in view.deployments.items())
    return f", with {names}" if names else ""


def _mark(deployments: Mapping[Slot, Json], slot: Slot) -> str:
    """Which change made a deployment what it is; empty of one that is not there, or of somebody else's."""
    return changed_by((deployments.get(slot) or {}).get("tags"))


def _label(slot: Slot, body: Json) -> str:
    return f"{slot} ({version_of(slot, body).label})"

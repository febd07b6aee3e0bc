"""A version in a slot: the endpoint and what the version is made of, then its deployment; and its way out again."""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from core.domain.errors import Failed, Refused
from core.domain.model import Noted, Slot, Version
from core.targets.azureml import bodies
from core.targets.azureml.api_errors import AzureBusy, Json
from core.targets.azureml.assets import WorkspaceAssets
from core.targets.azureml.autoscale_bodies import bounds
from core.targets.azureml.changes import EndpointChanges
from core.targets.azureml.untried import UntriedSlot
from core.targets.azureml.view import READY, AzureView, asleep_tag, capacity, state_of, version_of
from core.targets.azureml.workspace import DEPLOYMENT_API, ENDPOINT_API
from core.targets.checks import check_remove, check_scale

NOT_MADE = "the endpoint could not be made; call 'quarterdeck down --env ENVIRONMENT', then release again"
RESIZE_S = 15.0
"""Whoever asks for another size hears within so long what holds it, and asks again."""
_BROKEN = frozenset({"Failed", "Canceled"})


class SlotDeployer:
    """What one driver does with its slots. Each verb waits, in its caller's thread, until it is accepted."""

    def __init__(self, changes: EndpointChanges, assets: WorkspaceAssets, note: Callable[[Noted], None]) -> None:
        self._changes = changes
        self._untried = UntriedSlot(changes, note)
        self._assets = assets
        self._lock = threading.Lock()
        self._newest: dict[Slot, int] = {}

    def begin(self, slot: Slot) -> int:
        """The number of what is asked of a slot now; what was asked before and not sent yet comes to nothing."""
        with self._lock:
            self._newest[slot] = self._newest.get(slot, 0) + 1
            return self._newest[slot]

    def needs_files(self, slot: Slot, version: Version, replicas: int) -> bool:
        """Whether the version's files are needed for what is asked: it is not there, or is broken."""
        view = self._changes.reader.read()
        self._changes.claimed(view)
        return replicas > 0 and not _holds(view.deployments.get(slot), slot, version)

    def deploy(self, number: int, slot: Slot, version: Version, replicas: int, folder: Path | None) -> None:
        """So many instances of a version; none of them is a slot that remembers its version."""

        def still() -> None:
            self._still(number, slot)

        self._changes.patiently(lambda: self._deploy(slot, version, replicas, folder, still), still)

    def scale(self, number: int, slot: Slot, replicas: int) -> Version | None:
        """So many instances of what a slot holds; the version to deploy where it holds one without any instance."""
        view = self._changes.reader.read()
        self._changes.claimed(view)
        check_scale(slot, replicas, view.versions(), bounds(self._changes.at))
        if slot not in view.deployments:
            return view.versions()[slot]
        still = partial(self._still, number, slot)
        self._changes.patiently(lambda: self._resize(slot, replicas), still, RESIZE_S)
        return None

    def remove(self, number: int, slot: Slot) -> None:
        """Let a slot go; Azure drains it. What is asked of it and still lands is taken back."""
        self._changes.patiently(lambda: self._remove(slot), lambda: self._still(number, slot))

    def take_back(self, slot: Slot) -> None:
        """Delete a deployment that landed after it was no longer wanted."""
        changes = self._changes
        call = ("DELETE", changes.at.deployment(slot), DEPLOYMENT_API, None)
        changes.patiently(lambda: changes.send("remove", call, slot))

    def _still(self, number: int, slot: Slot) -> None:
        if number != self._newest.get(slot):
            raise Refused(f"{slot}: something else was asked of it meanwhile")

    def _deploy(
        self, slot: Slot, version: Version, replicas: int, folder: Path | None, still: Callable[[], None]
    ) -> None:
        changes = self._changes
        view = changes.reader.read()
        tags = changes.claimed(view)
        held = view.deployments.get(slot)
        if replicas == 0:
            self._ready_endpoint(view, tags)
            self._to_sleep(changes.reader.read(), slot, version, tags)
            return
        if _holds(held, slot, version):
            if held is not None and capacity(held) != replicas:
                self._resize(slot, replicas)
            return
        if folder is None:
            raise Failed(f"{slot}: {version.full} is not there any more; ask once more")
        self._untried.may_deploy(view, slot, version)
        self._ready_endpoint(view, tags)
        self._unanswered(slot)
        ids = self._assets.ids(version, folder)
        # That takes a while, in which others may have moved traffic.
        view = changes.reader.read()
        tags = changes.claimed(view)
        self._untried.may_deploy(view, slot, version)
        self._untried.deployed(view, slot, version)
        body = bodies.deployment(changes.at, changes.reader.location(), version, replicas, ids, tags)
        call = ("PUT", changes.at.deployment(slot), DEPLOYMENT_API, body)
        changes.send("deploy", call, slot, {"model": version.model, "number": version.number}, still)
        changes.reader.read()

    def _ready_endpoint(self, view: AzureView, tags: dict[str, str]) -> None:
        """The endpoint, made where there is none. Until it is ready no deployment is taken."""
        changes = self._changes
        if view.body is None:
            body = bodies.endpoint(changes.at, changes.reader.location(), tags)
            if not any(one.doing == "endpoint" and one.address for one in changes.book.operations()):
                changes.send("endpoint", ("PUT", changes.at.path, ENDPOINT_API, body))
            raise AzureBusy(f"{changes.at.called}: the endpoint is being made")
        if view.state == "Failed":
            raise Refused(f"{changes.at.called}: {NOT_MADE}")
        if view.state != READY:
            raise AzureBusy(f"{changes.at.called}: the endpoint is {view.state}")

    def _unanswered(self, slot: Slot) -> None:
        """The same sent twice makes Azure cancel the first: what nobody answered is looked for a while before that."""
        changes = self._changes
        for one in changes.book.operations():
            if one.doing == "deploy" and one.slot == slot and not one.address:
                if one.goes_on():
                    raise AzureBusy(f"{slot}: nobody has answered whether it is being deployed; looked for")
                changes.book.forget(one)

    def _to_sleep(self, view: AzureView, slot: Slot, version: Version, tags: dict[str, str]) -> None:
        """A version without an instance: Azure has no such deployment, so the endpoint remembers it."""
        changes = self._changes
        said = asleep_tag(slot, version)
        if any(view.tags.get(name) != text for name, text in said.items()):
            self._tag(view, {**tags, **said})
            view = changes.reader.read()
        held = view.deployments.get(slot)
        if held is not None and state_of(held) != "Deleting":
            check_remove(slot, view.weights, view.mirror)
            changes.send("remove", ("DELETE", changes.at.deployment(slot), DEPLOYMENT_API, None), slot)
            changes.reader.read()

    def _resize(self, slot: Slot, replicas: int) -> None:
        changes = self._changes
        view = changes.reader.read()
        tags = changes.claimed(view)
        held = view.deployments.get(slot)
        if held is None:
            raise Refused(f"{slot}: no version is in this slot; deploy one first")
        if capacity(held) == replicas:
            return
        body = bodies.resized(held, replicas, tags)
        changes.send("resize", ("PUT", changes.at.deployment(slot), DEPLOYMENT_API, body), slot)
        if state_of(held) not in _BROKEN:
            # Azure took it, so the change before it is over, which nobody else may have seen.
            size = (version_of(slot, held).full, capacity(held))
            changes.book.keep_sizes(lambda known: {**known, slot: size})
        changes.reader.read()

    def _remove(self, slot: Slot) -> None:
        changes = self._changes
        view = changes.reader.read()
        tags = changes.claimed(view)
        check_remove(slot, view.weights, view.mirror)
        changes.book.unwanted(slot)
        held = view.deployments.get(slot)
        if held is not None and state_of(held) != "Deleting":
            changes.send("remove", ("DELETE", changes.at.deployment(slot), DEPLOYMENT_API, None), slot)
        if any(name in view.tags for name in asleep_tag(slot, None)):
            self._tag(view, {**tags, **asleep_tag(slot, None)})
        changes.reader.read()

    def _tag(self, view: AzureView, tags: Mapping[str, str | None]) -> None:
        """Tags of the endpoint, sent with its traffic as it is, so never while that may be another than is shown."""
        changes = self._changes
        if view.body is None:
            return
        if view.state != READY or changes.traffic_moves(view):
            raise AzureBusy(f"{changes.at.called}: its traffic is being changed")
        body = bodies.changed_endpoint(changes.at, view.body, tags)
        changes.send("tags", ("PUT", changes.at.path, ENDPOINT_API, body))
        changes.reader.read()


def _holds(held: Json | None, slot: Slot, version: Version) -> bool:
    """Whether a deployment is of this version, ready or on its way there."""
    return held is not None and version_of(slot, held) == version and state_of(held) not in {*_BROKEN, "Deleting"}

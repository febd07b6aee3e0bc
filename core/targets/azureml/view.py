"""An endpoint as the workspace has it: its own body and those of its deployments, turned into our nouns. Pure."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from core.domain.model import Observation, Replica, ReplicaState, Slot, Version
from core.targets.azureml.api_errors import Json
from core.targets.azureml.claims import TAG, changed_by
from core.targets.azureml.workspace import LONGEST_TAG, PREFIX, tagged_version

ASLEEP = f"{PREFIX}asleep-"
"""A tag of the endpoint for each slot whose version has no instance: a deployment has one at least."""
READY = "Succeeded"
Size: TypeAlias = tuple[str, int]
"""A version in full, and how many instances of it are ready."""
OVER = frozenset({READY, "Failed", "Canceled"})


@dataclass(frozen=True, slots=True)
class AzureView:
    """What was read. Without a `body` there is no endpoint; `nowhere` names the workspace where that is not there."""

    body: Json | None = None
    deployments: Mapping[Slot, Json] = field(default_factory=dict)
    nowhere: str = ""

    @property
    def state(self) -> str:
        """The endpoint's provisioning state; empty where there is none."""
        return str(self._properties.get("provisioningState") or "")

    @property
    def settled(self) -> bool:
        """Whether no change of the endpoint or of a deployment goes on, as far as was read."""
        states = [self.state, *(state_of(one) for one in self.deployments.values())]
        return all(state in {*OVER, ""} for state in states)

    def over(self, doing: str, slot: Slot) -> bool:
        """Whether a change that was accepted before this was read has ended, as far as the endpoint shows."""
        if doing == "remove":
            return slot not in self.deployments
        if doing in {"deploy", "resize"}:
            return slot in self.deployments and state_of(self.deployments[slot]) in OVER
        return self.state in OVER

    def failed(self, doing: str, slot: Slot) -> bool:
        """Whether what a change was of shows that it failed."""
        held = self.deployments.get(slot) if doing in {"deploy", "resize"} else None
        return (self.state if held is None else state_of(held)) in OVER - {READY}

    @property
    def weights(self) -> dict[Slot, float]:
        """The traffic that the service shows, in percent; slots without any are left out."""
        return plain_shares(self._properties.get("traffic"))

    @property
    def mirror(self) -> dict[Slot, float]:
        """The copies that it shows, in percent."""
        return plain_shares(self._properties.get("mirrorTraffic"))

    @property
    def scoring_uri(self) -> str:
        """Where callers ask; empty until the endpoint is ready."""
        return str(self._properties.get("scoringUri") or "")

    @property
    def location(self) -> str:
        """The region."""
        return str((self.body or {}).get("location") or "")

    @property
    def tags(self) -> dict[str, str]:
        """The endpoint's tags."""
        return dict((self.body or {}).get("tags") or {})

    @property
    def tagged(self) -> list[dict[str, str]]:
        """The tags of the endpoint and of each deployment."""
        return [self.tags, *(dict(one.get("tags") or {}) for one in self.deployments.values())]

    def claimed_at(self, claim: str) -> float | None:
        """When what carries a claim was changed last, in seconds since the epoch; None where nothing says it."""
        bodies = [self.body or {}, *self.deployments.values()]
        found = [_changed_at(one) for one in bodies if (one.get("tags") or {}).get(TAG) == claim]
        return max((at for at in found if at is not None), default=None)

    def ready(self, slot: Slot) -> bool:
        """Whether a slot's deployment is."""
        return slot in self.deployments and state_of(self.deployments[slot]) == READY

    def asleep(self) -> dict[Slot, Version]:
        """The slots that hold a version without an instance."""
        found: dict[Slot, Version] = {}
        for name, text in self.tags.items():
            slot = name.removeprefix(ASLEEP)
            if name.startswith(ASLEEP) and slot not in self.deployments and (version := _read(text)) is not None:
                found[slot] = version
        return found

    def versions(self) -> dict[Slot, Version]:
        """What each slot holds."""
        held = {slot: version_of(slot, body) for slot, body in self.deployments.items()}
        return {**self.asleep(), **held}

    @property
    def _properties(self) -> Json:
        return (self.body or {}).get("properties") or {}


def _changed_at(body: Json) -> float | None:
    try:
        return datetime.fromisoformat(str((body.get("systemData") or {}).get("lastModifiedAt") or "")).timestamp()
    except ValueError:
        return None


def sizes(view: AzureView, before: Mapping[Slot, Size]) -> dict[Slot, Size]:
    """How many instances each slot had when it was ready last; what is changed since keeps the size from before."""
    found: dict[Slot, Size] = {}
    for slot, body in view.deployments.items():
        if (state := state_of(body)) == READY:
            found[slot] = (version_of(slot, body).full, capacity(body))
        elif slot in before and state not in {*OVER, "Deleting"}:
            found[slot] = before[slot]
    return found


def observations(
    view: AzureView, why: Mapping[Slot, str], before: Mapping[Slot, Size], going: Collection[Slot] = ()
) -> dict[Slot, Observation]:
    """Each slot as it is, with the weights that the service shows and no proof of them.

    Instances are not told apart there: so many are ready as were asked for once the deployment is, and until a change
    of its size is over as many as before it, be they more than are wanted now. A change that failed is tried by nobody
    again; the slots of `going` are being changed.
    """
    known = sizes(view, before)
    weights, mirror = view.weights, view.mirror
    found: dict[Slot, Observation] = {}
    for slot, body in view.deployments.items():
        version, wanted, state = version_of(slot, body), capacity(body), state_of(body)
        held, size = known.get(slot, ("", 0))
        ready = size if held == version.full else 0
        given_up = (changed_by(body.get("tags")) or state) if state in OVER - {READY} and slot not in going else ""
        text = (why.get(slot) or (f"Azure says {state}" if given_up else "")) if state != READY else ""
        left = ReplicaState.DEAD if state in OVER else ReplicaState.STARTING
        left = ReplicaState.DRAINING if state == "Deleting" else left
        replicas = tuple(
            Replica(
                f"{slot}-{n}", ReplicaState.READY if n <= ready else left, told=False, why="" if n <= ready else text
            )
            for n in range(1, max(wanted, ready) + 1)
        )
        found[slot] = Observation(
            *(slot, version, wanted, ready, weights.get(slot, 0.0), replicas),
            why=text,
            mirror=mirror.get(slot, 0.0),
            given_up=given_up,
        )
    for slot, version in view.asleep().items():
        found[slot] = Observation(slot, version, 0, 0, weights.get(slot, 0.0), mirror=mirror.get(slot, 0.0))
    return found


def version_of(slot: Slot, body: Json) -> Version:
    """The version of a deployment; of one that we did not make the name of its model."""
    found = tagged_version(body.get("tags"))
    if found is not None:
        return found
    model = str((body.get("properties") or {}).get("model") or slot).split("/")
    return Version(model[-3], model[-1]) if len(model) > 3 and model[-2] == "versions" else Version(slot, "unknown")


def capacity(body: Json) -> int:
    """How many instances were asked for."""
    return int((body.get("sku") or {}).get("capacity") or 1)


def state_of(body: Json) -> str:
    """The provisioning state of a deployment."""
    return str((body.get("properties") or {}).get("provisioningState") or "")


def same_route(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether two routes, each with `weights` and `mirror`, send the same traffic to the same slots."""
    return all(plain_shares(one.get(key)) == plain_shares(two.get(key)) for key in ("weights", "mirror"))


def plain_shares(shares: Any) -> dict[Slot, float]:
    """Shares in percent; slots without any are left out."""
    return {slot: float(share) for slot, share in (shares or {}).items() if share}


def asleep_tag(slot: Slot, version: Version | None) -> dict[str, str | None]:
    """The tag that says so of a slot; without a version the one that takes it away."""
    if version is None:
        return {f"{ASLEEP}{slot}": None}
    said = {name: value for name, value in asdict(version).items() if value}
    for dropped in ("digest", "uri", "run_id"):
        if len(json.dumps(said)) > LONGEST_TAG:
            said.pop(dropped, None)
    return {f"{ASLEEP}{slot}": json.dumps(said)}


def _read(text: str) -> Version | None:
    try:
        return Version(**json.loads(text))
    except (ValueError, TypeError):
        return None

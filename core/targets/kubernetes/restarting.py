"""New pods of what stands, under load: with the key of now, one after the other. Called in threads."""

import time
from datetime import UTC, datetime

from core.domain.errors import Failed, Refused
from core.domain.model import Slot
from core.targets.kinds import Note
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.deploying import listed
from core.targets.kubernetes.keys import holds_other, key_moved
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.names import key_name, slot_name
from core.targets.kubernetes.observed import slots_of
from core.targets.kubernetes.paths import DEPLOYMENTS
from core.targets.kubernetes.traffic import holder, traffic_of

RESTARTED = "quarterdeck.dev/restarted"
"""Of pods: when they were asked for anew. Kubernetes makes new ones wherever what describes them is other."""
LOOK_S = 0.5


def restarted(at: ClusterEndpoint, calls: ApiCalls, key: str, note: Note) -> None:
    """Each pod is followed by a new one that is ready before it goes; returns once all are new.

    Raises Refused while pods are shares of a release that goes on, Failed where new pods do not get ready.
    """
    changes = ObjectChanges(at, calls)
    slots = slots_of(at, listed(at, changes))
    if not slots:
        raise Refused(f"{at.called}: nothing stands there")
    if traffic_of(at, changes.owned(holder(at), at.name)).replicas:
        raise Refused(f"{at.called}: a release moves its traffic by pods; restart it once that is over")
    if key and holds_other(changes, key):
        key_moved(changes, key)
        note(f"{at.called}: {key_name(at.name)} holds the key of now; until all pods are new some know the old one")
    for slot in sorted(slots):
        _renewed(changes, slot, note)


def _renewed(changes: ObjectChanges, slot: Slot, note: Note) -> None:
    at, name = changes.at, slot_name(changes.at.name, slot)
    mark = {RESTARTED: datetime.now(UTC).isoformat(timespec="seconds")}
    body = changes.change(DEPLOYMENTS, name, lambda _: {"spec": {"template": {"metadata": {"annotations": mark}}}})
    within_s = at.place.patience.deploy_s + at.endpoint.ready_deadline_s
    until_s, said = time.monotonic() + within_s, ""
    while True:
        new, wanted, over = _progress(body)
        if (text := f"{at.called}: {slot}: {new} of {wanted} pods are new") != said:
            note(said := text)
        if over:
            return
        if time.monotonic() > until_s:
            why = f"{new} of {wanted} pods are new after {within_s:g} s, and the others serve on as they were"
            raise Failed(f"{at.called}: {slot}: {why}; 'quarterdeck status' says what keeps them")
        time.sleep(LOOK_S)
        body = changes.calls.ask("GET", DEPLOYMENTS.path(at.place.namespace, name))


def _progress(deployment: Json) -> tuple[int, int, bool]:
    """How many pods are new and ready, of how many, and whether no other is left."""
    status, wanted = deployment.get("status") or {}, int(deployment["spec"].get("replicas", 1))
    if int(status.get("observedGeneration", 0)) < int(deployment["metadata"]["generation"]):
        return 0, wanted, False
    new, ready, all_of = (int(status.get(one, 0)) for one in ("updatedReplicas", "availableReplicas", "replicas"))
    # Of those that are available some may be old ones: as many as there are beside the new.
    return max(0, min(new, ready - (all_of - new))), wanted, new == ready == all_of == wanted

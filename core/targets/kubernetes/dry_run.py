"""What an apply would change in a cluster, as its server says that tries it and keeps nothing. Called in threads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.domain.errors import BadInput, Refused
from core.targets.kubernetes.api_errors import ApiConflict, ApiMissing, Json, make_namespace
from core.targets.kubernetes.calls import APPLY, MANAGER, ApiCalls
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.differing import differences
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.paths import ROUTES, kind_named, namespace_path
from core.targets.kubernetes.traffic import holder, traffic_of

NAMESPACE = "Namespace"


@dataclass(frozen=True, slots=True)
class DryRun:
    """One object: what would change, and why the server would not take it at all.

    `new`: there is none so far, so that nothing can be told apart. `conflict`: an apply would leave these fields to
    others, and stop there.
    """

    what: str
    new: bool = False
    changes: tuple[str, ...] = ()
    conflict: str = ""
    error: str = ""

    @property
    def same(self) -> bool:
        """Whether an apply would change nothing."""
        return not (self.new or self.changes or self.conflict or self.error)


def compared(at: ClusterEndpoint, calls: ApiCalls, objects: Sequence[Json]) -> list[DryRun]:
    """Every object beside what runs; raises Unreachable where nobody answers, BadInput for a context that is none."""
    return list(_compared(at, ObjectChanges(at, calls), objects))


def _compared(at: ClusterEndpoint, changes: ObjectChanges, objects: Sequence[Json]) -> Iterator[DryRun]:
    there, name = _has_namespace(at, changes.calls), at.place.namespace
    if not there and not at.place.create_namespace:
        # All of it would be new there: the one line that says why is lost among those.
        yield DryRun(f"namespaces/{name}", error=f"there is none; {make_namespace(at.place.context, name)}")
        return
    for body in objects:
        if body["kind"] == NAMESPACE:
            yield DryRun(f"namespaces/{name}", new=not there)
            continue
        what = f"{kind_named(body['kind']).plural}/{body['metadata']['name']}"
        try:
            # In a namespace that is not there the server tries nothing.
            yield (
                _tried(changes, what, body) if there else DryRun(what, new=True, changes=tuple(differences(None, body)))
            )
        except (BadInput, Refused) as error:
            yield DryRun(what, error=str(error))


def _has_namespace(at: ClusterEndpoint, calls: ApiCalls) -> bool:
    """Whether it is there; who may not look at namespaces hears it from the objects."""
    try:
        calls.ask("GET", namespace_path(at.place.namespace))
    except ApiMissing:
        return False
    except Refused:
        return True
    return True


def _tried(changes: ObjectChanges, what: str, body: Json) -> DryRun:
    kind, name = kind_named(body["kind"]), body["metadata"]["name"]
    live = changes.owned(kind, name)
    wanted = _with_traffic(changes.at, live, body) if kind is holder(changes.at) and name == changes.at.name else body
    path, asked = kind.path(changes.at.place.namespace, name), {"fieldManager": MANAGER, "dryRun": "All"}
    held: Mapping[str, list[str]] = {}
    try:
        result = changes.calls.ask("PATCH", path, wanted, kind=APPLY, query=asked)
    except ApiConflict as error:
        # What would come of it is worth seeing all the same: nothing is kept, so nobody loses a field.
        result = changes.calls.ask("PATCH", path, wanted, kind=APPLY, query={**asked, "force": "true"})
        held = error.held
    changed = () if live is None else tuple(differences(live, result))
    return DryRun(what, live is None, changed, _conflict(held))


def _with_traffic(at: ClusterEndpoint, live: Json | None, body: Json) -> Json:
    """The same traffic is the same however it is written down: releases leave other rules than an export has."""
    was, now = traffic_of(at, live), traffic_of(at, body)
    if live is None or (was.weights, was.mirror) != (now.weights, now.mirror):
        return body
    part = "rules" if kind_named(body["kind"]) is ROUTES else "selector"
    return {**body, "spec": {**body["spec"], part: live["spec"][part]}}


def _conflict(held: Mapping[str, list[str]]) -> str:
    """Whose which fields are. What moves traffic is Quarterdeck's own, and yet no apply's."""
    return "; ".join(
        f"{'releases hold' if manager == MANAGER else f'{manager} holds'} {', '.join(sorted(fields)[:4])}"
        for manager, fields in held.items()
    )

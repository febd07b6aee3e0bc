"""The verbs of the API over the store: what a request does once it is known who asks and for what."""

import copy
import random
import uuid
from dataclasses import dataclass, replace

from tests.kubernetes import defaults, patches, schema, validation
from tests.kubernetes.admission import admit
from tests.kubernetes.apply import applied
from tests.kubernetes.clock import SkewedClock
from tests.kubernetes.errors import (
    ApiError,
    Cause,
    already_exists,
    bad_request,
    invalid,
    not_found,
    precondition,
    stale,
)
from tests.kubernetes.fields import fields
from tests.kubernetes.kinds import GATEWAY_GROUP, ApiResource, Json
from tests.kubernetes.managers import Manager, after_update, written
from tests.kubernetes.network import Addresses
from tests.kubernetes.schema import cannot
from tests.kubernetes.storage import Key, ObjectStore

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a write was asked with besides its body."""

    manager: str = "kube-controller-manager"
    subresource: str = ""
    dry_run: bool = False
    strict: bool = False
    force: bool = False
    named: bool = False
    """Was the manager given by the caller?"""


CONTROLLER = WriteOptions()


def random_suffix(length: int = 5) -> str:
    """As generated names end."""
    return "".join(random.choice(_ALPHABET) for _ in range(length))


@dataclass(slots=True)
class Registry:
    """Reads and writes, checked, defaulted and versioned as the API server does."""

    store: ObjectStore
    clock: SkewedClock
    addresses: Addresses

    def read(self, of: ApiResource, namespace: str, name: str) -> Json:
        """The object, or 404."""
        body = self.store.get(of.store, (namespace, name))
        if body is None:
            raise not_found(of, name)
        return body

    def create(self, of: ApiResource, namespace: str, asked: Json, options: WriteOptions = CONTROLLER) -> Json:
        """A new object."""
        body = self._decoded(of, namespace, asked, options)
        metadata = body["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + random_suffix()
        if of.plural == "namespaces":
            body.pop("status", None)
        self._begun(of, namespace, body)
        defaults.filled(of, body)
        self._check(of, body)
        admit(self.store, of, namespace, body)
        if self.store.get(of.store, (namespace, metadata["name"])) is not None:
            raise already_exists(of, metadata["name"])
        writer = self._writer(of, options)
        written(body, after_update(None, body, writer))
        return self._kept(of, body, options)

    def _begun(self, of: ApiResource, namespace: str, body: Json) -> None:
        """What a new object gets, whatever its body says."""
        metadata = body["metadata"]
        for name in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"):
            metadata.pop(name, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = self.clock.stamp()
        if of.namespaced:
            metadata["namespace"] = namespace
        if of.counted:
            metadata["generation"] = 1
        if of.qualified in defaults.FIRST_STATUS:
            body["status"] = copy.deepcopy(defaults.FIRST_STATUS[of.qualified])
        elif of.status:
            body.pop("status", None)
        if of.qualified == "pods":
            body["status"]["qosClass"] = _quality(body)
        if of.qualified == "services":
            self.addresses.given(body)

    def update(self, of: ApiResource, namespace: str, name: str, asked: Json, options: WriteOptions) -> Json:
        """PUT."""
        old = self.read(of, namespace, name)
        body = self._decoded(of, namespace, asked, options)
        if body["metadata"].get("name") != name:
            said = body["metadata"].get("name", "")
            raise bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")
        return self.changed(of, old, body, options)

    def patch(
        self, of: ApiResource, namespace: str, name: str, asked: object, content_type: str, options: WriteOptions
    ) -> tuple[Json, bool]:
        """PATCH; true where an apply made the object."""
        if content_type == APPLY_PATCH:
            return self._apply(of, namespace, name, asked, options)
        old = self.read(of, namespace, name)
        if content_type == JSON_PATCH:
            body = patches.json_patch(old, asked)
        elif not isinstance(asked, dict):
            raise bad_request("error decoding patch: json: cannot unmarshal into Go value of type map")
        elif content_type == STRATEGIC_PATCH:
            if of.group == GATEWAY_GROUP:
                types = ", ".join((JSON_PATCH, MERGE_PATCH, APPLY_PATCH))
                message = f"the body of the request was in an unknown format - accepted media types include: {types}"
                raise ApiError(415, "UnsupportedMediaType", message, {})
            body = patches.strategic(old, asked)
        else:
            body = patches.merge(old, asked)
        try:
            body = schema.pruned(of, body)
            _fractions(of, body)
        except ApiError as error:
            raise invalid(of, "", [Cause.invalid("patch", asked, error.message)]) from error
        return self.changed(of, old, body, options), False

    def _apply(
        self, of: ApiResource, namespace: str, name: str, asked: object, options: WriteOptions
    ) -> tuple[Json, bool]:
        if not options.named:
            cause = Cause.required("fieldManager", "is required for apply patch")
            options_kind = ApiResource("meta.k8s.io", "v1", "patchoptions", "PatchOptions")
            raise invalid(options_kind, "", [cause])
        if not isinstance(asked, dict):
            raise bad_request("error decoding YAML: the body is not an object")
        if unknown := schema.unknown(of, asked):
            kind = f"{of.group_version}, Kind={of.kind}"
            message = f"failed to create typed patch object ({namespace}/{name}; {kind}): .{unknown[0]}"
            raise ApiError(500, "", f"{message}: field not declared in schema")
        body = self._decoded(of, namespace, asked, options)
        body["metadata"].setdefault("name", name)
        old = self.store.get(of.store, (namespace, name))
        writer = replace(self._writer(of, options), operation="Apply")
        if old is None:
            return self._apply_new(of, namespace, body, writer, options), True
        result = applied(old, body, writer, force=options.force)
        return self.changed(of, old, result, options, managed=True), False

    def _apply_new(self, of: ApiResource, namespace: str, body: Json, writer: Manager, options: WriteOptions) -> Json:
        asked = copy.deepcopy(body)
        self._begun(of, namespace, body)
        defaults.filled(of, body)
        self._check(of, body)
        admit(self.store, of, namespace, body)
        written(body, [replace(writer, owned=frozenset(fields(asked)))])
        return self._kept(of, body, options)

    def changed(
        self, of: ApiResource, old: Json, new: Json, options: WriteOptions = CONTROLLER, *, managed: bool = False
    ) -> Json:
        """Write `new` over `old`, as far as the subresource may."""
        metadata = new["metadata"]
        if metadata.get("resourceVersion", old["metadata"]["resourceVersion"]) != old["metadata"]["resourceVersion"]:
            raise stale(of, old["metadata"]["name"])
        body = self._strategy(of, old, new, options)
        defaults.filled(of, body)
        self._check(of, body, old)
        if not managed:
            now = replace(self._writer(of, options), subresource=options.subresource)
            written(body, after_update(old, body, now))
        if _same(old, body, managed=managed):
            return old
        if of.counted and body.get("spec", body.get("endpoints")) != old.get("spec", old.get("endpoints")):
            body["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        return self._kept(of, body, options)

    def _strategy(self, of: ApiResource, old: Json, new: Json, options: WriteOptions) -> Json:
        """What of a write counts: the spec and its metadata, or the status alone."""
        held = old["metadata"]
        if options.subresource == "status":
            return {**copy.deepcopy(old), **({"status": new["status"]} if "status" in new else {})}
        body = copy.deepcopy({**new, "apiVersion": of.group_version, "kind": of.kind})
        for name in ("uid", "creationTimestamp", "namespace", "name", "generation", "deletionTimestamp",
                     "deletionGracePeriodSeconds", "resourceVersion", "generateName"):  # fmt: skip
            body["metadata"].pop(name, None)
            if name in held:
                body["metadata"][name] = held[name]
        if "managedFields" not in body["metadata"] and "managedFields" in held:
            body["metadata"]["managedFields"] = held["managedFields"]
        if of.status or of.qualified in defaults.FIRST_STATUS:
            body.pop("status", None)
            if "status" in old:
                body["status"] = copy.deepcopy(old["status"])
        if of.qualified == "services":
            for name in ("clusterIP", "clusterIPs"):
                if name in old["spec"]:
                    body["spec"].setdefault(name, old["spec"][name])
            self.addresses.given(body, old)
        return body

    def _decoded(self, of: ApiResource, namespace: str, asked: Json, options: WriteOptions) -> Json:
        if asked.get("kind", of.kind) != of.kind or asked.get("apiVersion", of.group_version) != of.group_version:
            went, goes = f"{asked.get('apiVersion')}.{asked.get('kind')}".replace("/", "."), f"{of.group}.{of.kind}"
            message = f'{asked.get("kind")} in version "{of.version}" cannot be handled as a {of.kind}'
            raise bad_request(f"{message}: converting ({went}) to ({goes}): unknown conversion")
        if options.strict and (unknown := schema.unknown(of, asked)):
            said = ", ".join(f'unknown field "{path}"' for path in unknown)
            raise bad_request(f"{cannot(of)}: strict decoding error: {said}")
        body = schema.pruned(of, copy.deepcopy(asked))
        _fractions(of, body)
        body = {"kind": of.kind, "apiVersion": of.group_version, **body}
        metadata = body.setdefault("metadata", {})
        if of.namespaced and metadata.get("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        return body

    def _check(self, of: ApiResource, body: Json, old: Json | None = None) -> None:
        causes = validation.wrong(of, body)
        if old is not None:
            causes += validation.wrong_change(of, old, body)
        if causes:
            raise invalid(of, body["metadata"].get("name", ""), causes)

    def _writer(self, of: ApiResource, options: WriteOptions) -> Manager:
        stamp = self.clock.stamp()
        return Manager(options.manager, "Update", options.subresource, of.group_version, stamp, frozenset())

    def _kept(self, of: ApiResource, body: Json, options: WriteOptions) -> Json:
        if options.dry_run:
            return body
        metadata = body["metadata"]
        key: Key = (metadata.get("namespace", "") if of.namespaced else "", metadata["name"])
        gone = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        if gone and not (of.plural == "pods" and metadata.get("deletionGracePeriodSeconds")):
            if of.plural == "namespaces" and body["spec"].get("finalizers"):
                return self.store.put(of.store, key, body)
            if self.store.get(of.store, key) is not None:
                return self.store.remove(of.store, key)
        return self.store.put(of.store, key, body)

    def status(self, of: ApiResource, body: Json, status: Json) -> Json:
        """Write a status as a controller does; nothing is written where it is the same."""
        key: Key = (body["metadata"].get("namespace", ""), body["metadata"]["name"])
        live = self.store.get(of.store, key)
        if live is None or live["metadata"]["uid"] != body["metadata"]["uid"] or live.get("status") == status:
            return body
        return self.store.put(of.store, key, {**live, "status": status})

    def delete(self, of: ApiResource, namespace: str, name: str, asked: Json, *, dry_run: bool = False) -> Json:
        """Delete by the rules of the kind: with grace, in the foreground, after its finalizers. The object, or {}."""
        body = self.read(of, namespace, name)
        for what, field in (("UID", "uid"), ("ResourceVersion", "resourceVersion")):
            wanted = (asked.get("preconditions") or {}).get(field)
            if wanted is not None and wanted != body["metadata"][field]:
                raise precondition(of, name, what, wanted, body["metadata"][field])
        if dry_run:
            return {}
        policy = asked.get("propagationPolicy") or "Background"
        marked = copy.deepcopy(body)
        metadata = marked["metadata"]
        finalizers = [one for one in metadata.get("finalizers", ()) if one not in {"foregroundDeletion", "orphan"}]
        dependents = self.store.owned.get(metadata["uid"])
        if policy == "Foreground":
            finalizers.append("foregroundDeletion")
        elif policy == "Orphan" and dependents:
            finalizers.append("orphan")
        grace = self._grace(of, body, asked)
        self._mark(marked, finalizers, grace)
        if of.plural == "namespaces":
            marked["status"] = {**marked.get("status", {}), "phase": "Terminating"}
            return self.store.put(of.store, ("", name), marked)
        if not finalizers and not grace:
            if grace is not None and body["metadata"].get("deletionGracePeriodSeconds"):
                self.store.put(of.store, (namespace, name), marked)
            self.store.remove(of.store, (namespace, name))
            return marked if of.plural in {"pods", "services"} else {}
        if marked["metadata"] != body["metadata"]:
            return self.store.put(of.store, (namespace, name), marked)
        return body

    def _grace(self, of: ApiResource, body: Json, asked: Json) -> int | None:
        if of.plural != "pods":
            return None
        if not body["spec"].get("nodeName") or body["status"].get("phase") in {"Succeeded", "Failed"}:
            return 0
        seconds = asked.get("gracePeriodSeconds")
        grace: int = body["spec"].get("terminationGracePeriodSeconds", 30) if seconds is None else seconds
        return grace

    def _mark(self, body: Json, finalizers: list[str], grace: int | None) -> None:
        metadata = body["metadata"]
        fresh = "deletionTimestamp" not in metadata
        if fresh or (grace is not None and grace < metadata.get("deletionGracePeriodSeconds", 0)):
            metadata["deletionTimestamp"] = self.clock.stamp(grace or 0)
            metadata["deletionGracePeriodSeconds"] = grace or 0
        if fresh and "generation" in metadata:
            metadata["generation"] += 1
        if finalizers:
            metadata["finalizers"] = finalizers
        else:
            metadata.pop("finalizers", None)


def _same(old: Json, new: Json, *, managed: bool) -> bool:
    def bare(body: Json) -> Json:
        metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
        return {**body, "metadata": metadata}

    def owners(body: Json) -> list[Json]:
        return [{**one, "time": ""} for one in body["metadata"].get("managedFields") or ()]

    return bare(old) == bare(new) and (not managed or owners(old) == owners(new))


def _fractions(of: ApiResource, body: Json) -> None:
    """A Lease's times have fractions of a second, or are refused."""
    if of.plural != "leases":
        return
    for name in ("renewTime", "acquireTime"):
        stamp = (body.get("spec") or {}).get(name)
        if stamp is not None and "." not in stamp:
            why = f'parsing time "{stamp}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"'
            raise bad_request(f"{cannot(of)}: {why}")


def _quality(body: Json) -> str:
    held = [one.get("resources") or {} for one in body["spec"].get("containers") or ()]
    if not any(one.get("requests") or one.get("limits") for one in held):
        return "BestEffort"
    full = all({"cpu", "memory"} <= (one.get("limits") or {}).keys() for one in held)
    return (
        "Guaranteed"
        if full and all(one.get("requests", one["limits"]) == one["limits"] for one in held)
        else "Burstable"
    )

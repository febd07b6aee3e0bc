"""By what an endpoint's objects are found and known as ours: labels, and annotations that name the version. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.config.config import endpoint_name
from core.config.serving import EndpointSettings
from core.config.settings import Settings
from core.domain.errors import BadInput
from core.domain.model import Slot, Version
from core.images.record import ImageRecord, known
from core.targets.kubernetes.names import dns_label
from core.targets.kubernetes.settings import KubernetesSettings

MANAGER = "quarterdeck"
"""Who manages the fields that we write; also the mark of all that we made, beside which nothing is touched."""
MANAGED = "app.kubernetes.io/managed-by"
ENDPOINT = "quarterdeck.dev/endpoint"
SLOT = "quarterdeck.dev/slot"
_VERSION = {
    name: f"quarterdeck.dev/{name.replace('_', '-')}" for name in ("model", "number", "run_id", "uri", "digest")
}
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ClusterEndpoint:
    """An endpoint as a cluster knows it: `name` is a DNS label, `called` what the project calls it, `record` what is
    known here of a version's image."""

    name: str
    called: str
    endpoint: EndpointSettings
    place: KubernetesSettings
    record: Callable[[Version], ImageRecord | None] = field(default=lambda _: None, repr=False)


def cluster_endpoint(settings: Settings) -> ClusterEndpoint:
    """The endpoint of these settings, also where they serve elsewhere and only describe a cluster; raises BadInput."""
    place = getattr(settings, "kubernetes", None)
    if not isinstance(place, KubernetesSettings):
        raise BadInput("kubernetes: is not set; write 'kubernetes: {context: NAME, namespace: NAME, image: …}'")
    called = endpoint_name(settings)

    def record(version: Version) -> ImageRecord | None:
        return known(settings, version.model, version.number)

    return ClusterEndpoint(dns_label(called), called, settings.endpoint, place, record)


def selector(at: ClusterEndpoint, slot: Slot | None = None) -> dict[str, str]:
    """The labels by which pods of an endpoint are found, or of one of its slots; they never change."""
    return {ENDPOINT: at.name, **({} if slot is None else {SLOT: slot})}


def marks(at: ClusterEndpoint, slot: Slot | None = None) -> dict[str, str]:
    """The labels of an object of ours."""
    return {
        "app": at.name,
        "app.kubernetes.io/name": at.name,
        "app.kubernetes.io/component": "scoring",
        MANAGED: MANAGER,
        **selector(at, slot),
    }


def ours(labels: Mapping[str, str] | None, at: ClusterEndpoint) -> bool:
    """Whether an object was made by us for this endpoint; nothing else may be changed or deleted."""
    found = labels or {}
    return found.get(MANAGED) == MANAGER and found.get(ENDPOINT) == at.name


def metadata(
    at: ClusterEndpoint, name: str, slot: Slot | None = None, version: Version | None = None
) -> dict[str, Any]:
    """The head of an object of an endpoint."""
    of_version = {} if version is None else {"annotations": annotations(version)}
    labels = {**marks(at, slot), **({} if version is None else version_label(version))}
    return {"name": name, "namespace": at.place.namespace, "labels": labels, **of_version}


def version_label(version: Version) -> dict[str, str]:
    """A version's number as the usual label, where it can be one."""
    return {"app.kubernetes.io/version": version.number} if _LABEL_VALUE.fullmatch(version.number) else {}


def annotations(version: Version) -> dict[str, str]:
    """All that is known of a version, which `version_of` reads back."""
    return {key: value for name, key in _VERSION.items() if (value := getattr(version, name))}


def version_of(annotated: Mapping[str, str] | None) -> Version | None:
    """The version that annotations name; None where they name none."""
    found = {name: (annotated or {}).get(key, "") for name, key in _VERSION.items()}
    return Version(**found) if found["model"] and found["number"] else None

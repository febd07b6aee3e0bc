"""What is sent to a workspace, as plain values: field by field what the official client sends for its YAML. Pure.

What is changed is read first and sent back whole, without what the service alone writes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from core.domain.model import Slot, Version
from core.targets.azureml.settings import AzureProbeSettings
from core.targets.azureml.workspace import AzureEndpoint, version_tags

Json: TypeAlias = dict[str, Any]
SCRIPT = "score.py"
AUTH = {"key": "Key", "aad": "AADToken"}
HASH_VERSION = 202208
"""By which rule the service and its clients take the digest of a folder."""
_SUCCESSES = 1
_READ_ONLY = ("createdBy", "createdAt", "lastModifiedAt", "AzureAsyncOperationUri", "azureml.onlineendpointid")


def endpoint(at: AzureEndpoint, location: str, tags: Mapping[str, str]) -> Json:
    """An endpoint that is not there yet, with traffic to nobody."""
    return {
        "tags": {**at.place.tags, **tags},
        "location": location,
        "identity": {"type": "SystemAssigned"},
        "properties": {"authMode": AUTH[at.place.auth], "properties": {}, "mirrorTraffic": {}, "traffic": {}},
    }


def changed_endpoint(
    at: AzureEndpoint,
    found: Json,
    tags: Mapping[str, str | None],
    traffic: Mapping[Slot, float] | None = None,
    mirror: Mapping[Slot, float] | None = None,
) -> Json:
    """An endpoint as it was read, with other tags (None takes one away) and, where it is said, other traffic."""
    held: Json = found.get("properties") or {}
    identity = (found.get("identity") or {}).get("type") or "SystemAssigned"
    said = {"description": held["description"]} if held.get("description") else {}
    return {
        "tags": _tags({**(found.get("tags") or {}), **at.place.tags, **tags}),
        "location": found["location"],
        "identity": {"type": identity},
        "properties": {
            "authMode": held.get("authMode") or AUTH[at.place.auth],
            **said,
            "properties": _kept(held.get("properties")),
            "mirrorTraffic": _shares(held.get("mirrorTraffic") if traffic is None else mirror),
            "traffic": _shares(held.get("traffic") if traffic is None else traffic),
        },
    }


def deployment(
    at: AzureEndpoint,
    location: str,
    version: Version,
    instances: int,
    ids: Mapping[str, str],
    tags: Mapping[str, str],
) -> Json:
    """A version in a slot; `ids` are the model's, the environment's and the code's."""
    place = at.place
    return {
        "tags": {**place.tags, **version_tags(version), **tags},
        "location": location,
        "sku": {"name": "Default", "capacity": instances},
        "properties": {
            "codeConfiguration": {"codeId": ids["code"], "scoringScript": SCRIPT},
            "environmentId": ids["environment"],
            "environmentVariables": environment_variables(version),
            "properties": {},
            "appInsightsEnabled": place.app_insights,
            "endpointComputeType": "Managed",
            "instanceType": place.instance_type,
            "model": ids["model"],
            "livenessProbe": probe(place.liveness),
            "readinessProbe": probe(place.readiness),
            "requestSettings": {
                "maxConcurrentRequestsPerInstance": place.max_concurrent_requests,
                "requestTimeout": duration(place.request_timeout_s),
            },
        },
    }


def resized(found: Json, instances: int, tags: Mapping[str, str]) -> Json:
    """A deployment as it was read, with so many instances."""
    held = {key: value for key, value in (found.get("properties") or {}).items() if key != "provisioningState"}
    return {
        "tags": {**(found.get("tags") or {}), **tags},
        "location": found["location"],
        "sku": {**(found.get("sku") or {"name": "Default"}), "capacity": instances},
        "properties": {**held, "properties": _kept(held.get("properties"))},
    }


def model_version(uri: str, tags: Mapping[str, str], description: str = "") -> Json:
    """A version of a model, whose files lie at `uri`."""
    said = {"description": description} if description else {}
    return {
        "properties": {
            **said,
            "properties": {},
            "tags": dict(tags),
            "isAnonymous": False,
            "isArchived": False,
            "modelType": "custom_model",
            "modelUri": uri,
        }
    }


def environment_version(image: str, conda: str) -> Json:
    """The packages of a version, which are put into an image there."""
    return {"properties": {"isAnonymous": False, "isArchived": False, "condaFile": conda, "image": image}}


def code_version(uri: str, digest: str) -> Json:
    """The folder with the scoring script."""
    held = {"hash_sha256": digest, "hash_version": HASH_VERSION}
    return {"properties": {"properties": held, "isAnonymous": True, "codeUri": uri}}


def conda(python: str, pins: Sequence[str]) -> str:
    """The packages that serving needs and no others, each pinned, in the order and form that the client writes."""
    lines = ["channels:", "- conda-forge", "dependencies:", f"- python={python}", "- pip", "- pip:"]
    return "\n".join([*lines, *(f"  - {pin}" for pin in pins), "name: scoring", ""])


def environment_variables(version: Version) -> dict[str, str]:
    """What the container is told of itself."""
    return {"MODEL_VERSION": version.number}


def probe(settings: AzureProbeSettings) -> Json:
    """How the container is looked at."""
    return {
        "failureThreshold": settings.failures,
        "successThreshold": _SUCCESSES,
        "timeout": duration(settings.timeout_s),
        "period": duration(settings.period_s),
        "initialDelay": duration(settings.initial_s),
    }


def duration(seconds: float) -> str:
    """As ISO 8601 says it: `PT1M30S`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours}H" if hours else "", f"{minutes}M" if minutes else "", f"{rest:g}S" if rest else ""]
    return f"PT{''.join(parts) or '0S'}"


def _tags(tags: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if value is not None}


def _kept(properties: Mapping[str, Any] | None) -> Json:
    return {key: value for key, value in (properties or {}).items() if key not in _READ_ONLY}


def _shares(shares: Mapping[Slot, float] | None) -> dict[Slot, int]:
    return {slot: int(share) for slot, share in (shares or {}).items() if share > 0}

"""What the doctor finds of an endpoint's images: does a pod wait for one, and has the registry those that are meant."""

import asyncio
import base64
import binascii
from collections.abc import Iterator

from core.domain.diagnosis import Diagnoses, Diagnosis, fail, ok, warn
from core.domain.errors import Failed, QuarterdeckError, Refused
from core.domain.image_reference import Reference, parse
from core.images.credentials import Credentials, credentials_in
from core.images.image_registry import ImageRegistry
from core.images.layout import MANIFEST
from core.targets.kubernetes.api_errors import Json, clipped
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import ClusterEndpoint, selector
from core.targets.kubernetes.paths import PODS, SECRETS

PULLS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"}
DOCKER = ".dockerconfigjson"
ASK_S = 8.0
SHOWN = 19
"""So many characters of a digest tell it from others."""


def image(calls: ApiCalls, at: ClusterEndpoint) -> Diagnoses:
    """Whether a pod waits for an image that can't be had, and whether the registry has what the next one will need."""
    pods = pods_of(calls, at)
    if (waits := next(_waiting(pods), None)) is not None:
        return [waits]
    meant = [at.place.image] if at.place.image is not None else sorted(set(_running(pods)))
    if not meant:
        return [ok("each version's own, the one that was pushed from here; no pod waits for one")]
    return [_registered(calls, at, one) for one in meant]


def pods_of(calls: ApiCalls, at: ClusterEndpoint) -> list[Json]:
    """The endpoint's pods, of both slots."""
    asked = ",".join(f"{label}={value}" for label, value in selector(at).items())
    return list(calls.ask("GET", PODS.path(at.place.namespace), query={"labelSelector": asked}).get("items") or ())


def _waiting(pods: list[Json]) -> Iterator[Diagnosis]:
    for pod in pods:
        for one in (pod.get("status") or {}).get("containerStatuses") or ():
            waiting = (one.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in PULLS:
                why = clipped(str(waiting.get("message") or waiting["reason"]))
                told = f"{pod['metadata']['name']}: {waiting['reason']}: {why}"
                yield fail(told, "see that the image is in its registry, and that the pull secret may read it")


def _running(pods: list[Json]) -> Iterator[str]:
    for pod in pods:
        for one in (pod.get("spec") or {}).get("containers") or ():
            if "@sha256:" in str(one.get("image")):
                yield str(one["image"])


def _registered(calls: ApiCalls, at: ClusterEndpoint, text: str) -> Diagnosis:
    """Whether a registry has an image, asked as nodes ask it: with the pull secret, or as nobody."""
    named, _, digest = text.rpartition("@")
    shown = f"{named} at {digest[:SHOWN]}"
    place = parse(named)
    try:
        known = _login(calls, at, place)
        found = asyncio.run(in_registry(place, digest, known))
    except Failed as error:
        told = f"{shown}: no pod waits for it, and its registry does not show it: {error}"
        return (warn if known is None else fail)(told, "see that the pull secret may read the repository")
    except (QuarterdeckError, TimeoutError) as error:
        why = str(error) or f"no answer within {ASK_S:g} s"
        return warn(
            f"{shown}: no pod waits for it, and its registry can't be asked from here: {why}", "nodes may reach it"
        )
    if not found:
        return fail(
            f"{shown} is not in its registry: a new pod can't start", "push it: 'quarterdeck image push VERSION'"
        )
    return ok(f"{shown} is in its registry; no pod waits for one")


async def in_registry(place: Reference, digest: str, known: Credentials | None) -> bool:
    """Whether a registry has a manifest; raises Failed where it refuses, Unreachable or TimeoutError where it can't."""
    registry = ImageRegistry(place, lambda: known)
    try:
        async with asyncio.timeout(ASK_S):
            return await registry.digest_of(digest, MANIFEST) is not None
    finally:
        await registry.close()


def _login(calls: ApiCalls, at: ClusterEndpoint, place: Reference) -> Credentials | None:
    """What the pull secret says of a registry; None where there is none, or it may not be seen."""
    if at.place.pull_secret is None:
        return None
    try:
        data = calls.ask("GET", SECRETS.path(at.place.namespace, at.place.pull_secret)).get("data") or {}
        return credentials_in(base64.b64decode(str(data.get(DOCKER) or "")), place.registry)
    except (Refused, binascii.Error):
        return None

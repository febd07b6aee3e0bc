"""What the doctor asks a cluster about the place: its clock, its metrics, the namespace, rights and quotas."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from core.domain.diagnosis import Diagnoses, Diagnosis, fail, ok, warn
from core.domain.errors import Refused, Unreachable
from core.targets.kubernetes import rights, room
from core.targets.kubernetes.api_errors import ApiMissing, kubectl, make_namespace
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.manifests import bounds
from core.targets.kubernetes.manifests_pod import resources
from core.targets.kubernetes.paths import POD_METRICS, QUOTAS, namespace_path
from core.targets.kubernetes.reaching import gateway_lacks

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
SKEW_S = 10.0
"""Leases and gates compare moments of both clocks; a Date header is in whole seconds."""
REVIEW_S = 3.0
MOST = 6


def clock(calls: ApiCalls, at: ClusterEndpoint) -> Diagnoses:
    """How far the API server's clock is from this machine's."""
    before = time.time()
    _, headers = calls.text("/version")
    try:
        there = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except ValueError:
        return [ok(f"{at.place.context} does not say what time it is there")]
    apart = there - (before + time.time()) / 2
    if abs(apart) > SKEW_S:
        way = "ahead of" if apart > 0 else "behind"
        return [fail(f"{at.place.context} is {abs(apart):.0f} s {way} this machine", "set both clocks by NTP")]
    return [ok(f"{at.place.context} has the same time")]


def metrics(calls: ApiCalls, at: ClusterEndpoint) -> Diagnoses:
    """Whether the API that autoscalers measure by is there."""
    try:
        calls.ask("GET", POD_METRICS.path(at.place.namespace), query={"limit": "1"})
    except Refused as error:
        if not isinstance(error, ApiMissing):
            return [ok("the metrics API is there; whoever asks here may not see its figures")]
        why = "the cluster has no metrics API (metrics.k8s.io)"
    except Unreachable as error:
        why = f"the metrics API is installed and does not answer ({error})"
    else:
        return [ok("the metrics API answers")]
    if at.endpoint.autoscaling is None:
        return [warn(f"{why}: what pods use is not shown", "install metrics-server")]
    return [fail(f"{why}: autoscalers stay where they are", "install metrics-server, or take out endpoint.autoscaling")]


def namespace(calls: ApiCalls, at: ClusterEndpoint) -> Diagnoses:
    """Whether it is there, or may be made."""
    name = at.place.namespace
    make = f"{kubectl(at.place.context)} create namespace {name}"
    try:
        body = calls.ask("GET", namespace_path(name))
    except ApiMissing:
        if not at.place.create_namespace:
            return [fail(f"there is no namespace {name}", make_namespace(at.place.context, name))]
        if not may(calls, rights.review("", "create", "", "namespaces")):
            return [fail(f"there is no namespace {name}, and it may not be made from here", make)]
        return [ok(f"{name} is made by the first release")]
    except Refused:
        return [ok(f"{name} can't be seen with these rights; what may be done in it says 'access'")]
    if (body.get("status") or {}).get("phase") == "Terminating":
        return [fail(f"{name} is being deleted", "wait until it is gone, or name another one")]
    return [ok(f"{name} is there")]


def access(calls: ApiCalls, at: ClusterEndpoint) -> Diagnoses:
    """Whether each thing that a release does may be done, asked of the API server one by one."""
    asked, missing = 0, []
    for need in rights.needs(at):
        for verb in need.verbs:
            asked += 1
            review = rights.review(at.place.namespace, verb, need.group, need.kind.plural, need.sub)
            if not may(calls, review):
                missing.append(f"{verb} {need.resource}")
    if not missing:
        return [*_gateway(calls, at), ok(f"all {asked} rights are there in {at.place.namespace}")]
    told = ", ".join(missing[:MOST]) + (f" and {len(missing) - MOST} more" if len(missing) > MOST else "")
    user = _user(calls)
    return [
        *_gateway(calls, at),
        fail(f"{user or 'whoever logs in here'} may not {told} in {at.place.namespace}", rights.to_apply(at, user)),
    ]


def may(calls: ApiCalls, review: object) -> bool:
    """Whether the API server would let whoever logs in here do what a review asks about."""
    answer = calls.ask("POST", REVIEWS, review, timeout_s=REVIEW_S)
    return bool((answer.get("status") or {}).get("allowed"))


def _user(calls: ApiCalls) -> str:
    """Who the API server takes us for; empty where it does not say."""
    try:
        head = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = calls.ask("POST", WHO, head, timeout_s=REVIEW_S)
    except Refused:
        return ""
    info = (answer.get("status") or {}).get("userInfo") or {}
    return str(info.get("username") or "")


def _gateway(calls: ApiCalls, at: ClusterEndpoint) -> Iterator[Diagnosis]:
    """Where a gateway splits the traffic: whether it is there."""
    try:
        if lacks := gateway_lacks(at, calls):
            told, _, do = lacks.partition("; ")
            yield fail(told, do)
    except Refused as error:
        where = "" if at.place.gateway is None else f" in {at.place.gateway.namespace}"
        yield warn(f"the Gateway can't be seen: {error}", f"a role with get on gateways{where}")


def quota(calls: ApiCalls, at: ClusterEndpoint) -> Diagnoses:
    """Whether one more slot fits beside what runs: with the pods that a release brings up, and with the most."""
    resources(at.endpoint)
    try:
        quotas = calls.ask("GET", QUOTAS.path(at.place.namespace)).get("items") or []
    except Refused:
        return [ok("quotas can't be seen with these rights; the release says it where one is used up")]
    low, high = bounds(at)
    if lacks := list(room.short(quotas, at.endpoint, low)):
        return [fail(f"no room for a release: {'; '.join(lacks)}", "raise the quota, or lower endpoint.replicas")]
    if lacks := list(room.short(quotas, at.endpoint, high)):
        return [warn(f"no room to scale up: {'; '.join(lacks)}", "raise the quota, or lower endpoint.autoscaling.max")]
    if not quotas:
        return [ok(f"{at.place.namespace} has none")]
    return [ok(f"room for {high} pods more in {', '.join(str(one['metadata']['name']) for one in quotas)}")]

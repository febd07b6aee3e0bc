"""What the doctor asks a cluster about one endpoint: its secrets and address, and do its pods answer."""

import os
import socket
from typing import Any

from core.domain.diagnosis import Diagnoses, Diagnosis, fail, ok, warn
from core.domain.errors import QuarterdeckError, Refused
from core.targets.kubernetes.api_errors import ApiMissing, Json, clipped, kubectl
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.doctor_image import pods_of
from core.targets.kubernetes.keys import other_key
from core.targets.kubernetes.labels import ClusterEndpoint, ours
from core.targets.kubernetes.manifests_pod import KEY, PORT
from core.targets.kubernetes.names import key_name
from core.targets.kubernetes.other_way import check_way, leads
from core.targets.kubernetes.paths import PODS, SECRETS, SERVICES
from core.targets.kubernetes.traffic import holder

PULL_TYPES = {"kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"}
PROBE_S = 3.0
MOST = 5
"""So many pods are asked; one line says how many there are."""


def key(calls: ApiCalls, at: ClusterEndpoint) -> Diagnoses:
    """Whether the Secret with the callers' key is there, or can be made, and is the key known here; neither is told."""
    variable, name = at.endpoint.key_env, key_name(at.name)
    if variable is None:
        if at.place.service.type == "LoadBalancer":
            return [warn("no key is asked for, and a load balancer lets everybody in", "set endpoint.key_env")]
        return [ok("none is asked for")]
    given = bool(os.environ.get(variable))
    try:
        body = calls.ask("GET", SECRETS.path(at.place.namespace, name))
    except ApiMissing:
        if given:
            return [ok(f"the release makes the Secret {name} from {variable}")]
        return [fail(f"there is no Secret {name}, and {variable} is not set", f"set {variable} to the endpoint's key")]
    except Refused:
        return [warn(f"the Secret {name} can't be seen with these rights", "see 'access'")]
    if KEY not in (body.get("data") or {}):
        return [fail(f"the Secret {name} holds no {KEY!r}: no pod starts", f"delete it, then release with {variable}")]
    if why := other_key(at, body, os.environ.get(variable, "").strip()):
        what, _, do = why.partition("; ")
        return [warn(what, do)]
    return [ok(f"the Secret {name} is there")]


def pull_secret(calls: ApiCalls, at: ClusterEndpoint) -> Diagnoses:
    """Whether the Secret by which nodes log in to the image's registry is there."""
    name = at.place.pull_secret
    if name is None:
        return [ok("images are pulled without a login")]
    try:
        body = calls.ask("GET", SECRETS.path(at.place.namespace, name))
    except ApiMissing:
        make = f"{kubectl(at.place.context)} -n {at.place.namespace} create secret docker-registry {name} …"
        return [fail(f"there is no Secret {name} in {at.place.namespace}", f"{make}, or kubernetes.pull_secret: null")]
    except Refused:
        return [warn(f"the Secret {name} can't be seen with these rights", "see 'access'")]
    if body.get("type") not in PULL_TYPES:
        told = f"the Secret {name} is of type {body.get('type')}, which logs nobody in"
        return [fail(told, "make it by 'kubectl create secret docker-registry'")]
    return [ok(f"the Secret {name} is there")]


def address(calls: ApiCalls, at: ClusterEndpoint) -> Diagnoses:
    """Whether callers have an address, and it can be reached."""
    changes = ObjectChanges(at, calls)
    try:
        if not leads(at, changes.read(holder(at), at.name)):
            check_way(at, changes)
    except Refused as error:
        what, _, do = str(error).partition("; ")
        return [fail(what, do)]
    if at.place.traffic == "gateway":
        return [ok("callers come through the gateway")]
    try:
        body = calls.ask("GET", SERVICES.path(at.place.namespace, at.name))
    except ApiMissing:
        return [ok(f"the first release makes the Service {at.name}")]
    if not ours((body.get("metadata") or {}).get("labels"), at):
        told = f"there is a Service {at.name} that Quarterdeck has not made, and won't touch"
        return [fail(told, "remove it, or call the endpoint otherwise")]
    if at.place.service.type != "LoadBalancer":
        return [ok(f"{at.name} is reached inside the cluster ({at.place.service.type})")]
    given = ((body.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    known = [str(one.get("hostname") or one.get("ip")) for one in given if one.get("hostname") or one.get("ip")]
    look = f"{kubectl(at.place.context)} -n {at.place.namespace} describe service {at.name}"
    if known:
        return [_connected(known[0], at.place.service.port, look)]
    return [fail(f"the load balancer has given {at.name} no address", f"{look}; or kubernetes.service.type: ClusterIP")]


def _connected(host: str, port: int, look: str) -> Diagnosis:
    """Whether what a load balancer gave can be reached from here."""
    if (why := refused_by(host, port)) is None:
        return ok(f"{host}, port {port}, takes connections")
    rule = f"the firewall's rule for port {port} must let this machine in (security group, loadBalancerSourceRanges)"
    return fail(f"{host}, port {port}, takes no connection from here ({why})", f"{rule}: {look}")


def refused_by(host: str, port: int) -> str | None:
    """Why no connection comes about; None where one does."""
    try:
        socket.create_connection((host, port), PROBE_S).close()
    except OSError as error:
        return "no answer in time" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
    return None


def probes(calls: ApiCalls, at: ClusterEndpoint) -> Diagnoses:
    """Whether pods answer what they are probed with, asked through the API server."""
    pods = [pod for pod in pods_of(calls, at) if not (pod.get("metadata") or {}).get("deletionTimestamp")]
    if not pods:
        return [ok("no pod runs yet")]
    found = [_probe(calls, at, str(pod["metadata"]["name"]), pod) for pod in pods[:MOST]]
    if wrong := [one for one in found if one is not None]:
        return wrong
    return [ok(f"{len(found)} of {len(pods)} pods were asked, and answer /health/ready")]


def _probe(calls: ApiCalls, at: ClusterEndpoint, name: str, pod: Json) -> Diagnosis | None:
    """What is wrong with one pod; None where it answers."""
    phase = str((pod.get("status") or {}).get("phase") or "unknown")
    if phase != "Running":
        why = next((str(one.get("message")) for one in _conditions(pod) if one.get("status") == "False"), "")
        return fail(f"{name} is {phase}{': ' + clipped(why) if why else ''}", "'image' and 'quota' may say why")
    try:
        calls.text(f"{PODS.path(at.place.namespace, f'{name}:{PORT}', 'proxy')}/health/ready", timeout_s=PROBE_S)
    except Refused as error:
        return warn(f"{name} can't be asked: {error}", "see 'access'")
    except QuarterdeckError as error:
        look = f"{kubectl(at.place.context)} -n {at.place.namespace} logs {name}"
        return fail(f"{name} does not answer /health/ready: {error}", look)
    return None


def _conditions(pod: Json) -> list[Any]:
    return list((pod.get("status") or {}).get("conditions") or ())

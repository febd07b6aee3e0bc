"""The Deployment of one slot as a plain object: its pod, what it may use, how it is probed and drained. Pure."""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

from core.config.serving import EndpointSettings
from core.domain.errors import BadInput
from core.domain.model import Slot, Version
from core.targets.kubernetes.labels import (
    ClusterEndpoint,
    annotations,
    marks,
    metadata,
    selector,
    version_label,
)
from core.targets.kubernetes.names import key_name, slot_name

Json: TypeAlias = dict[str, Any]
CONTAINER = "scoring"
MODEL = "/model"
"""Where the model lies in an image."""
PORT = 8080
PORT_NAME = "http"
KEY = "key"
"""Under which name the Secret holds the key of an endpoint's callers."""
USER = 65532
"""Who the container runs as: nobody that an image knows, so that its files can be read and not changed."""
PROBE_S = 2
AWAY_S = 5
"""From a pod's end until it gets no new requests: routers hear of it meanwhile, and it answers what still comes."""
SPARE_S = 5
CONNECTION_S = 3
"""A Service splits connections, not requests: callers who keep theirs come to where traffic goes now within this."""
SCRATCH = "64Mi"
_REVISIONS = 2


def deployment(at: ClusterEndpoint, slot: Slot, version: Version, image: str, replicas: int | None) -> Json:
    """A slot with a version. `replicas` None: an autoscaler owns that figure, and naming it would take it away."""
    scale = {} if replicas is None else {"replicas": replicas}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(at, slot_name(at.name, slot), slot, version),
        "spec": {
            **scale,
            "revisionHistoryLimit": _REVISIONS,
            "progressDeadlineSeconds": math.ceil(at.endpoint.ready_deadline_s + at.place.patience.deploy_s),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": selector(at, slot)},
            "template": {
                "metadata": {
                    "labels": {**marks(at, slot), **version_label(version)},
                    "annotations": annotations(version),
                },
                "spec": pod(at, slot, version, image),
            },
        },
    }


def pod(at: ClusterEndpoint, slot: Slot, version: Version, image: str) -> Json:
    """What one replica is; it keeps to the `restricted` Pod Security Standard."""
    pulled = {} if at.place.pull_secret is None else {"imagePullSecrets": [{"name": at.place.pull_secret}]}
    return {
        **pulled,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_s(at.endpoint),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            _spread(at, slot, "topology.kubernetes.io/zone"),
            _spread(at, slot, "kubernetes.io/hostname"),
        ],
        "containers": [container(at, version, image)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": SCRATCH}}],
    }


def grace_s(endpoint: EndpointSettings) -> int:
    """How long a pod may take to end, in seconds: it answers what it has begun, and what still comes meanwhile."""
    return AWAY_S + math.ceil(endpoint.drain_s) + SPARE_S


def container(at: ClusterEndpoint, version: Version, image: str) -> Json:
    """The server of one replica."""
    return {
        "name": CONTAINER,
        "image": image,
        "command": ["python", "-m", "scoring"],
        "args": arguments(at.endpoint, version),
        **_environment(at),
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "resources": resources(at.endpoint),
        "startupProbe": _probe("ready", math.ceil(at.endpoint.ready_deadline_s / PROBE_S)),
        "readinessProbe": _probe("ready", 2),
        "livenessProbe": {**_probe("live", 3), "periodSeconds": 10, "timeoutSeconds": 5},
        "lifecycle": {"preStop": {"sleep": {"seconds": AWAY_S}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the container's own
    }


def arguments(endpoint: EndpointSettings, version: Version) -> list[str]:
    """What `python -m scoring` is told. A `$` is doubled: Kubernetes puts variables in place of `$(NAME)`."""
    said = {"model": version.model, "version": version.number, "run-id": version.run_id, "uri": version.uri}
    known = [f"--{name}={value.replace('$', '$$')}" for name, value in said.items() if value]
    ends = [f"--drain-s={endpoint.drain_s:g}", f"--connection-s={CONNECTION_S}"]
    return [MODEL, "--host", "0.0.0.0", "--port", str(PORT), *known, *ends]  # noqa: S104


def resources(endpoint: EndpointSettings) -> Json:
    """What a replica may use, which is what it asks for: nobody else's burst can take it away. Raises BadInput."""
    if endpoint.cpu_m is None or endpoint.memory is None:
        missing = "cpu" if endpoint.cpu_m is None else "memory"
        raise BadInput(
            f"endpoint.{missing}: is not set, and a pod without a limit can take a node; write one, 500m, 256Mi"
        )
    cores, rest = divmod(endpoint.cpu_m, 1000)
    amounts = {"cpu": f"{endpoint.cpu_m}m" if rest else str(cores), "memory": endpoint.memory}
    return {"requests": amounts, "limits": dict(amounts)}


def _probe(page: str, failures: int) -> Json:
    asked = {"path": f"/health/{page}", "port": PORT_NAME}
    return {"httpGet": asked, "periodSeconds": PROBE_S, "timeoutSeconds": PROBE_S, "failureThreshold": max(failures, 1)}


def _environment(at: ClusterEndpoint) -> Mapping[str, Any]:
    if at.endpoint.key_env is None:
        return {}
    source = {"secretKeyRef": {"name": key_name(at.name), "key": KEY}}
    return {"env": [{"name": "SCORING_KEY", "valueFrom": source}]}


def _spread(at: ClusterEndpoint, slot: Slot, over: str) -> Json:
    """Over nodes or zones as evenly as there is room: a spread that can't be had keeps no pod from running."""
    return {
        "maxSkew": 1,
        "topologyKey": over,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(at, slot)},
    }

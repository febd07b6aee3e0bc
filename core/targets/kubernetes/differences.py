"""In what a slot is other than the settings of now would have it. Pure."""

from collections.abc import Callable, Iterator

from core.config.quantities import to_bytes, to_cpu_m
from core.targets.kubernetes import manifests
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.labels import ClusterEndpoint


def differences(at: ClusterEndpoint, deployment: Json, autoscaler: Json | None = None) -> Iterator[str]:
    """Each in words: what the slot has, and what the settings say."""
    (container, *_) = deployment["spec"]["template"]["spec"]["containers"]
    limits = (container.get("resources") or {}).get("limits") or {}
    if _other(to_cpu_m, has := limits.get("cpu"), says := at.endpoint.cpu):
        yield f"cpu {has}, not {says}"
    if _other(to_bytes, has := limits.get("memory"), says := at.endpoint.memory):
        yield f"memory {has}, not {says}"
    if at.endpoint.key_env is not None and not container.get("env"):
        yield "no key"
    if autoscaler is not None and at.endpoint.autoscaling is not None:
        low, high = manifests.kept_bounds(autoscaler)
        if (low, high) != (wanted := manifests.bounds(at)):
            yield f"{low} to {high} replicas, not {wanted[0]} to {wanted[1]}"


def _other(amount: Callable[[str], int], has: object, says: str | None) -> bool:
    """Whether two amounts differ, however they are written; one that is not ours is no difference."""
    try:
        return has is not None and says is not None and amount(str(has)) != amount(says)
    except ValueError:
        return False

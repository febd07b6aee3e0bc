"""The `restricted` Pod Security Standard, each rule as a function that says what breaks it.

Source: kubernetes.io/docs/concepts/security/pod-security-standards, its profiles Baseline and Restricted. Written for
plain objects, so that a manifest is judged without a cluster; a field that is not there is judged by its default.
"""

from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
SECCOMP = frozenset({"RuntimeDefault", "Localhost"})
SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
    }
)


def containers(pod: Json) -> Iterator[Json]:
    """Of every kind."""
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        yield from pod.get(kind, ())


def _context(part: Json) -> Json:
    found: Json = part.get("securityContext") or {}
    return found


def host_namespaces(pod: Json) -> Iterator[str]:
    """Baseline: the node's namespaces are not shared."""
    return (name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name))


def privileged(pod: Json) -> Iterator[str]:
    """Baseline: no container is privileged."""
    return (one["name"] for one in containers(pod) if _context(one).get("privileged"))


def capabilities(pod: Json) -> Iterator[str]:
    """Restricted: all are dropped, and none but NET_BIND_SERVICE is added."""
    for one in containers(pod):
        said = _context(one).get("capabilities") or {}
        if "ALL" not in said.get("drop", ()):
            yield f"{one['name']} keeps some"
        yield from (f"{one['name']} adds {name}" for name in said.get("add", ()) if name != "NET_BIND_SERVICE")


def volumes(pod: Json) -> Iterator[str]:
    """Restricted: only volumes that hold nothing of the node."""
    for one in pod.get("volumes", ()):
        yield from (f"{one['name']}: {kind}" for kind in one if kind != "name" and kind not in VOLUMES)


def host_ports(pod: Json) -> Iterator[str]:
    """Baseline: no port of the node."""
    return (one["name"] for one in containers(pod) for port in one.get("ports", ()) if port.get("hostPort"))


def proc_mount(pod: Json) -> Iterator[str]:
    """Baseline: /proc is masked."""
    return (one["name"] for one in containers(pod) if _context(one).get("procMount", "Default") != "Default")


def sysctls(pod: Json) -> Iterator[str]:
    """Baseline: only those that concern nobody else."""
    return (one["name"] for one in _context(pod).get("sysctls", ()) if one["name"] not in SYSCTLS)


def privilege_escalation(pod: Json) -> Iterator[str]:
    """Restricted: no process may gain more than its parent has."""
    return (one["name"] for one in containers(pod) if _context(one).get("allowPrivilegeEscalation", True))


def non_root(pod: Json) -> Iterator[str]:
    """Restricted: each container says so, or the pod does and none says otherwise."""
    whole = _context(pod).get("runAsNonRoot", False)
    return (one["name"] for one in containers(pod) if not _context(one).get("runAsNonRoot", whole))


def user(pod: Json) -> Iterator[str]:
    """Restricted: nobody is user 0."""
    return (str(one.get("name", "pod")) for one in (pod, *containers(pod)) if _context(one).get("runAsUser") == 0)


def seccomp(pod: Json) -> Iterator[str]:
    """Restricted: each container has a profile, its own or the pod's."""
    whole = (_context(pod).get("seccompProfile") or {}).get("type")
    for one in containers(pod):
        own = (_context(one).get("seccompProfile") or {}).get("type", whole)
        if own not in SECCOMP:
            yield f"{one['name']}: {own}"


RULES: dict[str, Callable[[Json], Iterator[str]]] = {
    rule.__name__: rule
    for rule in (
        host_namespaces,
        privileged,
        capabilities,
        volumes,
        host_ports,
        proc_mount,
        sysctls,
        privilege_escalation,
        non_root,
        user,
        seccomp,
    )
}

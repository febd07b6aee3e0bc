"""Addresses: a Service's own, its port on the nodes, and those of pods. Only the ports are real."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.kubernetes.kinds import Json
from tests.ports import free_port

NODE_PORTS = range(30000, 32768)


@dataclass(slots=True)
class Addresses:
    """Gives out what has not been given yet."""

    _services: "itertools.count[int]" = field(default_factory=lambda: itertools.count(258))
    _pods: "itertools.count[int]" = field(default_factory=lambda: itertools.count(2))
    _node_ports: set[int] = field(default_factory=set)

    def pod(self, node_number: int) -> str:
        """The next pod's address on a node."""
        number = next(self._pods)
        return f"10.{244 + number // 65536}.{(node_number * 16 + number // 250) % 256}.{number % 250 + 2}"

    def given(self, service: Json, old: Json | None = None) -> None:
        """Fill in a Service's addresses, in place, keeping those that it has."""
        spec = service["spec"] if "spec" in service else service.setdefault("spec", {})
        if spec.get("type") == "ExternalName":
            return
        if not spec.get("clusterIP"):
            number = next(self._services)
            spec["clusterIP"] = f"10.96.{number // 256}.{number % 256}"
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        if spec.get("type") not in {"NodePort", "LoadBalancer"}:
            return
        held = {_known(port): port.get("nodePort") for port in (old or {}).get("spec", {}).get("ports", ())}
        for port in spec.get("ports") or ():
            if not port.get("nodePort"):
                port["nodePort"] = held.get(_known(port)) or self.node_port()

    def node_port(self) -> int:
        """A port of the nodes' range that nobody listens on here."""
        port = free_port(NODE_PORTS, self._node_ports)
        self._node_ports.add(port)
        return port


def _known(port: Json) -> tuple[Any, Any]:
    return port.get("port"), port.get("protocol", "TCP")

"""What an endpoint on this machine is to be, and where its files lie. Frozen; starts nothing."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from core.domain.errors import BadInput
from core.system.sockets import socket_address
from core.targets.local.hpa import Behavior


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """Between how many replicas to stay, and what to hold: usage in percent of a replica's cpu and memory.

    `fast` runs the autoscaler's clock 7.5 times as fast, for demonstrations. Without `behavior` the defaults
    of the rule hold.
    """

    min: int
    max: int
    cpu_percent: float | None = 60.0
    memory_percent: float | None = None
    fast: bool = False
    behavior: Behavior | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.min <= self.max:
            raise BadInput(f"autoscaling from {self.min} to {self.max} replicas: 1 <= min <= max is needed")


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """One endpoint: where it listens and what each replica may use.

    `folder` keeps all that its host knows. Port 0 chooses one and keeps it. `cpu_m` is in thousandths of a
    core, None for no limit. `service` is the package that loads and serves a model in each replica.
    """

    endpoint: str
    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    cpu_m: int | None = None
    memory_mb: int | None = None
    pyfunc_memory_mb: int | None = None
    autoscaling: Autoscaling | None = None
    key: str = field(default="", repr=False)
    drain_s: float = 10.0
    ready_deadline_s: float = 30.0
    service: str = "scoring"

    def __post_init__(self) -> None:
        if self.cpu_m is not None and self.cpu_m < 10:
            raise BadInput(f"cpu of {self.endpoint}: {self.cpu_m}m is too little to run; 10m is the least")
        scaling = self.autoscaling
        if scaling and scaling.cpu_percent is not None and self.cpu_m is None:
            raise BadInput(f"autoscaling of {self.endpoint} by cpu is in percent of `cpu`: set that too")
        if scaling and scaling.memory_percent is not None and self.memory_mb is None:
            raise BadInput(f"autoscaling of {self.endpoint} by memory is in percent of `memory`: set that too")

    def memory_of(self, worker: bool) -> int | None:
        """What a replica may hold in MB; with a `worker` that runs a model's own packages another limit holds."""
        return self.pyfunc_memory_mb if worker else self.memory_mb

    def to_json(self) -> dict[str, Any]:
        """Everything but the key."""
        plain = asdict(replace(self, key="", folder=Path()))
        del plain["key"], plain["folder"]
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any], folder: Path, key: str = "") -> "EndpointSpec":
        """Back from `to_json`, of another version's too: what this one does not know is left out."""
        fields = _known(cls, plain)
        scaling = fields.pop("autoscaling", None)
        if scaling is not None:
            named = {{"low": "min", "high": "max"}.get(name, name): value for name, value in scaling.items()}
            known = _known(Autoscaling, named)
            behavior = known.pop("behavior", None)
            scaling = Autoscaling(**known, behavior=Behavior.from_json(behavior) if behavior else None)
        return cls(**fields, folder=folder, key=key, autoscaling=scaling)


def _known(cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in cls.__match_args__}  # type: ignore[attr-defined]


def url_of(host: str, port: int) -> str:
    """Where an endpoint answers, as a URL."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def exposed(host: str, key: str) -> str:
    """What is to be said of an endpoint that asks nobody for a key though other machines reach it; else empty."""
    if key or host == "localhost":
        return ""
    with suppress(ValueError):
        if ip_address(host).is_loopback:
            return ""
    return (
        f"it listens on {host} without a key: whoever reaches this machine can call it;"
        " set endpoint.key_env, or endpoint.host: 127.0.0.1"
    )


def socket_path(folder: Path, name: str) -> Path:
    """Where a unix socket of this folder lies: inside, or in a short place when that path is too long."""
    try:
        return Path(socket_address(str(folder), name))
    except PermissionError as error:
        raise BadInput(str(error)) from None

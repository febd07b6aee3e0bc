"""What a host must know again after it was killed: written beside, forced to disk, renamed. It has one writer."""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.domain.errors import BadInput
from core.domain.model import Observation, Slot, Sticky, Version
from core.domain.strategies import MIRROR_MOST
from core.state.codec import noun, plain
from core.targets.local.keys import key_name, key_named, read_key
from core.targets.local.spec import EndpointSpec

FORMAT = 2


@dataclass(frozen=True, slots=True)
class Held:
    """What one slot is to hold. `asked` is what was asked for, `wanted` what the autoscaler made of it since.

    The settings are those of its deployment: what another slot gets later is no business of this one. `served`: it
    has had all traffic.
    """

    version: Version
    model: Path
    asked: int
    wanted: int
    spec: EndpointSpec
    served: bool = False

    @property
    def replicas_of(self) -> tuple[Version, Path, str, str]:
        """What a replica is; with another of these it must be another replica."""
        return self.version, self.model, self.spec.key, self.spec.service

    def to_json(self) -> dict[str, Any]:
        """All of it; the key by its name."""
        key = key_name(self.spec.folder, self.spec.key)
        numbers = {name: getattr(self, name) for name in ("asked", "wanted", "served")}
        return {
            **numbers,
            "version": plain(self.version),
            "model": str(self.model),
            "spec": self.spec.to_json(),
            "key": key,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any], spec: EndpointSpec) -> "Held":
        """Back from `to_json`, with the settings that belong to it."""
        version, model = noun(content["version"]), Path(content["model"])
        return cls(version, model, content["asked"], content["wanted"], spec, content.get("served", False))


@dataclass(frozen=True, slots=True)
class HostState:
    """Everything that was accepted. `token` is the highest of any driver, `generation` that of the routes."""

    spec: dict[str, Any]
    port: int = 0
    token: int = 0
    generation: int = 0
    weights: dict[Slot, float] = field(default_factory=dict)
    mirror: dict[Slot, float] = field(default_factory=dict)
    slots: dict[Slot, Held] = field(default_factory=dict)
    sticky: Sticky | None = None

    def holding(self, slot: Slot, held: Held | None) -> "HostState":
        """With a slot that holds this, or nothing any more."""
        others = {name: one for name, one in self.slots.items() if name != slot}
        return replace(self, slots=others if held is None else {**self.slots, slot: held})

    def observations(self) -> tuple[Observation, ...]:
        """What is accepted though nothing serves it now."""
        weights, mirror = self.weights, self.mirror
        return tuple(
            Observation(slot, held.version, held.wanted, 0, weights.get(slot, 0.0), mirror=mirror.get(slot, 0.0))
            for slot, held in self.slots.items()
        )


def state_path(folder: Path) -> Path:
    """The file in an endpoint's folder."""
    return folder / "state.json"


def save(folder: Path, state: HostState) -> None:
    """Write it so that a crash at any moment, of the machine too, leaves the old or the new one whole."""
    slots = {slot: held.to_json() for slot, held in state.slots.items()}
    names = [name for name in HostState.__slots__ if name != "slots"]
    content = {"format": FORMAT, **{name: plain(getattr(state, name)) for name in names}, "slots": slots}
    beside = folder / ".state.json"
    with beside.open("w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(state_path(folder))
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # The rename itself is on disk only with its folder.
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class StateWriter:
    """The one writer of an endpoint's state: always the newest, one at a time."""

    def __init__(self, folder: Path, newest: Callable[[], HostState]) -> None:
        self._folder = folder
        self._newest = newest
        self._asked = 0
        self._written = 0
        self._lock = asyncio.Lock()

    async def saved(self) -> None:
        """Return once a state at least as new as the present one is on disk; raises OSError."""
        self._asked += 1
        # The thread can't be called back: it keeps its turn even where nobody waits for it any more.
        await asyncio.shield(asyncio.create_task(self._write(self._asked), name="save the state"))

    async def _write(self, turn: int) -> None:
        async with self._lock:
            if self._written < turn:
                newest = self._asked
                await asyncio.to_thread(save, self._folder, self._newest())
                self._written = newest


def load(folder: Path) -> HostState | None:
    """The state of an endpoint's folder, None before its first host; raises BadInput when it can't be read."""
    path = state_path(folder)
    try:
        content = json.loads(path.read_text())
        slots = {slot: _held(folder, held, content) for slot, held in content["slots"].items()}
        sticky = noun(content.get("sticky"))
        content = {**content, "slots": slots, "mirror": _mirror(content["mirror"]), "sticky": sticky}
        return HostState(**{name: content[name] for name in HostState.__slots__})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: not the state of an endpoint ({error}); remove it and release again") from error


def _mirror(kept: dict[Slot, float] | str | None) -> dict[Slot, float]:
    """Who gets a copy. An older version copied all, and kept the slot's name alone."""
    return {kept: MIRROR_MOST} if isinstance(kept, str) else dict(kept or {})


def _held(folder: Path, held: dict[str, Any], content: dict[str, Any]) -> Held:
    """One slot. In format 1 the settings and the key were the endpoint's."""
    first = "spec" not in held
    key = read_key(folder) if first else key_named(folder, held["key"])
    return Held.from_json(held, EndpointSpec.from_json(content["spec"] if first else held["spec"], folder, key))

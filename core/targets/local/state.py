"""What a host must know again after it was killed: written beside, forced to disk, renamed."""

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.domain.errors import BadInput
from core.domain.model import Observation, Slot, Version
from core.state.codec import noun, plain


@dataclass(frozen=True, slots=True)
class Held:
    """What one slot is to hold. `asked` is what was asked for, `wanted` what the autoscaler made of it since."""

    version: Version
    model: Path
    asked: int
    wanted: int


@dataclass(frozen=True, slots=True)
class HostState:
    """Everything that was accepted. `token` is the highest of any driver, `generation` that of the routes."""

    spec: dict[str, Any]
    port: int = 0
    token: int = 0
    generation: int = 0
    weights: dict[Slot, float] = field(default_factory=dict)
    mirror: Slot | None = None
    slots: dict[Slot, Held] = field(default_factory=dict)

    def holding(self, slot: Slot, held: Held | None) -> "HostState":
        """With a slot that holds this, or nothing any more."""
        others = {name: one for name, one in self.slots.items() if name != slot}
        return replace(self, slots=others if held is None else {**self.slots, slot: held})

    def observations(self) -> tuple[Observation, ...]:
        """What is accepted though nothing serves it now."""
        weights = self.weights
        return tuple(
            Observation(slot, held.version, held.wanted, 0, weights.get(slot, 0.0)) for slot, held in self.slots.items()
        )


def state_path(folder: Path) -> Path:
    """The file in an endpoint's folder."""
    return folder / "state.json"


def save(folder: Path, state: HostState) -> None:
    """Write it so that a crash at any moment leaves the old or the new one whole."""
    slots = {
        slot: {"version": plain(held.version), "model": str(held.model), "asked": held.asked, "wanted": held.wanted}
        for slot, held in state.slots.items()
    }
    content = {"format": 1, **{name: getattr(state, name) for name in HostState.__slots__}, "slots": slots}
    beside = folder / ".state.json"
    with beside.open("w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(state_path(folder))


def load(folder: Path) -> HostState | None:
    """The state of an endpoint's folder, None before its first host; raises BadInput when it can't be read."""
    path = state_path(folder)
    try:
        content = json.loads(path.read_text())
        slots = {
            slot: Held(noun(held["version"]), Path(held["model"]), held["asked"], held["wanted"])
            for slot, held in content["slots"].items()
        }
        return HostState(**{name: content[name] for name in HostState.__slots__ if name != "slots"}, slots=slots)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: not the state of an endpoint ({error}); remove it and release again") from error

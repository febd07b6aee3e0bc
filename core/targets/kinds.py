"""The kinds of places that serve models. Each registers itself: `core/targets/NAME/kind.py` holds its `KIND`."""

import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.config.targets import FOLDER, target_names
from core.domain.diagnosis import Examination
from core.domain.errors import BadInput
from core.domain.model import Observation, Scaled, Slot, Version
from core.domain.plan import Plan
from core.system.suggest import did_you_mean
from core.targets.protocol import Target

Models: TypeAlias = Callable[[Version], Awaitable[Path]]
"""Where a version lies on this machine, fetched where it does not."""
Note: TypeAlias = Callable[[str], None]
DEFAULT = "local"


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands at one endpoint, as its place says it now, and in `lines` for people. No `slots`: nothing serves.

    `costs` is what somebody pays for while it stands, `unknown` why the place could not be asked, `refuses` why no
    release may begin there now. `looks` are what its autoscalers came to; None where only a watch says that. `assumed`:
    traffic is what was asked for last, which its place does not show yet. `driver`: who changed it last, where that is
    another machine or another project; empty where it is this one.
    """

    endpoint: str
    kind: str
    slots: tuple[Observation, ...]
    lines: tuple[str, ...]
    costs: tuple[str, ...] = ()
    unknown: str = ""
    looks: Mapping[Slot, Scaled] | None = None
    refuses: str = ""
    assumed: bool = False
    driver: str = ""


class TargetKind(Protocol):
    """What one kind of place does beyond a `Target`. An endpoint is named, for it may be older than the settings."""

    def opened(self, settings: Settings, models: Models, environ: Mapping[str, str] | None) -> Callable[[int], Target]:
        """The endpoint of these settings, for whichever driver holds a token; raises BadInput for what can't work."""
        ...

    def key(self, settings: Settings, endpoint: str) -> str:
        """The key that the endpoint's callers send, where it is known here; else empty."""
        ...

    async def standing(self, root: Path, settings: Sequence[Settings]) -> Sequence[Standing]:
        """What stands at the endpoints of these settings, and what else is left of the project in `root`."""
        ...

    async def stop(self, settings: Settings, endpoint: str) -> bool:
        """Drain and remove all that is ours of an endpoint; False where nothing is. Raises QuarterdeckError."""
        ...

    async def restart(self, settings: Settings, endpoint: str, note: Note) -> None:
        """Change what serves for new processes of the package installed now, under load. Raises QuarterdeckError."""
        ...

    def doctor(self, settings: Sequence[Settings]) -> Sequence[Examination]:
        """What `quarterdeck doctor` looks at for these endpoints, which are served or trained for at the place; without
        any, what the machine must have.

        Nothing is looked at before each is asked, and none changes anything.
        """
        ...


@runtime_checkable
class Forewarning(Protocol):
    """A kind of place that says by a cheap look why a release can't go there, before anything is trained for it."""

    async def beforehand(self, settings: Settings, plan: Plan) -> Sequence[str]:
        """Each reason in a line; nothing where none is seen. Raises Unreachable where nobody answers."""
        ...


@runtime_checkable
class TrainingPlace(Protocol):
    """A kind of place that can train for a release, wherever that serves, and says by a cheap look why it can't."""

    async def training_beforehand(self, settings: Settings) -> Sequence[str]:
        """Each reason in a line; nothing where none is seen. Raises Unreachable where nobody answers."""
        ...


@cache
def kind_of(name: str) -> TargetKind:
    """The kind of a name, loaded with its first use; raises BadInput."""
    if name not in (known := target_names()):
        raise BadInput(f"target {name!r} is none of {', '.join(known)}{did_you_mean(name, known)}")
    kind: TargetKind = importlib.import_module(f"{FOLDER}.{name}.kind").KIND
    return kind


async def standing(root: Path, settings: Sequence[Settings]) -> list[Standing]:
    """What stands at every endpoint of a project, whatever the place; on this machine also what no setting names."""
    found: list[Standing] = []
    for name in sorted({DEFAULT, *(one.target for one in settings)}):
        found += await kind_of(name).standing(root, [one for one in settings if one.target == name])
    return found


async def standing_at(settings: Settings) -> Standing:
    """What stands at one endpoint, as its place says it now; without slots and lines where nothing does."""
    name = endpoint_name(settings)
    found = await kind_of(settings.target).standing(settings.folder, [settings])
    return next((one for one in found if one.endpoint == name), Standing(name, settings.target, (), (), looks={}))

"""What a target adds to the settings, found by its folder: `core/targets/NAME/settings.py` holds a class `PART`.

A project may say `target: NAME`, and under `NAME:` what that part takes.
"""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from core.config.quantities import SettingsPart
from core.config.serving import EndpointSettings
from core.domain.model import Slot
from core.domain.plan import SLOTS, Patience, Step, UsualSpans

FOLDER = "core.targets"


class TargetSettings(SettingsPart):
    """What a plan must know of every target; a target's own part says where it is otherwise, and adds its settings."""

    slots: ClassVar[tuple[Slot, ...]] = SLOTS

    @classmethod
    def usual(cls, environment: str, folder: Path, environ: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG003
        """Settings of a project that serves here where it says nothing itself, all of them by their names."""
        return {}

    @classmethod
    def written_in(cls, folder: Path, environ: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG003
        """Where those of its own settings in `usual` stand that somebody wrote elsewhere: a variable, a file's line."""
        return {}

    @property
    def patience(self) -> Patience:
        """How long this place may take."""
        return Patience()

    @property
    def usual_spans(self) -> UsualSpans:
        """How long this place takes as a rule, where nothing was released to it yet."""
        return UsualSpans()

    @property
    def tolerance(self) -> float:
        """By how many percent points the shares that are really there may miss what was asked for."""
        return 0.01

    @property
    def where(self) -> str:
        """Which place it is, in words that stand on the screen behind the target's name; empty: there is only one."""
        return ""

    @property
    def shared(self) -> bool:
        """Whether other machines, with journals of their own, may change what serves here."""
        return False

    def cannot(self, step: Step) -> str:  # noqa: ARG002 - for targets that can do less
        """Why this place can't do a step, with what to write instead; empty where it can."""
        return ""

    def given(self, percent: float, endpoint: EndpointSettings) -> str:  # noqa: ARG002 - for targets that count pods
        """By what a share comes about here, and which one it really is, as a plan says it behind it; empty: exactly."""
        return ""

    @property
    def pairs(self) -> bool:
        """Whether each answer to a copy is put beside the one that the user got; else both are only counted."""
        return True

    def unmeasured(self, metric: str) -> str:  # noqa: ARG002 - for targets that are told less
        """Why nobody knows a gate's metric here, with what to do; empty where it is measured."""
        return ""

    @property
    def uncounted(self) -> str:
        """Why answers to copies of requests are not known here; empty where they are counted."""
        return ""

    @property
    def packs(self) -> bool:
        """Whether a version must be an image in a registry before it is deployed here."""
        return False

    @property
    def least(self) -> int:
        """How few replicas a slot without traffic may be asked for by hand."""
        return 1

    @property
    def beforehand(self) -> str:
        """Why a version can't be trained and deployed here in one release, with what to do; empty where it can."""
        return ""

    def apart(self, names: Sequence[str]) -> str:  # noqa: ARG002 - for targets that have fewer names than people
        """Which endpoints of these names would get into each other's way here, in a line; empty where none would."""
        return ""


@cache
def target_names() -> tuple[str, ...]:
    """Every target there is; none of them is loaded by that."""
    spec = importlib.util.find_spec(FOLDER)
    folders = [] if spec is None else [Path(place) for place in spec.submodule_search_locations or ()]
    return tuple(sorted({found.parent.name for folder in folders for found in folder.glob("*/settings.py")}))


@cache
def target_parts() -> Mapping[str, type[TargetSettings]]:
    """The part that each target adds to the settings."""
    return {name: importlib.import_module(f"{FOLDER}.{name}.settings").PART for name in target_names()}

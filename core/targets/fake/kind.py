"""The fake target as one kind of place: one in memory for each endpoint, for as long as this process lives."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.config.config import endpoint_name
from core.config.settings import Settings
from core.domain.diagnosis import Diagnoses, Examination, warn
from core.domain.errors import Refused
from core.targets.fake.client import FakeTarget
from core.targets.fake.place import Delays, FakePlace
from core.targets.fake.settings import FakeSettings
from core.targets.kinds import Models, Note, Standing
from core.targets.protocol import Target

NAME = "fake"


class FakeKind:
    """Endpoints that serve nothing."""

    def __init__(self) -> None:
        self._places: dict[tuple[Path, str], FakePlace] = {}

    def place(self, settings: Settings, endpoint: str) -> FakePlace:
        """The place of one endpoint, as its settings describe it."""
        wanted = settings.place if isinstance(settings.place, FakeSettings) else FakeSettings()
        late_s = wanted.late_s
        place = self._places.setdefault((settings.folder, endpoint), FakePlace())
        place.delays = Delays(accept_s=late_s, ready_s=late_s, route_s=late_s, remove_s=late_s, heal_s=late_s)
        place.miss(wanted.misses_by)
        return place

    def opened(self, settings: Settings, models: Models, environ: Mapping[str, str] | None) -> Callable[[int], Target]:
        """A target over the place of this endpoint. Nothing is fetched, and nobody needs a key."""
        place = self.place(settings, endpoint_name(settings))
        return lambda token: FakeTarget(place, token=token)

    def key(self, settings: Settings, endpoint: str) -> str:
        """Nobody answers, and nobody asks for one."""
        return ""

    async def standing(self, root: Path, settings: Sequence[Settings]) -> Sequence[Standing]:
        """What this process has put there."""
        names = {(one.folder, endpoint_name(one)) for one in settings}
        places = {name: place for (folder, name), place in self._places.items() if (folder, name) in names}
        lines = ("place    in memory, gone with the process that drives it",)
        return [Standing(name, NAME, tuple(place.slots.values()), lines) for name, place in places.items()]

    async def stop(self, settings: Settings, endpoint: str) -> bool:
        """Forget the place; False where none was."""
        return self._places.pop((settings.folder, endpoint), None) is not None

    async def restart(self, settings: Settings, endpoint: str, note: Note) -> None:
        """There are no processes."""
        raise Refused(f"{endpoint}: a fake place has no processes to change")

    def doctor(self, settings: Sequence[Settings]) -> Sequence[Examination]:
        """That nobody mistakes it for one that serves."""
        return [Examination("place", _in_memory, endpoint_name(one)) for one in settings]


async def _in_memory() -> Diagnoses:
    return [warn("fake: in memory, and answers nobody", "set target: local, or another that serves")]


KIND = FakeKind()

"""Kubernetes as one kind of place: what it serves can be written out as files, and is not released to yet."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.config.settings import Settings
from core.domain.diagnosis import Examination
from core.domain.errors import BadInput
from core.targets.kinds import Models, Note, Standing
from core.targets.kubernetes import doctor
from core.targets.protocol import Target

NOT_YET = "releasing to a cluster is not built yet"


class KubernetesKind:
    """Endpoints in a namespace of a cluster."""

    def opened(self, settings: Settings, models: Models, environ: Mapping[str, str] | None) -> Callable[[int], Target]:
        """Raises BadInput: nothing is released there."""
        raise BadInput(f"kubernetes: manifests can be exported (quarterdeck export kubernetes); {NOT_YET}")

    def key(self, settings: Settings, endpoint: str) -> str:
        """None is known here."""
        return ""

    async def standing(self, root: Path, settings: Sequence[Settings]) -> Sequence[Standing]:
        """Nothing was put there."""
        return []

    async def stop(self, settings: Settings, endpoint: str) -> bool:
        """Nothing is there to stop."""
        return False

    async def restart(self, settings: Settings, endpoint: str, note: Note) -> None:
        """There is nothing to change; raises BadInput."""
        raise BadInput(f"{endpoint}: {NOT_YET}")

    def doctor(self, settings: Sequence[Settings]) -> Sequence[Examination]:
        """What the cluster says of each endpoint's place."""
        return doctor.examinations(settings)


KIND = KubernetesKind()

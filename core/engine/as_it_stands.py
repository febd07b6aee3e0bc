"""What serves at places that other machines change too, asked before a release is planned: no journal knows it all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.config.config import endpoint_name
from core.config.planner import Wishes
from core.domain.errors import Refused, Unreachable
from core.engine.project import Project
from core.state.snapshot import Snapshot
from core.targets.kinds import Standing, standing_at


@dataclass(frozen=True, slots=True)
class AsItStands:
    """The journal's state with the slots as their places have them. By endpoint: why a place could not be asked
    (`unknown`), and why no release may begin there now (`refuses`)."""

    snapshot: Snapshot
    unknown: Mapping[str, str] = field(default_factory=dict)
    refuses: Mapping[str, str] = field(default_factory=dict)

    def check(self, name: str) -> None:
        """Raises Refused where a release may not begin, Unreachable where nobody knows over what it would."""
        if name in self.refuses:
            raise Refused(f"{name}: {self.refuses[name]}")
        if name in self.unknown and self.snapshot.endpoint(name).served is None:
            raise Unreachable(f"{name}: not known what serves there: {self.unknown[name]}")


def deploys(project: Project, wishes: Wishes) -> bool:
    """Whether a release by these wishes comes to its place at all."""
    return "deploy" not in (*wishes.skip, *project.settings.skip)


def with_slots(snapshot: Snapshot, place: Standing) -> Snapshot:
    """The state with an endpoint's slots as its place has them."""
    endpoint = replace(snapshot.endpoint(place.endpoint), slots={seen.slot: seen for seen in place.slots})
    return replace(snapshot, endpoints={**snapshot.endpoints, place.endpoint: endpoint})


async def as_it_stands(members: Sequence[Project], snapshot: Snapshot) -> AsItStands:
    """Asks the place of each endpoint that others may change; of the rest the journal knows all."""
    unknown: dict[str, str] = {}
    refuses: dict[str, str] = {}
    for one in members:
        settings, name = one.settings, endpoint_name(one.settings)
        if not settings.place.shared:
            continue
        place = await standing_at(settings)
        if place.unknown:
            unknown[name] = place.unknown
            continue
        snapshot = with_slots(snapshot, place)
        endpoint = snapshot.endpoint(name)
        if endpoint.serving is not None and endpoint.served is None:
            ends = f"{one.typed(f'down --confirm {settings.environment}')} takes it away"
            refuses[name] = f"{endpoint.serving} serves there, and nothing says which version that is; {ends}"
        elif place.refuses:
            refuses[name] = place.refuses
    return AsItStands(snapshot, unknown, refuses)

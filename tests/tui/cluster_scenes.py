"""Moments of a recorded cluster as the deck gets to know them: what its objects say, as events."""

from core.domain.model import Scaled
from core.domain.sample import Sample
from core.state import events as ev
from core.state.events import Event
from core.targets.kubernetes.looks import looks
from core.targets.kubernetes.observed import observed
from core.targets.kubernetes.paths import SERVICES
from core.targets.kubernetes.pod_use import usages
from core.targets.kubernetes.pods import PodReplicas
from core.targets.kubernetes.traffic import traffic_of
from core.targets.kubernetes.watching import ClusterView
from tests.targets.kubernetes.played import AT, Recording
from tests.targets.kubernetes.told_server import Json

BEGUN = 1795252489.0
"""When the recordings were made, about; in seconds since the epoch."""


class Objects:
    """What a cluster has, without a server before it."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Json] = {}
        self.usage: list[Json] | None = None
        self.answers = ""

    def put(self, plural: str, body: Json) -> None:
        """An object is new or other than before."""
        self.found[plural, body["metadata"]["name"]] = body

    def remove(self, plural: str, name: str) -> None:
        """An object is gone."""
        del self.found[plural, name]


def at(name: str, until_s: float, serves: str = "blue", step_s: float = 15.0) -> list[Event]:
    """A recording until a second of it, looked at each so many seconds."""
    objects, read = Objects(), PodReplicas()
    playing = Recording(objects, name, serves)
    told: list[Event] = []
    last: dict[str, Scaled] = {}

    def tell(body: ev.Body) -> None:
        told.append(Event(len(told) + 1, BEGUN + playing.at_s, "watch", body))

    tell(ev.Opened("late", "http://10.96.1.2:80", "prod", "kubernetes prod-eu/flights", production=True))
    if serves:
        tell(ev.Routed("late", {serves: 100.0}))
        tell(ev.Verified("late", {serves: 100.0}, 38.0, 22))
    while playing.at_s < until_s:
        playing.to(min(until_s, max(0.3, playing.at_s + step_s)))
        view = ClusterView(dict(objects.found))
        traffic = traffic_of(AT, view.get(SERVICES, AT.name))
        for seen in observed(AT, view, traffic, read, usages(objects.usage or ())).values():
            tell(ev.Observed("late", seen))
            if seen.weight:
                sample = Sample(seen.slot, BEGUN + playing.at_s, 12 * seen.ready, mix={"version:6": 12 * seen.ready})
                tell(ev.Sampled("late", sample))
        for slot, look in looks(AT, view, BEGUN + playing.at_s, last).items():
            last[slot] = look
            tell(ev.Looked("late", look))
    return told

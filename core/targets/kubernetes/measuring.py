"""Asks every pod, second by second, what it has counted: by way of the API server, which reaches them all."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from core.domain.errors import QuarterdeckError, Refused
from core.domain.model import Slot
from core.domain.sample import Sample
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import ClusterEndpoint, version_of
from core.targets.kubernetes.manifests_pod import PORT
from core.targets.kubernetes.observed import pods_of, slots_of
from core.targets.kubernetes.paths import PODS
from core.targets.kubernetes.pod_use import PodUsages
from core.targets.kubernetes.scraping import PodMeter
from core.targets.kubernetes.threads import side_by_side
from core.targets.kubernetes.traffic import RoutedTraffic
from core.targets.kubernetes.watching import ClusterView
from core.targets.local.counters import Exposition, parse
from core.targets.local.scraped import Scraped

EVERY_S, ANSWER_S, ROUND_S = 1.0, 1.0, 3.0
LOOK_S, REST_S = 0.5, 0.4
"""Who proves a share waits so long for pods to say what they answered, and looks again so much later."""
ANSWERS = "scoring_requests_total{"
MOST = 50
"""So many pods are asked a second: of more, each when its turn comes."""
FORBIDDEN_S = 60.0


class PodMeasurer:
    """Turns pages of counters into samples. `forbidden` says why none can be had, where that is so."""

    def __init__(self, at: ClusterEndpoint, calls: ApiCalls, key: str) -> None:
        self._at = at
        self._calls = calls
        self._headers = {"x-api-key": key} if key else {}
        self._meter = PodMeter(time.time())
        self.usages = PodUsages(at, calls)
        self._rests_until_s = 0.0
        self._turn = 0
        self.forbidden = ""

    def measure(self, view: ClusterView, traffic: RoutedTraffic) -> list[Sample]:
        """One sample of each slot that users come to, or copies of what they ask: nobody got those answers.

        What a slot answers beside that was asked by those who try it out.
        """
        copied = traffic.mirror
        serves = {slot for slot, weight in {**traffic.weights, **traffic.mirror}.items() if weight > 0}
        new = self.usages.asked()
        if time.monotonic() < self._rests_until_s:
            return []
        pods = {slot: [one for one in found if _runs(one)] for slot, found in pods_of(self._at, view).items()}
        self._meter.living({one["metadata"]["uid"] for found in pods.values() for one in found})
        asked = self._in_turn([(slot, one) for slot, found in pods.items() for one in found])
        for (slot, one), page in zip(asked, self._pages([one for _, one in asked]), strict=True):
            if page is not None:
                self.forbidden = ""
                self._meter.take(Scraped(one["metadata"]["uid"], 0, slot=slot if slot in serves else ""), page)
        versions = {
            slot: version_of(body["metadata"].get("annotations")) for slot, body in slots_of(self._at, view).items()
        }
        labels = {slot: f"version:{version.number}" for slot, version in versions.items() if version is not None}
        names = {slot: [one["metadata"]["name"] for one in found] for slot, found in pods.items()}
        uses = self.usages.of_slots(names) if new else {}
        return [
            replace(one, use=uses.get(one.slot or ""), mirrored=_answers(one) if one.slot in copied else 0)
            for one in self._meter.samples(labels, time.time())
        ]

    def at_rest(self, view: ClusterView, slots: Collection[Slot]) -> bool:
        """Whether the pods of some slots answer nothing for a moment, as far as they say so in time.

        A pod whose counters can't be had holds up nobody: what answers have shown does not depend on it.
        """
        found = pods_of(self._at, view)
        pods = [one for slot in slots for one in found.get(slot, []) if _runs(one)]
        before = self._answered(pods)
        if not before:
            return True
        time.sleep(REST_S)
        after = self._answered([one for one in pods if one["metadata"]["uid"] in before])
        return all(count <= before[who] for who, count in after.items())

    def _answered(self, pods: Sequence[Json]) -> dict[str, int]:
        """How many answers each pod has given so far, of those that say it in time."""
        pages = side_by_side(lambda one: self._page(one["metadata"]["name"], LOOK_S), pods, LOOK_S)
        said = zip(pods, pages, strict=True)
        return {one["metadata"]["uid"]: _total(page) for one, page in said if page is not None}

    def _in_turn(self, pods: list[tuple[Slot, Json]]) -> list[tuple[Slot, Json]]:
        """Those to ask now: each in its turn where there are many, and what it counted since is of all that time."""
        if len(pods) <= MOST:
            return pods
        pods.sort(key=lambda one: str(one[1]["metadata"]["uid"]))
        first, self._turn = self._turn % len(pods), (self._turn + MOST) % len(pods)
        return [*pods[first:], *pods[:first]][:MOST]

    def _pages(self, pods: Sequence[Json]) -> list[Exposition | None]:
        """Side by side: one that hangs holds up no other, and no more than a second's round."""
        return side_by_side(lambda one: self._page(one["metadata"]["name"]), pods, ROUND_S)

    def _page(self, name: str, timeout_s: float = ANSWER_S) -> Exposition | None:
        """What a pod has counted until now; None where it does not say."""
        path = PODS.path(self._at.place.namespace, f"{name}:{PORT}", "proxy/metrics")
        try:
            return parse(self._calls.text(path, headers=self._headers, timeout_s=timeout_s)[0])
        except Refused as error:
            # A pod that has gone is missing; one that may not be asked is a rule that is missing.
            if "may not" in str(error):
                self.forbidden, self._rests_until_s = str(error), time.monotonic() + FORBIDDEN_S
            return None
        except (QuarterdeckError, ValueError):
            return None


def _total(page: Exposition) -> int:
    return sum(int(value) for name, value in page.values.items() if name.startswith(ANSWERS))


def _answers(sample: Sample) -> int:
    return sample.requests + sum(sample.refused.values())


def _runs(pod: Mapping[str, object]) -> bool:
    status = pod.get("status")
    return isinstance(status, dict) and status.get("phase") == "Running"

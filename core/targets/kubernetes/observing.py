"""What a target reports: the slots as a cluster has them, weights once answers proved them, and what pods counted.

Threads watch, ask and measure; they hand over what is new to whoever reads on a loop, and wait for nobody.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Collection
from functools import partial

from core.domain.errors import QuarterdeckError, Refused, TakenOver
from core.domain.model import Level, Noted, Observation, OtherDriver, Slot
from core.domain.sample import Sample
from core.system.aside import aside
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.event_news import EventNews
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.lease import RENEW_S, ReleaseLease
from core.targets.kubernetes.lease_holder import holder_of
from core.targets.kubernetes.looks import looks
from core.targets.kubernetes.measuring import EVERY_S, PodMeasurer
from core.targets.kubernetes.news import ClusterNews
from core.targets.kubernetes.observed import observed, pods_of, slots_of
from core.targets.kubernetes.other_way import check_way, leads
from core.targets.kubernetes.paths import LEASES
from core.targets.kubernetes.pod_logs import PodLogs
from core.targets.kubernetes.pods import PodReplicas
from core.targets.kubernetes.proving import AGAIN_S, proof_key, proof_look
from core.targets.kubernetes.reaching import answerer
from core.targets.kubernetes.traffic import holder, traffic_of
from core.targets.kubernetes.watching import ClusterView, ClusterWatch
from core.targets.protocol import Report
from core.targets.proving import ProvedWeights

LOGS_S = 1.0
REST, MOST_REST_S = 9.0, 0.5
"""After each look at everything so many times as long is not looked, and never longer than this."""
log = logging.getLogger("quarterdeck")


class ClusterReader:
    """One who reads reports on a loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.changed = asyncio.Event()
        self.queue: list[Noted | Sample] = []

    def tell(self, *reports: Noted | Sample) -> None:
        """Hand over from any thread; a loop that has ended wants nothing more."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, reports)

    def _take(self, reports: tuple[Noted | Sample, ...]) -> None:
        self.queue.extend(reports)
        self.changed.set()


class ClusterObserver:
    """Everything that one target has to say, for as many readers as there are."""

    def __init__(
        self, at: ClusterEndpoint, calls: ApiCalls, changes: ObjectChanges, lease: ReleaseLease, key: str
    ) -> None:
        self._at = at
        self._calls = calls
        self._changes = changes
        self._lease = lease
        self._due = threading.Event()
        self._keeping: threading.Thread | None = None
        self._readers: set[ClusterReader] = set()
        self._weights = ProvedWeights(self.told, "kubernetes proof", AGAIN_S)
        self._measurer = PodMeasurer(at, calls, key)
        self._read = PodReplicas()
        self._ask = answerer(at, calls)
        self._watch: ClusterWatch | None = None
        self._closed = threading.Event()
        self._events = EventNews(at, calls, self.note, self._closed)

    def begin(self, watch: ClusterWatch) -> None:
        """There is something to observe."""
        self._watch = watch
        self._weights.start()
        self._events.start()
        threading.Thread(target=self._measure, name="kubernetes samples", daemon=True).start()

    def keep(self) -> None:
        """Say from now on that the driver lives."""
        if self._keeping is None or not self._keeping.is_alive():
            self._keeping = threading.Thread(target=self._renew, name="kubernetes lease", daemon=True)
            self._keeping.start()

    def renew(self) -> None:
        """Say it now, with what the claim is held for."""
        self._due.set()

    def close(self) -> None:
        """End readers and threads."""
        self._closed.set()
        self._due.set()
        self._weights.close()
        self._events.wake()
        if self._watch is not None:
            self._watch.close()
        self.told()

    def note(self, note: Noted) -> None:
        """Say something in words."""
        for one in list(self._readers):
            one.tell(note)

    def told(self) -> None:
        """Something is other than before."""
        for one in list(self._readers):
            one.tell()

    async def reports(self) -> AsyncIterator[Report]:
        """All that is true, then Synced, then each change, until closed."""
        reader = ClusterReader()
        self._readers.add(reader)
        told, checked = ClusterNews(), False
        try:
            reader.changed.set()
            while not self._closed.is_set():
                await reader.changed.wait()
                reader.changed.clear()
                if self._watch is None or not self._watch.synced:
                    if self._watch is not None and self._watch.error is not None:
                        raise self._watch.error
                    continue
                begun_s = time.monotonic()
                view = self._watch.view()
                if not checked:
                    # What is seen by the wrong kind of object is not true: then nothing is said but that.
                    await self._by_its_way(view)
                    checked = True
                slots = self._slots(view)
                seen = looks(self._at, view, time.time() - view.silent_s, told.looks)
                for news in told.of(view, slots, seen, self._other(view)):
                    yield news
                reports, reader.queue = reader.queue, []
                for report in reports:
                    yield report
                # Of a thousand pods one changes at every moment: what that costs is a small part of the time.
                await asyncio.sleep(min(MOST_REST_S, REST * (time.monotonic() - begun_s)))
        finally:
            self._readers.discard(reader)

    async def _by_its_way(self, view: ClusterView) -> None:
        """Raises Refused where traffic goes by another kind of object than the settings name."""
        if slots_of(self._at, view) and not leads(self._at, view.get(holder(self._at), self._at.name)):
            await aside(lambda: check_way(self._at, self._changes), "kubernetes traffic")

    async def logs(self, slot: Slot, replica: str, lines: int) -> AsyncIterator[str]:
        """The last lines, then each new one, until closed."""
        reading = PodLogs(self._calls, self._at.place.namespace, lines)
        while not self._closed.is_set():
            names = [replica] if replica else self._pods(slot)
            for line in await aside(partial(reading.news, names), "kubernetes logs"):
                yield line
            await asyncio.sleep(LOGS_S)

    def _pods(self, slot: Slot) -> list[str]:
        if self._watch is None:
            return []
        return [pod["metadata"]["name"] for pod in pods_of(self._at, self._watch.view()).get(slot, [])]

    def _other(self, view: ClusterView) -> OtherDriver:
        """Who has the endpoint where that is no driver of this project, and what it asked for."""
        has = holder_of(view.get(LEASES, self._at.name))
        if not self._lease.is_elsewhere(has):
            return OtherDriver()
        traffic = traffic_of(self._at, view.get(holder(self._at), self._at.name))
        weights = traffic.wanted or traffic.weights
        return OtherDriver(has.label, has.since, has.release, weights, self._lease.took(has))

    def _slots(self, view: ClusterView) -> dict[Slot, Observation]:
        """Each slot, with the weights that are known to be in force."""
        traffic = traffic_of(self._at, view.get(holder(self._at), self._at.name))
        slots = observed(self._at, view, traffic, self._read, self._measurer.usages.known)
        return self._weights.applied(slots, proof_key(traffic, slots), proof_look(self._ask, slots, self._at_rest))

    def _at_rest(self, slots: Collection[Slot]) -> bool:
        """Whether these slots answer nothing any more, as far as their pods say so."""
        return self._watch is None or not slots or self._measurer.at_rest(self._watch.view(), slots)

    def _measure(self) -> None:
        """Ask pods what they counted, each second, until closed."""
        forbidden = ""
        while not self._closed.wait(EVERY_S):
            if self._watch is None or not self._watch.synced:
                continue
            view = self._watch.view()
            traffic = traffic_of(self._at, view.get(holder(self._at), self._at.name))
            try:
                samples = self._measurer.measure(view, traffic)
            except Exception:
                # What pods say may be anything; a look that broke is followed by the next.
                log.exception("figures of the pods of %s", self._at.called)
                continue
            if self._measurer.forbidden != forbidden:
                forbidden = self._measurer.forbidden
                if forbidden:
                    self.note(Noted(f"no figures of pods: {forbidden}", Level.WARNING, source="kubernetes"))
            for one in list(self._readers):
                one.tell(*samples)

    def _renew(self) -> None:
        """Renew the claim until it is lost or this ends."""
        while True:
            self._due.wait(RENEW_S)
            self._due.clear()
            if self._closed.is_set():
                return
            try:
                self._lease.renew()
            except TakenOver:
                return  # The Lease says it to every watch.
            except Refused as error:
                self.note(Noted(str(error), Level.WARNING, source="kubernetes"))
                return
            except QuarterdeckError:
                continue

"""Traffic of one endpoint in a cluster: one patch that moves it, and the pods that a share needs where pods are shares.

A patch carries the version of the object that it was read from and a mark of its own, so that one that lands late,
after another, is refused. Pods for a share are brought up before the Service takes in both slots, and sent away after
it has taken in one alone: no share is ever larger than the larger of the one before and the one after.
"""

import threading
import time
from collections.abc import Callable, Mapping
from secrets import token_hex

from core.domain.errors import BadInput, Refused
from core.domain.model import Level, Noted, Slot
from core.targets.checks import check_weights
from core.targets.kubernetes.api_errors import ApiMissing, Json
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.deploying import free_autoscaler, hold_autoscaler, scale
from core.targets.kubernetes.labels import SLOT
from core.targets.kubernetes.observed import asked_counts, held_slots, ready_counts, slots_of
from core.targets.kubernetes.other_way import check_way, leads
from core.targets.kubernetes.shares import MOST, Counts, counts_for, have_come, is_shared
from core.targets.kubernetes.threads import persistently
from core.targets.kubernetes.traffic import RoutedTraffic, annotated, holder, serving, spec_for, traffic_of
from core.targets.kubernetes.watching import ClusterView

LONGEST_S = 900.0
"""Pods for a share are waited for so long, and then left as they are."""
LOOK_S, AGAIN_S = 0.5, 1.0
FRESH_S = 5.0
"""Who is found to have followed after a longer time than that, in which a call hung, may have done so since."""


class TrafficRouter:
    """Moves the traffic of one driver. A later move ends the one before, wherever it was."""

    def __init__(
        self,
        changes: ObjectChanges,
        view: Callable[[], ClusterView],
        note: Callable[[Noted], None],
        closed: Callable[[], bool],
    ) -> None:
        self._changes = changes
        self._at = changes.at
        self._view = view
        self._note = note
        self._closed = closed
        self._news = threading.Condition()
        self._newest = 0
        self._working: threading.Thread | None = None

    def begin(self) -> int:
        """The number of a move that is asked for now; those before it come to nothing more."""
        with self._news:
            self._newest += 1
            self._news.notify_all()
            return self._newest

    def told(self) -> None:
        """The cluster changed."""
        with self._news:
            self._news.notify_all()

    def move(
        self,
        number: int,
        claimed: Callable[[bool], int],
        view: ClusterView,
        weights: Mapping[Slot, float],
        mirror: Mapping[Slot, float],
    ) -> None:
        """Change where traffic goes; returns once that was accepted. Raises BadInput, Refused or Unreachable.

        `claimed` gives this driver's claim, by the Lease as the watch has it or, with False, as the server has it.
        """
        at = self._at
        deployments = slots_of(at, view)
        check_weights(weights, mirror, deployments)
        if mirror and at.place.traffic != "gateway":
            raise BadInput(f"kubernetes.traffic is {at.place.traffic}: no request can be copied; set it to gateway")
        shared = is_shared(weights) and at.place.traffic != "gateway"
        if shared and at.place.traffic == "selector":
            raise BadInput(
                "kubernetes.traffic is selector: all traffic is moved or none; set it to replicas or gateway"
            )
        asked_s, claim = time.monotonic(), claimed(True)
        present = asked_counts(deployments)
        counts: Counts = {}
        found: dict[str, RoutedTraffic] = {}
        change = f"{claim}.{number}.{token_hex(4)}"

        def edit(body: Json) -> Json:
            nonlocal claim
            self._still(number)
            now = found["now"] = traffic_of(at, body)
            if not leads(at, body):
                check_way(at, self._changes)
            if now.claim > claim and time.monotonic() - asked_s < FRESH_S:
                # Somebody followed before this was asked, and the watch has not heard of it yet.
                claim = claimed(False)
            if now.claim > claim:
                raise Refused(f"{at.called}: a later driver has moved its traffic; this one moves nothing any more")
            kept = {**present, **now.replicas} if shared or now.replicas else {}
            head = {"annotations": {**annotated(weights, kept, claim, change), **serving(now, weights, deployments)}}
            # Both slots are taken in once there are as many pods of each as the shares need.
            spec = {} if shared and not now.split else {"spec": spec_for(at, weights, mirror, split=shared)}
            return {"metadata": head, **spec}

        if shared:
            before = traffic_of(at, self._changes.owned(holder(at), at.name))
            counts = self._counts(weights, {**present, **before.replicas})
        try:
            self._changes.change(holder(at), at.name, edit)
        except ApiMissing:
            check_way(at, self._changes)
            raise
        if shared:
            self._beside(number, lambda: self._share(number, change, counts))
        elif found["now"].replicas:
            self._beside(number, lambda: self._restore(number, change, found["now"].replicas))

    def recover(self, claimed: Callable[[], int]) -> None:
        """Bring pods to the share that an earlier driver was asked for, or hand them back where it did not get to that.

        `claimed` is asked once there is something to do. What this driver moves is its own matter.
        """
        number = self._newest
        view = self._seen(number)
        now = traffic_of(self._at, view.get(holder(self._at), self._at.name))
        shared, held = is_shared(now.wanted), held_slots(self._at, view)
        if (self._working is not None and self._working.is_alive()) or (shared and number):
            return
        if shared and now.replicas:
            claimed()
            counts = self._counts(now.wanted, now.replicas)
            self._beside(number, lambda: self._share(number, now.change, counts))
        elif now.replicas:
            claimed()
            self._beside(number, lambda: self._restore(number, now.change, now.replicas))
        elif held and not shared:
            # A call of a driver that was followed may have landed after all was given back.
            claimed()
            for slot in held:
                self._still(number)
                free_autoscaler(self._changes, slot, self._warn)

    def _counts(self, weights: Mapping[Slot, float], had: Counts, floors: Counts | None = None) -> Counts:
        scaling = self._at.endpoint.autoscaling
        least = max((had.get(slot, 1) for slot, weight in weights.items() if weight > 0), default=1)
        return counts_for(weights, least, MOST if scaling is None else scaling.max, self._at.place.tolerance, floors)

    def _still(self, number: int) -> None:
        if number != self._newest or self._closed():
            raise Refused(f"{self._at.called}: its traffic was asked to go elsewhere meanwhile")

    def _beside(self, number: int, work: Callable[[], None]) -> None:
        """What takes as long as pods take; it ends with the next move."""

        def rest() -> None:
            with self._news:
                self._news.wait(AGAIN_S)

        self._working = persistently(work, lambda: number == self._newest and not self._closed(), self._warn, rest)

    def _warn(self, why: str) -> None:
        self._note(Noted(why, Level.WARNING, source="kubernetes"))

    def _share(self, number: int, change: str, counts: Counts) -> None:
        """Bring pods to the counts, then let the Service take in all slots, then send away those that are too many."""
        at, changes = self._at, self._changes
        now = traffic_of(at, changes.owned(holder(at), at.name))
        open_to = set(counts) if now.split else {slot for slot, weight in now.weights.items() if weight > 0}
        present = asked_counts(slots_of(at, self._seen(number)))
        most = {slot: max(count, present.get(slot, 0)) if slot in open_to else count for slot, count in counts.items()}
        for slot, count in most.items():
            self._resize(number, change, slot, count)
        self._until(number, most, open_to)
        if not now.split:
            changes.change(holder(at), at.name, lambda body: self._opened(number, change, body))
        for slot, count in counts.items():
            if count < most[slot]:
                self._resize(number, change, slot, count)

    def _opened(self, number: int, change: str, body: Json) -> Json:
        """The patch by which the Service takes in the pods of all slots."""
        self._last(number, change, body)
        return {"spec": {"selector": {SLOT: None}}}

    def _last(self, number: int, change: str, body: Json | None) -> None:
        """Raise Refused where another move has followed this change, here or by somebody else."""
        self._still(number)
        if traffic_of(self._at, body).change != change:
            raise Refused(f"{self._at.called}: its traffic was moved by somebody else meanwhile")

    def _resize(self, number: int, change: str, slot: Slot, count: int) -> None:
        # A driver that hung and was followed is not to hold what the next one has given back.
        self._last(number, change, self._changes.owned(holder(self._at), self._at.name))
        hold_autoscaler(self._changes, slot, count)
        scale(self._changes, slot, count)

    def _seen(self, number: int) -> ClusterView:
        """The objects, once all that there are were told."""
        self._view()
        while (watch := self._changes.watch) is None or not watch.synced:
            self._still(number)
            with self._news:
                self._news.wait(LOOK_S)
        return watch.view()

    def _until(self, number: int, counts: Counts, open_to: set[Slot]) -> None:
        """Wait until so many pods of each slot are ready; of one that gets nothing yet, no more than that."""
        until_s = time.monotonic() + LONGEST_S
        while True:
            self._still(number)
            ready = ready_counts(self._at, self._view())
            if have_come(ready, counts, open_to):
                return
            if time.monotonic() > until_s:
                short = ", ".join(f"{slot} {ready.get(slot, 0)} of {count}" for slot, count in counts.items())
                raise Refused(f"{self._at.called}: pods for the share did not get ready in {LONGEST_S:g} s: {short}")
            with self._news:
                self._news.wait(LOOK_S)

    def resize(self, slot: Slot, replicas: int) -> bool:
        """How many replicas a slot is to have once it is no share any more; False where it is none now.

        As a share it gets no fewer from now on, and the other slot as many as keep the share.
        """
        at = self._at
        now = traffic_of(at, self._changes.owned(holder(at), at.name))
        if slot not in now.replicas:
            return False

        def edit(body: Json) -> Json | None:
            seen = traffic_of(at, body)
            if slot not in seen.replicas or seen.replicas[slot] == replicas:
                return None
            kept = {**seen.replicas, slot: replicas}
            return {"metadata": {"annotations": annotated(seen.wanted, kept, seen.claim, seen.change)}}

        self._changes.change(holder(at), at.name, edit)
        if now.split and now.wanted.get(slot):
            # It ends with the next move as the move that made the share would, and is none itself.
            number, kept = self._newest, {**now.replicas, slot: replicas}
            self._beside(number, lambda: self._grow(number, now, kept, {slot: replicas}))
        return True

    def _grow(self, number: int, now: RoutedTraffic, had: Counts, floors: Counts) -> None:
        try:
            counts = self._counts(now.wanted, had, floors)
        except BadInput:
            # More than there may be pods for at this share: it grows, towards where it is about to go.
            counts = {**asked_counts(slots_of(self._at, self._view())), **floors}
        self._share(number, now.change, counts)

    def _restore(self, number: int, change: str, replicas: Counts) -> None:
        """As many pods as there were before they were shares, in the hands of who scaled them."""
        at, changes = self._at, self._changes
        there = slots_of(at, self._seen(number))
        for slot in [slot for slot in replicas if slot in there]:
            self._last(number, change, changes.owned(holder(at), at.name))
            scale(changes, slot, replicas[slot])
            free_autoscaler(changes, slot, self._warn)

        def edit(body: Json) -> Json | None:
            self._still(number)
            now = traffic_of(at, body)
            if now.change != change:
                return None
            return {"metadata": {"annotations": annotated(now.wanted, {}, now.claim, change)}}

        changes.change(holder(at), at.name, edit)

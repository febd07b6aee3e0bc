"""Kubernetes as a target: versions are Deployments, traffic is one patch, and a watch alone says what is true.

Every call is made in a thread of its own, so that none waits for another that hangs, and nothing of the official client
is loaded on the loop.
"""

import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from core.domain.errors import BadInput, QuarterdeckError, Refused
from core.domain.model import Level, Noted, Slot, Sticky, Version
from core.system.aside import aside
from core.targets.checks import check_apply, check_remove, check_scale, check_sticky
from core.targets.kinds import Note
from core.targets.kubernetes import deploying, manifests
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.changes import ObjectChanges
from core.targets.kubernetes.differences import differences
from core.targets.kubernetes.keys import other_key
from core.targets.kubernetes.labels import ClusterEndpoint, selector, version_of
from core.targets.kubernetes.lease import ReleaseLease
from core.targets.kubernetes.names import key_name, slot_name
from core.targets.kubernetes.observed import slots_of
from core.targets.kubernetes.observing import ClusterObserver
from core.targets.kubernetes.other_way import check_way, leads
from core.targets.kubernetes.paths import AUTOSCALERS, DEPLOYMENTS, LEASES, PODS, SECRETS, SERVICES
from core.targets.kubernetes.reaching import Reach
from core.targets.kubernetes.routing import TrafficRouter
from core.targets.kubernetes.traffic import holder, traffic_of
from core.targets.kubernetes.watching import ClusterView, ClusterWatch
from core.targets.protocol import Address, Report, Turn


class KubernetesTarget:
    """A `Target` in one namespace. A driver is known by the project's `folder`; `token` fences off older ones."""

    def __init__(
        self, at: ClusterEndpoint, folder: Path, token: int = 0, *, key: str = "", kubeconfig: str = ""
    ) -> None:
        self.at = at
        self.token = token
        self._key = key
        self._calls = ApiCalls(at.place.context, kubeconfig)
        self._changes = ObjectChanges(at, self._calls)
        self._lease = ReleaseLease(self._changes, folder, token)
        self._closed = threading.Event()
        self._opening = threading.Lock()
        self._observer = ClusterObserver(at, self._calls, self._changes, self._lease, key)
        self._router = TrafficRouter(self._changes, self._view, self._observer.note, self._closed.is_set)
        self._reach = Reach(at, self._calls, self._changes, key)

    async def apply(self, slot: Slot, version: Version, replicas: int) -> None:
        """Ask for `replicas` of a version in a slot."""
        check_apply(slot, replicas)
        await self._do("apply", lambda: self._apply(slot, version, replicas))

    async def scale(self, slot: Slot, replicas: int) -> None:
        """Ask for so many replicas of what a slot holds; its autoscaler goes on from there."""
        check_apply(slot, replicas)
        await self._do("scale", lambda: self._scale(slot, replicas))

    async def route(
        self,
        weights: Mapping[Slot, float],
        mirror: Mapping[Slot, float] | None = None,
        sticky: Sticky | None = None,
    ) -> None:
        """Ask for traffic weights in percent, and for a slot that gets a copy of so many percent of the requests."""
        check_sticky(sticky)
        if sticky is not None:
            raise BadInput("on Kubernetes no caller can be kept on a side; leave header and cookie out")
        number = self._router.begin()
        wanted, copied = dict(weights), dict(mirror or {})
        await self._do("route", lambda: self._route(number, wanted, copied))

    async def remove(self, slot: Slot) -> None:
        """Ask for a slot to drain and go."""
        await self._do("remove", lambda: self._remove(slot))

    async def recover(self) -> None:
        """End what an earlier driver of this project had begun with pods that were to be a share."""
        await self._do("recover", self._recover)

    def stand_for(self, turn: Turn) -> None:
        """What the changes to come are for; the Lease says it with its next renewal, which comes at once."""
        if self._lease.stand_for(turn):
            self._observer.renew()

    async def watch(self) -> AsyncIterator[Report]:
        """Everything that is true, then each change; what can't be listed is raised, and tried again meanwhile."""
        await aside(self._open, "kubernetes watch")
        async for report in self._observer.reports():
            yield report

    async def logs(self, slot: Slot, replica: str = "", lines: int = 50) -> AsyncIterator[str]:
        """The last lines that a pod (or all of a slot) wrote, then each new one."""
        await aside(self._open, "kubernetes watch")
        async for line in self._observer.logs(slot, replica, lines):
            yield line

    async def address(self, slot: Slot | None = None) -> Address:
        """Where the endpoint answers, or one slot of it; raises Refused while it has no address."""
        return await self._reach.address(slot)

    async def close(self) -> None:
        """Let go: watches and logs end, what is served goes on."""
        self._closed.set()
        self._router.begin()
        if self._lease.ended_unsaid:
            # Another machine would wait for the end of a release that is over until the claim runs out.
            with contextlib.suppress(QuarterdeckError):
                await aside(self._lease.renew, "kubernetes lease")
        self._observer.close()
        await self._reach.close()
        self._calls.close()

    async def _do(self, verb: str, work: Callable[[], None]) -> None:
        if self._closed.is_set():
            raise Refused(f"{verb}: this target is closed")
        await aside(work, f"kubernetes {verb}")

    def _apply(self, slot: Slot, version: Version, replicas: int) -> None:
        if not leads(self.at, self._changes.owned(holder(self.at), self.at.name)):
            check_way(self.at, self._changes)
        self._claimed(new=True)
        held = self._changes.owned(DEPLOYMENTS, slot_name(self.at.name, slot))
        same = held is not None and version_of(held["metadata"].get("annotations")) == version
        if same and self._router.resize(slot, replicas):
            return
        self._say_which_key()
        if held is not None and deploying.keeps(self._changes, slot, version):
            self._say_what_stays(slot, held)
        note = self._noting(slot)
        deploying.deploy(self._changes, slot, version, replicas, key=self._key, view=self._known(), note=note)

    def _noting(self, slot: Slot) -> Note:
        def note(text: str) -> None:
            self._observer.note(Noted(text, Level.WARNING, slot, "kubernetes"))

        return note

    def _say_which_key(self) -> None:
        secret = self._changes.read(SECRETS, key_name(self.at.name)) if self._key else None
        if why := other_key(self.at, secret, self._key):
            self._observer.note(Noted(why, Level.WARNING, source="kubernetes"))

    def _say_what_stays(self, slot: Slot, held: Json) -> None:
        scaled = self.at.endpoint.autoscaling is not None
        autoscaler = self._changes.owned(AUTOSCALERS, slot_name(self.at.name, slot)) if scaled else None
        if other := " and ".join(differences(self.at, held, autoscaler)):
            what = f"{slot} was deployed with {other}, and stays so"
            text = f"{what}; call 'quarterdeck retire {slot} --env ENVIRONMENT' before the next release"
            self._observer.note(Noted(text, Level.WARNING, slot, "kubernetes"))

    def _route(self, number: int, weights: Mapping[Slot, float], mirror: Mapping[Slot, float]) -> None:
        self._router.move(number, lambda known: self._claimed(known=known), self._known(), weights, mirror)
        self._lease.spent()

    def _scale(self, slot: Slot, replicas: int) -> None:
        self._claimed(takes_over=False)
        bounds = None if self.at.endpoint.autoscaling is None else manifests.bounds(self.at)
        check_scale(slot, replicas, slots_of(self.at, self._known()), bounds)
        if not self._router.resize(slot, replicas):
            deploying.scale(self._changes, slot, replicas)
            deploying.missing_autoscaler(self._changes, slot, self._noting(slot))

    def _remove(self, slot: Slot) -> None:
        self._claimed(takes_over=False)
        traffic = traffic_of(self.at, self._changes.owned(holder(self.at), self.at.name))
        check_remove(slot, traffic.wanted if traffic.split else traffic.weights, traffic.mirror)
        deploying.undeploy(self._changes, slot)

    def _recover(self) -> None:
        # Whoever drives from another machine may be at work; only a way back takes over from there.
        if self.at.place.traffic == "replicas" and self._lease.inherited():
            self._router.recover(self._claimed)

    def _claimed(self, *, new: bool = False, takes_over: bool = True, known: bool = True) -> int:
        """This driver's claim. The namespace may have to be made before anything can be in it."""
        if new and self.at.place.create_namespace and self._lease.number is None:
            deploying.make_namespace(self._changes)
        number, before = self._lease.claimed(takes_over=takes_over, known=known), self._lease.taken_from
        if before is not None:
            self._lease.taken_from = None
            lived = "" if before.alive else ", which had not been heard from"
            self._observer.note(Noted(f"taken over from {before.label}{lived}", source="kubernetes"))
        self._observer.keep()
        return number

    def _known(self) -> ClusterView:
        """The objects as the watch has them; asked for where nobody watches."""
        watch = self._changes.watch
        return watch.view() if watch is not None and watch.synced else deploying.listed(self.at, self._changes)

    def _view(self) -> ClusterView:
        """The objects as a watch has them, begun now where there is none."""
        return self._open().view()

    def _open(self) -> ClusterWatch:
        """The watch, begun with the first who needs it."""
        with self._opening:
            if self._changes.watch is None:
                kinds = [DEPLOYMENTS, PODS, SERVICES, LEASES]
                kinds += [] if self.at.endpoint.autoscaling is None else [AUTOSCALERS]
                kinds += [holder(self.at)] if self.at.place.traffic == "gateway" else []
                chosen = ",".join(f"{label}={value}" for label, value in selector(self.at).items())
                watch = ClusterWatch(self._calls, self.at.place.namespace, chosen, kinds, self._told)
                self._changes.watch = watch
                watch.start()
                self._observer.begin(watch)
            return self._changes.watch

    def _told(self) -> None:
        self._router.told()
        self._observer.told()

"""What `quarterdeck doctor` looks at in a cluster: is it there, what may be done in it, what stands in a release's way.

One connection for all, closed with the last of them. Where the API server is not to be had one line says so, and the
others are left out.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial

from core.config.config import endpoint_name
from core.config.planner import Wishes, release_of
from core.config.settings import Settings
from core.domain.diagnosis import Diagnoses, Examination, fail, looking, ok
from core.domain.errors import BadInput, QuarterdeckError
from core.targets.kubernetes.beforehand import missed_shares
from core.targets.kubernetes.calls import CONNECT_S, ApiCalls
from core.targets.kubernetes.doctor_autoscaler import autoscaler
from core.targets.kubernetes.doctor_cluster import access, clock, metrics, namespace, quota
from core.targets.kubernetes.doctor_endpoint import address, key, probes, pull_secret
from core.targets.kubernetes.doctor_image import image
from core.targets.kubernetes.doctor_lease import lease
from core.targets.kubernetes.doctor_registry import registry
from core.targets.kubernetes.labels import ClusterEndpoint, cluster_endpoint

WITHIN_S = 25.0
"""The package takes a second to load, a login command some more, and of the rights there are forty to ask for."""
Look = Callable[[ApiCalls, ClusterEndpoint], Diagnoses]

OF_CLUSTER: dict[str, Look] = {"clock": clock, "metrics": metrics}
OF_NAMESPACE: dict[str, Look] = {"namespace": namespace}
OF_ENDPOINT: dict[str, Look] = {
    "access": access,
    "quota": quota,
    "key": key,
    "pull": pull_secret,
    "image": image,
    "address": address,
    "probe": probes,
}


def examinations(several: Sequence[Settings]) -> list[Examination]:
    """Each cluster once, each namespace once, and each endpoint."""
    made: list[Examination] = []
    shared: dict[str, _Shared] = {}
    seen: set[tuple[str, str]] = set()
    for settings in several:
        at, name = cluster_endpoint(settings), endpoint_name(settings)
        place = (at.place.context, at.place.namespace)
        made += [looking("shares", partial(_shares, at, settings), name)]
        made += [looking("registry", partial(registry, at, settings), name, WITHIN_S)]
        looks: dict[str, Look] = {**OF_ENDPOINT, "driver": partial(lease, folder=settings.folder)}
        looks["autoscaler"] = partial(autoscaler, environment=settings.environment)
        if at.place.context not in shared:
            shared[at.place.context] = _Shared(at.place.context)
            made.append(shared[at.place.context].first(name))
            looks = {**OF_CLUSTER, **looks}
        if place not in seen:
            looks = {**OF_NAMESPACE, **looks}
        seen.add(place)
        made += [shared[at.place.context].later(what, look, at, name) for what, look in looks.items()]
    return made


def _shares(at: ClusterEndpoint, settings: Settings) -> Diagnoses:
    """Each share of the settings' steps that the pods there may be can't give. Nobody is asked."""
    try:
        plan = release_of(settings, False, Wishes()).plan
    except BadInput:
        return []  # Why there is no plan says 'quarterdeck plan'; what stands here may be well.
    return [fail(why) for why in missed_shares(at, plan)]


class _Shared:
    """The connection to one cluster, and whether it answers: asked once, by whoever comes first."""

    def __init__(self, context: str) -> None:
        self._calls = ApiCalls(context)
        self._lock = threading.Lock()
        self._said: str | QuarterdeckError | None = None
        self._left = 0

    def first(self, of: str) -> Examination:
        """The line that says whether the cluster answers."""
        return self._examination("cluster", self._reached, of)

    def later(self, name: str, look: Look, at: ClusterEndpoint, of: str) -> Examination:
        """A line that is told only where it does."""

        def looked() -> Diagnoses:
            return look(self._calls, at) if isinstance(self._version(), str) else []

        return self._examination(name, looked, of)

    def _examination(self, name: str, look: Callable[[], Diagnoses], of: str) -> Examination:
        self._left += 1

        def looked() -> Diagnoses:
            try:
                return list(look())
            finally:
                self._done()

        return looking(name, looked, of, WITHIN_S)

    def _done(self) -> None:
        with self._lock:
            self._left -= 1
            if not self._left:
                self._calls.close()

    def _reached(self) -> Diagnoses:
        version = self._version()
        if isinstance(version, QuarterdeckError):
            return [fail(str(version))]
        return [ok(version)]

    def _version(self) -> str | QuarterdeckError:
        with self._lock:
            if self._said is None:
                try:
                    found = self._calls.ask("GET", "/version", timeout_s=CONNECT_S)
                    self._said = f"{self._calls.context} answers, Kubernetes {found.get('gitVersion', '')}".strip()
                except QuarterdeckError as error:
                    self._said = error
            return self._said

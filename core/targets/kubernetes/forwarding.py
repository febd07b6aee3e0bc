"""A way from this machine to an endpoint inside a cluster: each request goes through the API server to one of its pods.

It is for trying a version out and for looking, at the pace of an API server; users and loads come by an address of the
endpoint's own.
"""

import itertools

from core.domain.model import Slot
from core.system.aside import aside
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import ClusterEndpoint, selector
from core.targets.kubernetes.manifests_pod import PORT, PORT_NAME
from core.targets.kubernetes.paths import PODS, SERVICES
from core.targets.kubernetes.pods import is_ready
from core.targets.loopback import PassedAnswer, PassedRequest, said

CALL_S = 30.0
_KEPT = ("content-type", "accept", "x-api-key", "content-encoding")


class ApiForwarder:
    """Passes requests on: one that is pinned to a slot to a ready pod of it, others to the endpoint's Service."""

    def __init__(self, at: ClusterEndpoint, calls: ApiCalls) -> None:
        self._at = at
        self._calls = calls
        self._turns = itertools.count()

    async def pass_on(self, request: PassedRequest) -> PassedAnswer:
        """What a pod answers; raises Unreachable or Refused where the API server does not get it there."""
        sent = {name: request.headers[name] for name in _KEPT if name in request.headers}
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            # The API server keeps the usual header for itself.
            sent["x-api-key"] = token.strip()
        return await aside(lambda: self._passed(request, sent), "kubernetes forward")

    def _passed(self, request: PassedRequest, sent: dict[str, str]) -> PassedAnswer:
        to = self._pod(request.slot) if request.slot else self._service()
        if not to:
            return 503, {}, said("no pod of this slot is ready")
        return self._calls.passed(request.method, f"{to}{request.path}", request.body, sent, CALL_S)

    def _service(self) -> str:
        return SERVICES.path(self._at.place.namespace, f"{self._at.name}:{PORT_NAME}", "proxy")

    def _pod(self, slot: Slot) -> str:
        """The way to one of the slot's ready pods, each in its turn; empty where there is none."""
        asked = ",".join(f"{label}={value}" for label, value in selector(self._at, slot).items())
        page = self._calls.ask("GET", PODS.path(self._at.place.namespace), query={"labelSelector": asked})
        names = sorted(pod["metadata"]["name"] for pod in page.get("items") or () if is_ready(pod))
        if not names:
            return ""
        name = names[next(self._turns) % len(names)]
        return PODS.path(self._at.place.namespace, f"{name}:{PORT}", "proxy")

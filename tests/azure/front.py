"""HTTP in front of the rooms: the resource manager's checks, the faults that a test has set, and who answers for a
path.

Never recorded: the answers to a path that nobody answers for, and what the limits of the resource manager come to.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web

from tests.azure.blobs import ROOT, BlobStore
from tests.azure.calls import Json, RestAnswer, RestCall, SeenCall
from tests.azure.faults import RestFault
from tests.azure.operations import PROVIDER
from tests.azure.place import AzureLogins, AzurePlace, check
from tests.azure.refusals import RestRefusal, not_here, too_many
from tests.kubernetes.faults import ApiFault, FaultKind, Faults, slowed

Room: TypeAlias = Callable[[RestCall], RestAnswer]
REMEMBERED = 50_000


@dataclass(slots=True)
class RequestLimits:
    """How many reads and writes are left, as the resource manager counts them; `refill_s` gives one of each back."""

    reads: float = 249.0
    writes: float = 199.0
    refill_s: float = 0.04
    enforced: bool = False
    _left: dict[str, float] = field(default_factory=dict)
    _at_s: float = field(default_factory=time.monotonic)

    def count(self, method: str) -> dict[str, str]:
        """Count a call; the header that says what is left, or 429."""
        kind = "reads" if method in {"GET", "HEAD"} else "writes"
        most = {"reads": self.reads, "writes": self.writes}
        now_s = time.monotonic()
        back = (now_s - self._at_s) / self.refill_s
        self._left = {one: min(limit, self._left.get(one, limit) + back) for one, limit in most.items()}
        self._at_s = now_s
        if self.enforced and self._left[kind] < 1:
            raise too_many(self.refill_s)
        self._left[kind] -= 1
        return {f"x-ms-ratelimit-remaining-subscription-{kind}": str(max(0, int(self._left[kind])))}


@dataclass(slots=True)
class RestFront:
    """Answers requests; `seen` are the last calls, `dropped` those that came to nothing.

    `rooms` answer below the workspace once `before` did not refuse, `beyond` under other paths (`/$`: that path
    alone), `open_pages` without a login.
    """

    place: AzurePlace
    logins: AzureLogins
    faults: Faults
    blobs: BlobStore
    rooms: Mapping[str, Room]
    beyond: Mapping[str, Room]
    open_pages: Mapping[str, Room]
    before: Callable[[], None]
    whole: Room
    standing: Callable[[], None]
    limits: RequestLimits = field(default_factory=RequestLimits)
    seen: deque[SeenCall] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    dropped: deque[SeenCall] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, through the faults."""
        came_at = time.time()
        raw = await request.content.read()  # whole, before anything waits: its caller may have left by then
        met = self.faults.met_by(request.method, request.path_qs)
        kinds = {one.kind: one for one in met}
        await slowed(met)
        said = (request.method, request.path, request.query_string, _shown(raw, request.content_type))
        if FaultKind.DROP in kinds:
            self.dropped.append(SeenCall(*said, 0, came_at, time.time()))
            return _broken(request)
        found = _set(kinds.values()) or self._answered(request, raw)
        self.seen.append(SeenCall(*said, found.status, came_at, time.time()))
        if FaultKind.LOSE in kinds:
            return _broken(request)
        return _over_http(found)

    def _answered(self, request: web.BaseRequest, raw: bytes) -> RestAnswer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = RestCall(request.method, request.path, [], request.query, headers, raw)
        try:
            if request.path.startswith(ROOT):
                return self.blobs.answer(call)
            for prefix, room in self.open_pages.items():
                if request.path.startswith(prefix):
                    return room(call)
            return self._managed(call)
        except RestRefusal as refusal:
            return refusal.answer()

    def _managed(self, call: RestCall) -> RestAnswer:
        user = self.logins.who(call.headers.get("authorization", ""))
        call.caller = user.name
        if not call.version and call.path.startswith("/subscriptions/"):
            said = "The api-version query parameter (?api-version=) is required for all requests."
            raise RestRefusal(400, "MissingApiVersionParameter", said)
        headers = self.limits.count(call.method)
        check(user, call.method, call.path)
        answer = self._routed(call)
        return RestAnswer(answer.status, answer.body, {**headers, **answer.headers})

    def _routed(self, call: RestCall) -> RestAnswer:
        parts = [one for one in call.path.split("/") if one]
        lower = [one.lower() for one in parts]
        for prefix, answers in self.beyond.items():
            head = [one for one in prefix.lower().split("/") if one]
            exact = head[-1] == "$"
            head = head[:-1] if exact else head
            if _begins(lower, head) and (not exact or len(head) == len(lower)):
                call.parts = parts[len(head) :]
                return answers(call)
        if not lower or lower[0] != "subscriptions" or PROVIDER.lower() not in lower:
            raise not_here(call.path)
        call.parts = self.place.parts(call.path)
        self.before()
        if not call.parts:
            return self.whole(call)
        self.standing()
        room = next((one for name, one in self.rooms.items() if name.lower() == call.parts[0].lower()), None)
        if room is None:
            raise not_here(call.path)
        return room(call)


def _begins(parts: list[str], head: list[str]) -> bool:
    return len(parts) >= len(head) and all(want in {"*", one} for want, one in zip(head, parts, strict=False))


def _set(faults: Iterable[ApiFault]) -> RestAnswer | None:
    for one in faults:
        if isinstance(one, RestFault) and (refusal := one.refusal()) is not None:
            return refusal.answer()
    return None


def _shown(raw: bytes, kind: str) -> Json | None:
    """The body of a call, where it is JSON."""
    if "json" not in kind or not raw:
        return None
    found = json.loads(raw)
    return found if isinstance(found, dict) else None


def _over_http(answer: RestAnswer) -> web.StreamResponse:
    body, kind = answer.content()
    headers = {**answer.headers, **({"content-type": kind} if kind else {})}
    response = web.Response(status=answer.status, body=body or None)
    for name, value in headers.items():
        response.headers[name] = value
    return response


def _broken(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)

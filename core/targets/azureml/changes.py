"""Changes of one endpoint: each is written down, made by the one thread when it is its turn, and followed then."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from core.domain.errors import QuarterdeckError, Refused, Unreachable
from core.domain.model import OtherDriver, Slot
from core.system.moment import KeptMoment
from core.targets.azureml.api_errors import AzureBusy, AzureThrottled, NotSent
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.claims import CHANGE, TAG, driver_name, newest_claim, next_claim
from core.targets.azureml.operations import Doing, OperationBook
from core.targets.azureml.reading import EndpointReader
from core.targets.azureml.view import AzureView, same_route
from core.targets.azureml.worker import ChangeThread, Urgency
from core.targets.azureml.workspace import AzureEndpoint
from core.targets.protocol import Turn

SHOWN_S = 120.0
"""So long traffic that was changed may be shown as it was before."""
BUSY_S = 150.0
"""What is busy is asked again for so long, and then whoever drives is told what holds it."""


class EndpointChanges:
    """What one driver changes. Whoever calls waits in a thread of its own."""

    def __init__(
        self, at: AzureEndpoint, calls: AzureCalls, reader: EndpointReader, book: OperationBook, token: int
    ) -> None:
        self.at = at
        self.calls = calls
        self.reader = reader
        self.book = book
        self.worker = ChangeThread(at.called)
        self._driver = driver_name(at.folder.parent)
        self._token = token
        self._held: int | None = None
        self._turn = Turn()
        self._lost = ""
        self._since: dict[int, float] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def claimed(self, view: AzureView) -> dict[str, str]:
        """The tag of this driver's claim, for the next change; raises Refused once somebody has followed."""
        with self._lock:
            claim = next_claim(view.tagged, self._driver, self._token, self._held, self.at.called)
            self._held = claim.number
        return {TAG: str(claim)}

    def stand_for(self, turn: Turn) -> None:
        """What the changes to come are for. A release that begins, and what a person asks for, claim anew."""
        before, self._turn = self._turn, turn
        begins = bool(turn.release) and turn.release != before.release
        if begins or (turn.asked_at is not None and turn != before):
            with self._lock:
                self._held = None

    def other(self, view: AzureView) -> OtherDriver:
        """Who of another machine or project changed the endpoint last, and which release of this driver's that ended.

        What is shown may be from before this driver's own claim.
        """
        last = newest_claim(view.tagged)
        with self._lock:
            if last is None or last.driver == self._driver or (self._held is not None and last.number < self._held):
                self._lost = ""
                return OtherDriver()
            self._lost = (self._lost or self._turn.release) if self._held is not None else ""
            since = self._since.setdefault(last.number, view.claimed_at(str(last)) or time.time())
            return OtherDriver(last.who, since, "", view.weights, self._lost)

    def drove_last(self, view: AzureView) -> bool:
        """Whether it was this driver, or one before it in this project, who changed the endpoint last."""
        last = newest_claim(view.tagged)
        return last is not None and last.driver == self._driver and last.token <= self._token

    def send(
        self,
        doing: Doing,
        call: tuple[str, str, str, Any],
        slot: Slot = "",
        asked: Mapping[str, Any] | None = None,
        still: Callable[[], None] = lambda: None,
    ) -> None:
        """One change: method, path, api-version and body. Returns once it is accepted.

        `still` raises where nobody wants it any more when it is its turn. What nobody answered stays written down.
        """

        method, path, api, body = call

        def work() -> None:
            still()
            begun = self.book.begin(doing, slot, asked)
            try:
                answer = self.calls.ask(method, path, api, _marked(body, begun.id))
            except (NotSent, AzureBusy, AzureThrottled):
                self.book.forget(begun)
                raise
            except Unreachable:
                self.book.gave_up(begun)
                raise
            except QuarterdeckError:
                self.book.forget(begun)
                raise
            self.book.accepted(begun, answer.operation)

        self.worker.do(Urgency.TRAFFIC if doing == "traffic" else Urgency.REST, work)

    def traffic_moves(self, view: AzureView) -> bool:
        """Whether the traffic that is shown may not be what was asked for: that takes a while to be seen."""
        if any(one.doing == "traffic" and one.goes_on() for one in self.book.operations()):
            return True
        return shown_late(self.book.route(), view)

    def beside(self, work: Callable[[], Any]) -> Any:
        """A change that is no operation, such as a file, when it is its turn."""
        return self.worker.do(Urgency.REST, work)

    def patiently(
        self, work: Callable[[], None], still: Callable[[], None] = lambda: None, within_s: float = BUSY_S
    ) -> None:
        """Do it again where something else goes on meanwhile; raises AzureBusy with what holds it in the end."""
        until_s = time.monotonic() + within_s
        while True:
            try:
                work()
                return
            except (AzureBusy, AzureThrottled) as error:
                rest_s = error.retry_after_s if isinstance(error, AzureThrottled) else self.at.place.poll_s
                if time.monotonic() + rest_s > until_s:
                    raise AzureBusy(f"{error}{self._holding()}") from None
            self._closed.wait(rest_s)
            if self._closed.is_set():
                raise Refused(f"{self.at.called}: this target is closed")
            still()

    def close(self) -> None:
        """Ask for nothing more."""
        self._closed.set()
        self.worker.close()

    def _holding(self) -> str:
        """What goes on, in words."""
        words = [one.words(self.book.usual_s(one.doing)) for one in self.book.operations()]
        return f" ({'; '.join(words)})" if words else ""


def shown_before(asked: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The routes that may still be shown instead of the one that was asked for last."""
    if asked is None or KeptMoment(**asked["at"]).age_s >= SHOWN_S:
        return []
    return list(asked.get("before") or ())


def shown_late(asked: Mapping[str, Any] | None, view: AzureView) -> bool:
    """Whether what is shown was before what was asked for last; traffic that never was so is somebody else's."""
    if asked is None or KeptMoment(**asked["at"]).age_s >= SHOWN_S:
        return False
    shown, before = {"weights": view.weights, "mirror": view.mirror}, shown_before(asked)
    return not same_route(shown, asked) and (not before or any(same_route(shown, one) for one in before))


def _marked(body: Any, change: str) -> Any:
    """What is sent, with the id of its change among its tags; a deletion has none."""
    return body if body is None else {**body, "tags": {**(body.get("tags") or {}), CHANGE: change}}

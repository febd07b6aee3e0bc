"""Operations that go on, asked for until they end: on our own clock, and the longer one takes the less often.

A thread of its own asks: where no answer comes the endpoint is still looked at, and says by itself what has ended.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from core.domain.errors import QuarterdeckError
from core.domain.model import Level, Noted, Slot
from core.system.text import elapsed
from core.targets.azureml.api_errors import AzureMissing, AzureThrottled, Json
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.failures import operation_failure
from core.targets.azureml.operations import AzureOperation, OperationBook
from core.targets.azureml.routing import SOURCE
from core.targets.azureml.view import AzureView

SLOWER = 40.0
"""One that goes on for so many seconds is asked for a second less often."""
FEW_TIMES = 4.0
"""So many times less often where the subscription has few reads left."""
AGAIN_S = 30.0
"""How old what goes on is before it is said once more."""
SILENT_S = 2.0
"""Who has not answered for so long is not waited for."""
log = logging.getLogger("quarterdeck")


@dataclass(frozen=True, slots=True)
class EndedOperation:
    """One that is over; `why` is empty where it went well, and `took_s` says how long one takes that does."""

    operation: AzureOperation
    why: str = ""
    took_s: float | None = None


class OperationFollower:
    """Follows what the book holds, and hands over what is `over`, which takes it out of there.

    `tail` reads the last that a slot's container wrote, or the build of its image, which the operation's body names.
    """

    def __init__(
        self,
        calls: AzureCalls,
        book: OperationBook,
        poll_s: float,
        tail: Callable[[Slot, Json], str],
        note: Callable[[Noted], None],
        over: Callable[[EndedOperation], None],
    ) -> None:
        self._calls = calls
        self._book = book
        self._poll_s = poll_s
        self._tail = tail
        self._note = note
        self._over = over
        self._asked: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._silent: frozenset[str] = frozenset()
        self._asking: tuple[str, float] = ("", 0.0)
        self._poked = threading.Event()
        self._closed = threading.Event()

    def start(self) -> None:
        """Begin to ask."""
        threading.Thread(target=self._run, name="azureml operations", daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._poked.set()

    def poke(self) -> None:
        """Something may have begun: look soon."""
        self._poked.set()

    @property
    def silent(self) -> frozenset[str]:
        """The operations of which nobody tells now: the last question got no answer, or gets none for a while."""
        asking, since_s = self._asking
        waits = asking and time.monotonic() - since_s > SILENT_S
        return self._silent | {asking} if waits else self._silent

    def seen(self, view: AzureView, silent: frozenset[str]) -> bool:
        """Whether one that was `silent` before the view was read shows there that it is over."""
        found = [one for one in self._book.operations() if one.id in silent and view.over(one.doing, one.slot)]
        for one in found:
            failed = view.failed(one.doing, one.slot)
            why = f"{one.slot or 'the endpoint'}: Azure says that it failed, and gives no answer why" if failed else ""
            text = why or f"{_done(one)}, as the endpoint shows; its operation gives no answer"
            self._note(Noted(text, Level.ERROR if why else Level.INFO, one.slot or None, SOURCE))
            self._over(EndedOperation(one, why))
        return bool(found)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._asked_all()
            except AzureThrottled as error:
                self._closed.wait(error.retry_after_s)
            except Exception:
                # What the service says may be anything; a look that broke is followed by the next.
                log.exception("operations of an endpoint")
            self._poked.wait(self._poll_s)
            self._poked.clear()

    def _asked_all(self) -> None:
        operations = self._book.operations()
        self._silent &= {one.id for one in operations}
        for one in operations:
            self.announce(one)
            if not one.address or self._closed.is_set() or not self._due(one):
                continue
            self._asking = (one.id, time.monotonic())
            try:
                end = self._looked(one)
            except AzureThrottled:
                raise
            except QuarterdeckError:
                self._silent |= {one.id}
                continue
            finally:
                self._asking = ("", 0.0)
            if end is not None:
                self._over(end)

    def announce(self, one: AzureOperation) -> None:
        """Say how it goes: once it was accepted, after half a minute, and whenever it has taken twice as long."""
        age_s = one.begun.age_s
        if one.address and age_s >= self._told.get(one.id, 0.0):
            self._told[one.id] = max(AGAIN_S, 2 * age_s)
            self._note(Noted(one.words(self._book.usual_s(one.doing)), slot=one.slot or None, source=SOURCE))

    def _due(self, one: AzureOperation) -> bool:
        now = time.monotonic()
        pause_s = max(self._poll_s, one.begun.age_s / SLOWER) * (FEW_TIMES if self._calls.few_left else 1.0)
        if now - self._asked.get(one.id, 0.0) < pause_s:
            return False
        self._asked[one.id] = now
        return True

    def _looked(self, one: AzureOperation) -> EndedOperation | None:
        try:
            body: Json = self._calls.ask("GET", one.address).body
        except AzureMissing:
            # Its address is forgotten some time after it ended; the endpoint itself says what came of it.
            return EndedOperation(one)
        # It has answered. What its container wrote is read next, which may take longer than silence does.
        self._silent, self._asking = self._silent - {one.id}, ("", 0.0)
        status = str(body.get("status") or "")
        took_s = one.begun.age_s
        if status == "Succeeded":
            self._note(Noted(f"{_done(one)} after {elapsed(took_s)}", slot=one.slot or None, source=SOURCE))
            return EndedOperation(one, took_s=took_s)
        if status not in {"Failed", "Canceled"}:
            return None
        why = str(operation_failure(one.slot or "the endpoint", body, self._last(one, body)))
        self._note(Noted(why, Level.ERROR, one.slot or None, SOURCE))
        return EndedOperation(one, why)

    def _last(self, one: AzureOperation, body: Json) -> str:
        if one.doing not in {"deploy", "resize"}:
            return ""
        try:
            return self._tail(one.slot, body)
        except QuarterdeckError:
            return ""


def _done(one: AzureOperation) -> str:
    return {
        "endpoint": "the endpoint is as it was asked for",
        "tags": "the endpoint's tags are written",
        "traffic": "the change of traffic is done",
        "deploy": f"{one.slot} is deployed",
        "resize": f"{one.slot} has its size",
        "remove": f"{one.slot} is removed",
    }[one.doing]

"""Operations that go on, asked for until they end: on our own clock, and the longer one takes the less often."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from core.domain.errors import QuarterdeckError
from core.domain.model import Level, Noted, Slot
from core.targets.azureml.api_errors import AzureMissing, Json
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.failures import operation_failure
from core.targets.azureml.operations import AzureOperation, OperationBook, span
from core.targets.azureml.routing import SOURCE

SLOWER = 40.0
"""One that goes on for so many seconds is asked for a second less often."""
FEW_TIMES = 4.0
"""So many times less often where the subscription has few reads left."""


@dataclass(frozen=True, slots=True)
class EndedOperation:
    """One that is over; `why` is empty where it went well."""

    operation: AzureOperation
    why: str = ""


class OperationFollower:
    """Follows what the book holds. `tail` reads the last line of a slot's container."""

    def __init__(
        self,
        calls: AzureCalls,
        book: OperationBook,
        poll_s: float,
        tail: Callable[[Slot], str],
        note: Callable[[Noted], None],
    ) -> None:
        self._calls = calls
        self._book = book
        self._poll_s = poll_s
        self._tail = tail
        self._note = note
        self._asked: dict[str, float] = {}
        self._told: set[str] = set()

    def ended(self, operations: Iterable[AzureOperation]) -> list[EndedOperation]:
        """Those that are over now; what they came to is said. Raises QuarterdeckError where nobody tells."""
        found: list[EndedOperation] = []
        for one in operations:
            self._announced(one)
            if one.address and self._due(one) and (end := self._looked(one)) is not None:
                found.append(end)
        return found

    def _announced(self, one: AzureOperation) -> None:
        if one.id not in self._told and one.address:
            self._told.add(one.id)
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
            self._book.forget(one)
            return EndedOperation(one)
        status = str(body.get("status") or "")
        took_s = one.begun.age_s
        if status == "Succeeded":
            self._book.ended(one, took_s)
            self._note(Noted(f"{_done(one)} after {span(took_s)}", slot=one.slot or None, source=SOURCE))
            return EndedOperation(one)
        if status not in {"Failed", "Canceled"}:
            return None
        self._book.ended(one, None)
        why = str(operation_failure(one.slot or "the endpoint", body, self._last(one)))
        self._note(Noted(why, Level.ERROR, one.slot or None, SOURCE))
        return EndedOperation(one, why)

    def _last(self, one: AzureOperation) -> str:
        if one.doing not in {"deploy", "resize"}:
            return ""
        try:
            return self._tail(one.slot)
        except QuarterdeckError:
            return ""


def _done(one: AzureOperation) -> str:
    return {
        "endpoint": "the endpoint is as it was asked for",
        "traffic": "the change of traffic is done",
        "deploy": f"{one.slot} is deployed",
        "resize": f"{one.slot} has its size",
        "remove": f"{one.slot} is removed",
    }[one.doing]

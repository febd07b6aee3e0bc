"""Traffic of one endpoint in Azure ML: read, changed and sent back whole, and nothing of it lands late unseen.

There is no precondition: a call that nobody answered may land after the next one. What was asked for last is known,
so traffic that such a call brings is put back, and said.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from core.domain.errors import QuarterdeckError, Refused
from core.domain.model import Level, Noted, Slot
from core.system.moment import KeptMoment
from core.targets.azureml import bodies
from core.targets.azureml.api_errors import AzureMissing
from core.targets.azureml.changes import EndpointChanges, shown_before
from core.targets.azureml.claims import changed_by
from core.targets.azureml.untried import UntriedSlot
from core.targets.azureml.view import READY, AzureView, plain_shares, same_route
from core.targets.azureml.workspace import ENDPOINT_API
from core.targets.checks import check_weights

SOURCE = "azureml"


class AzureRouter:
    """Moves the traffic of one driver. A later move takes the place of the one that waits before it."""

    def __init__(self, changes: EndpointChanges, note: Callable[[Noted], None]) -> None:
        self._changes = changes
        self._note = note
        self._lock = threading.Lock()
        self._newest = 0
        self._in_force: Any = None
        self._untried = UntriedSlot(changes, note)
        self._puts_back = threading.Lock()

    def begin(self) -> int:
        """The number of a move that is asked for now; those before it that were not sent yet come to nothing."""
        with self._lock:
            self._newest += 1
            return self._newest

    def move(self, number: int, weights: Mapping[Slot, float], mirror: Mapping[Slot, float]) -> None:
        """Change where traffic goes; returns once that was accepted. Raises BadInput, Refused or Unreachable."""
        check_weights(weights, mirror, [*weights, *mirror])
        self._changes.patiently(lambda: self._move(number, weights, mirror), lambda: self._still(number))

    def watch(self, view: AzureView) -> None:
        """Put back what landed late: of this project, or of another where it hits a slot that was not tried yet."""
        found = None if self._watch_own(view) else self._untried.brought(view)
        if found is not None and self._puts_back.acquire(blocking=False):
            threading.Thread(target=self._put_back, args=(found,), name="azureml back", daemon=True).start()

    def _put_back(self, found: Mapping[str, Any]) -> None:
        try:
            self._back(self._newest, found)
        finally:
            self._puts_back.release()

    def _watch_own(self, view: AzureView) -> bool:
        """Put back what a call brought that nobody answered and nobody wants any more: its mark says which it was.

        A change of the endpoint alone carries the traffic that was read before it, so it can bring that back too. Tells
        whether one did.
        """
        book, asked = self._changes.book, self._changes.book.route()
        landed = changed_by(view.tags)
        call_s = self._changes.at.place.call_s
        late = [one for one in book.operations() if one.id == landed and one.unanswered(call_s)]
        if not late and asked is not None:
            self._looked_for(view, asked)
        if not late or asked is None or view.state != READY or not self._changes.drove_last(view):
            return False
        shown = {"weights": view.weights, "mirror": view.mirror}
        if same_route(shown, asked):
            book.forget(late[0])
            return False
        if late[0].asked.get("at") == asked.get("at"):
            return False  # The newest, whose traffic is not shown yet.
        text = f"a change of traffic that nobody had answered has landed late ({route_words(shown)})"
        self._note(Noted(f"{text}; it is put back to {route_words(asked)}", Level.WARNING, source=SOURCE))
        book.forget(late[0])
        # It takes the place of no move that is asked for meanwhile.
        threading.Thread(target=self._back, args=(self._newest, asked), name="azureml back", daemon=True).start()
        return True

    def _looked_for(self, view: AzureView, asked: Mapping[str, Any]) -> None:
        """Say once that traffic which was in force is another, though nobody here has asked for that."""
        shown = {"weights": view.weights, "mirror": view.mirror}
        if view.body is None:
            self._in_force = None
        elif same_route(shown, asked):
            self._in_force = asked.get("at")
        elif self._in_force == asked.get("at") and view.state == READY and not self._changes.traffic_moves(view):
            self._in_force = None
            text = (
                f"the traffic was moved, and not by this project: {route_words(shown)} instead of {route_words(asked)}"
            )
            self._note(Noted(text, Level.WARNING, source=SOURCE))

    def _back(self, number: int, asked: Mapping[str, Any]) -> None:
        try:
            self.move(number, asked["weights"], asked["mirror"])
        except QuarterdeckError as error:
            if number == self._newest:
                self._note(Noted(f"traffic that landed late was not put back: {error}", Level.ERROR, source=SOURCE))

    def _move(self, number: int, weights: Mapping[Slot, float], mirror: Mapping[Slot, float]) -> None:
        changes = self._changes
        self._still(number)
        view = changes.reader.read()
        check_weights(weights, mirror, view.versions())
        tags = changes.claimed(view)
        if view.body is None:
            if not weights:
                return
            raise AzureMissing(f"{changes.at.called}: there is no endpoint yet; deploy a version first")
        wanted = {slot: weight for slot, weight in weights.items() if weight > 0}
        if empty := [slot for slot in [*wanted, *mirror] if slot not in view.deployments]:
            raise Refused(f"{empty[0]}: it has no instance, so it can't take traffic; scale it up first")
        shown = {"weights": view.weights, "mirror": view.mirror}
        asked: dict[str, Any] = {"weights": wanted, "mirror": dict(mirror), "at": asdict(KeptMoment.now())}
        goes_on = any(one.doing == "traffic" for one in changes.book.operations())
        if not goes_on and view.state == READY and same_route(shown, asked):
            return
        asked["before"] = [*shown_before(changes.book.route()), shown]
        body = bodies.changed_endpoint(changes.at, view.body, tags, wanted, mirror)
        call = ("PUT", changes.at.path, ENDPOINT_API, body)
        changes.send("traffic", call, asked=asked, still=lambda: self._still(number))

    def _still(self, number: int) -> None:
        if number != self._newest:
            raise Refused(f"{self._changes.at.called}: its traffic was asked to go elsewhere meanwhile")


def route_words(asked: Mapping[str, Any]) -> str:
    """A route, with `weights` and `mirror`, for people: `blue 90 %, green 10 %`."""
    shares = [f"{slot} {share:g} %" for slot, share in sorted(plain_shares(asked.get("weights")).items())]
    copies = [f"a copy of {share:g} % to {slot}" for slot, share in plain_shares(asked.get("mirror")).items()]
    return ", ".join([*shares, *copies]) or "no traffic"

"""A slot that was deployed from here and gets no traffic from here yet: what a call of others brings it is put back.

Azure has no precondition: a change of traffic that another driver asked for before this one deployed lands after that.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from core.domain.errors import Refused
from core.domain.model import Level, Noted, Slot, Version
from core.system.moment import KeptMoment
from core.targets.azureml.api_errors import AzureBusy
from core.targets.azureml.changes import EndpointChanges
from core.targets.azureml.claims import changed_by, newest_claim, read_claim
from core.targets.azureml.operations import LATE_S, OF_ENDPOINT
from core.targets.azureml.view import OVER, READY, AzureView, same_route

SOURCE = "azureml"


class UntriedSlot:
    """The one that was deployed last. `note` tells people."""

    def __init__(self, changes: EndpointChanges, note: Callable[[Noted], None]) -> None:
        self._changes = changes
        self._note = note
        self._said = ""

    def may_deploy(self, view: AzureView, slot: Slot, version: Version) -> None:
        """Raises AzureBusy while a change of others goes on, which may bring traffic to the slot, Refused once one has.

        The same version is deployed anew wherever its traffic is.
        """
        book = self._changes.book
        ours = any(one.doing in OF_ENDPOINT for one in book.operations())
        if view.state not in {*OVER, ""} and not ours:
            text = f"somebody else changes the endpoint ({view.state}); {slot} is deployed once that is over"
            self._say(text)
            raise AzureBusy(f"{self._changes.at.called}: {text}")
        share = view.weights.get(slot, 0.0) + view.mirror.get(slot, 0.0)
        shown, asked = {"weights": view.weights, "mirror": view.mirror}, book.route()
        if not share or view.versions().get(slot) == version or (asked is not None and same_route(shown, asked)):
            return
        claim = newest_claim(view.tagged)
        who = f" from {claim.who}" if claim is not None and not self._changes.drove_last(view) else ""
        raise Refused(f"{slot}: gets {share:g} % of the traffic by now{who}; nothing is deployed over that")

    def deployed(self, view: AzureView, slot: Slot, version: Version) -> None:
        """It is about to be, into what was just read."""
        self._changes.book.leave_untried(
            {
                "slot": slot,
                "model": version.model,
                "number": version.number,
                "weights": view.weights,
                "mirror": view.mirror,
                "change": changed_by(view.tags),
                "at": asdict(KeptMoment.now()),
            }
        )

    def brought(self, view: AzureView) -> Mapping[str, Any] | None:
        """The route to put back, where a call of others has brought the slot traffic; else None.

        What somebody moved by hand is said and stays: it bears the mark of no other change.
        """
        found = self._changes.book.untried()
        if found is None or view.state != READY:
            return None
        slot, route = found["slot"], self._changes.book.route()
        share = view.weights.get(slot, 0.0) + view.mirror.get(slot, 0.0)
        held, landed = view.versions().get(slot), changed_by(view.tags)
        expected = held is not None and (held.model, held.number) == (found["model"], found["number"])
        if not (share and expected and self._changes.drove_last(view)) or KeptMoment(**found["at"]).age_s > LATE_S:
            return None
        if route is not None and landed == route.get("change") != found["change"]:
            return None  # Ours, which is not shown yet.
        text = f"{slot} got {share:g} % of the traffic before anybody had tried it"
        if landed == found["change"]:
            self._say(f"{text}, moved by nobody who releases")
            return None
        claim = read_claim(view.tags)
        whose = f" of {claim.who}" if claim is not None and claim != newest_claim(view.tagged) else ""
        self._say(f"{text}, by a change{whose} that was asked for before it was deployed; it is put back")
        return found

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._note(Noted(text, Level.WARNING, source=SOURCE))

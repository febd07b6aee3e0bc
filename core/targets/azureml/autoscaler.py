"""The autoscale settings of an endpoint's slots, kept as they should be, and what comes of them.

One thread, which holds nothing up: its changes are made when it is their turn, after traffic and releases. A slot is
scaled while all traffic is its own; while it moves, and without any, a size stays.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.domain.errors import QuarterdeckError, Refused
from core.domain.model import Level, Noted, Scaled, Slot
from core.domain.obstacles import Cause, Obstacle
from core.targets.azureml.api_errors import Json
from core.targets.azureml.autoscale_bodies import (
    API,
    METRICS,
    autoscale_settings,
    bounds,
    group_path,
    same_settings,
    settings_path,
)
from core.targets.azureml.autoscale_looks import AutoscaledSlot, alike, is_ours, look_of
from core.targets.azureml.autoscale_metrics import measured
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.changes import EndpointChanges
from core.targets.azureml.view import READY, AzureView, capacity, state_of
from core.targets.azureml.workspace import AzureEndpoint

MEASURED_S = 300.0
SOURCE = "azureml"
log = logging.getLogger("quarterdeck")


@dataclass(slots=True)
class _Size:
    """The size that a slot was seen with, and when another one was made of it by nobody of this project."""

    count: int
    before: int
    acted_s: float | None = None


class AutoscaleKeeper:
    """Writes settings where they are not as they should be, and tells a look at each slot. `tell` takes any thread."""

    def __init__(self, changes: EndpointChanges, tell: Callable[[Scaled | Noted], None]) -> None:
        self._at = changes.at
        self._changes = changes
        self._tell = tell
        self._view: AzureView | None = None
        self._news = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._bounds = bounds(changes.at) or (1, 1)
        self._looks: dict[Slot, Scaled] = {}
        self._told_at: dict[Slot, float] = {}
        self._sizes: dict[Slot, _Size] = {}
        self._said = ""
        self._swept = False

    def seen(self, view: AzureView) -> None:
        """The endpoint was read: it is looked at when it is time, or at once where something is other than before."""
        before, self._view = self._view, view
        if before is None or before != view:
            self._news.set()
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._run, name="azureml autoscale", daemon=True)
            self._thread.start()

    def looks(self) -> tuple[Scaled, ...]:
        """The last look at each slot, for who begins to read."""
        return tuple(self._looks.values())

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        self._news.set()

    def _run(self) -> None:
        every_s = max(2 * self._at.place.look_s, self._at.place.poll_s)
        if self._at.endpoint.autoscaling is None:
            # There is nothing to keep, and what a former project left has time.
            self._closed.wait(every_s)
        while not self._closed.is_set():
            self._news.wait(every_s)
            self._news.clear()
            view = self._view
            if self._closed.is_set() or view is None or view.body is None:
                continue
            try:
                self._look(view)
            except QuarterdeckError as error:
                if self._at.endpoint.autoscaling is not None:
                    self._say(str(error))
                    self._unread(error)
            except Exception:
                log.exception("autoscale of %s", self._at.called)
            # A release changes much at once, and none of it is urgent here.
            self._closed.wait(self._at.place.poll_s)

    def _look(self, view: AzureView) -> None:
        if self._at.endpoint.autoscaling is None:
            if not self._swept and self._changes.drove_last(view):
                # Settings of a time when this project said so are taken away, once.
                self._swept = True
                self._kept(view, all_settings(self._at, self._changes.calls))
            return
        found = all_settings(self._at, self._changes.calls)
        trouble = self._kept(view, found)
        self._say(trouble)
        now = time.time()
        for slot, body in view.deployments.items():
            self._told(look_of(self._slot(view, slot, self._size(slot, capacity(body)), found.get(slot), trouble), now))
        for slot in view.asleep():
            self._told(look_of(AutoscaledSlot(slot, 0, None, {}, self._bounds), now))
        for slot in [one for one in self._sizes if one not in view.deployments]:
            del self._sizes[slot]
        for slot in [one for one in self._looks if one not in view.versions()]:
            del self._looks[slot], self._told_at[slot]

    def _slot(self, view: AzureView, slot: Slot, size: _Size, held: Json | None, trouble: str) -> AutoscaledSlot:
        """What is known of a slot that has instances."""
        foreign = "" if held is None or is_ours(held, self._at.name) else f"{held.get('name')} scales it, not ours"
        awaits = self._awaits(view, slot) if held is None else ""
        traffic = view.weights.get(slot, 0.0) > 0
        before, size.before = size.before, size.count
        return AutoscaledSlot(
            slot,
            size.count,
            held,
            self._measured(slot) if traffic and held is not None else dict.fromkeys(METRICS.values()),
            self._bounds,
            before=before,
            acted_s=None if size.acted_s is None else time.monotonic() - size.acted_s,
            why=foreign or ("" if awaits else trouble),
            awaits=awaits,
            traffic=traffic,
        )

    def _told(self, look: Scaled) -> None:
        """Tell a look that says something new, and any once it is due: it is only as good as it is young."""
        known, self._looks[look.slot] = self._looks.get(look.slot), look
        if not alike(known, look) or look.at - self._told_at.get(look.slot, 0.0) >= look.next_look_s:
            self._told_at[look.slot] = look.at
            self._tell(look)

    def _unread(self, error: QuarterdeckError) -> None:
        """What there is can't be looked at: the last looks stand as of then, with the reason."""
        for slot, look in self._looks.items():
            kept = tuple(one for one in look.obstacles if one.cause is not Cause.UNREAD)
            unread = replace(look, obstacles=(*kept, Obstacle(Cause.UNREAD, str(error))))
            if unread != look:
                self._looks[slot] = unread
                self._tell(unread)

    def _awaits(self, view: AzureView, slot: Slot) -> str:
        """Why nothing is written for a slot now, which somebody does later; empty where it should be there."""
        if (state := state_of(view.deployments[slot])) != READY:
            return f"Azure says {state or 'nothing'} of its deployment"
        return "" if self._changes.drove_last(view) else "who released there last makes it"

    def _size(self, slot: Slot, count: int) -> _Size:
        size = self._sizes.setdefault(slot, _Size(count, count))
        if size.count != count:
            ours = any(
                one.slot == slot and one.doing in ("resize", "deploy") for one in self._changes.book.operations()
            )
            size.before, size.count = size.count, count
            size.acted_s = size.acted_s if ours else time.monotonic()
        return size

    def _kept(self, view: AzureView, found: dict[Slot, Json]) -> str:
        """Write what is not as it should be into `found` and there; why that was not possible, else empty."""
        if not self._changes.drove_last(view):
            return ""
        for slot, held in list(found.items()):
            wanted = slot in view.deployments and self._at.endpoint.autoscaling is not None
            if is_ours(held, self._at.name) and not wanted:
                self._changed("DELETE", slot)
                del found[slot]
        if self._at.endpoint.autoscaling is None:
            return ""
        for slot, body in view.deployments.items():
            mine = found.get(slot)
            if state_of(body) != READY or (mine is not None and not is_ours(mine, self._at.name)):
                continue
            whole = view.weights.get(slot, 0.0) >= 100 and not self._changes.traffic_moves(view)
            wanted_body = autoscale_settings(self._at, slot, self._changes.reader.location(), enabled=whole)
            if mine is not None and same_settings(mine, wanted_body):
                continue
            try:
                found[slot] = self._changed("PUT", slot, wanted_body)
            except QuarterdeckError as error:
                return f"autoscale settings of {slot} were not written: {error}"
        return ""

    def _changed(self, method: str, slot: Slot, body: Json | None = None) -> Json:
        if self._closed.is_set():
            raise Refused(f"{self._at.called}: this target is closed")
        path = settings_path(self._at, slot)
        answer: Json = self._changes.beside(lambda: self._changes.calls.ask(method, path, API, body)).body
        return answer

    def _measured(self, slot: Slot) -> dict[str, float | None]:
        """The mean of the last minutes, by the names of metrics; None where there was no figure."""
        try:
            return measured(self._at, self._changes.calls, slot, MEASURED_S)
        except QuarterdeckError as error:
            self._say(f"metrics of {slot} were not read: {error}")
            return dict.fromkeys(METRICS.values())

    def _say(self, trouble: str) -> None:
        """Tell of a trouble once, and not again until it is another one."""
        if trouble and trouble != self._said:
            self._tell(Noted(trouble, Level.WARNING, None, SOURCE))
        self._said = trouble or self._said


def all_settings(at: AzureEndpoint, calls: AzureCalls) -> dict[Slot, Json]:
    """The autoscale settings of this endpoint's slots, whoever wrote them; raises QuarterdeckError."""
    start = at.deployment().casefold() + "/"
    found: dict[Slot, Json] = {}
    for one in calls.ask("GET", group_path(at), API).body.get("value") or ():
        target = str((one.get("properties") or {}).get("targetResourceUri") or "").casefold()
        if target.startswith(start):
            found[target.removeprefix(start)] = one
    return found


def taken_away(at: AzureEndpoint, calls: AzureCalls) -> None:
    """Delete the settings that we wrote for an endpoint that goes; raises QuarterdeckError."""
    for slot, held in all_settings(at, calls).items():
        if is_ours(held, at.name):
            calls.ask("DELETE", settings_path(at, slot), API)

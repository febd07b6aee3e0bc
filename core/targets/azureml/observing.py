"""What a target reports: the slots as the workspace has them, weights once answers proved them, and what goes on.

One thread looks and follows operations; it hands over what is new to whoever reads on a loop, and waits for nobody.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from core.domain.errors import QuarterdeckError
from core.domain.model import Level, Noted, Observation, Scaled, Slot
from core.domain.sample import Sample
from core.targets.azureml.api_errors import AzureThrottled, WorkspaceMissing
from core.targets.azureml.autoscaler import AutoscaleKeeper
from core.targets.azureml.build_logs import build_log_end
from core.targets.azureml.changes import EndpointChanges
from core.targets.azureml.claims import changed_by
from core.targets.azureml.container_logs import last_line
from core.targets.azureml.costs import priced
from core.targets.azureml.credentials import Account
from core.targets.azureml.deletions import DeletionNews
from core.targets.azureml.feed import AzureFeed
from core.targets.azureml.following import FEW_TIMES, EndedOperation, OperationFollower
from core.targets.azureml.news import AzureContact, AzureNews
from core.targets.azureml.operations import AzureOperation
from core.targets.azureml.proving import AGAIN_S, proof_key, proof_look
from core.targets.azureml.routing import SOURCE, AzureRouter
from core.targets.azureml.scoring_calls import ScoringCalls
from core.targets.azureml.view import READY, AzureView, observations, sizes, state_of
from core.targets.protocol import Report
from core.targets.proving import ProvedWeights

STALE_S = 120.0
WORDS_S = 10.0
"""How often the age of what goes on is said anew."""
log = logging.getLogger("quarterdeck")


class AzureObserver:
    """Everything that one target has to say, for as many readers as there are."""

    def __init__(self, changes: EndpointChanges, scoring: ScoringCalls, row: Callable[[], bytes]) -> None:
        self._at = changes.at
        self._changes = changes
        self._readers: set[AzureFeed] = set()
        self._ask = lambda: scoring.who(row())
        self._proofs = ProvedWeights(self.told, "azureml proof", AGAIN_S)
        self._follower = OperationFollower(
            changes.calls,
            changes.book,
            self._at.place.poll_s,
            lambda slot, body: build_log_end(self._at, changes.calls, body) or last_line(self._at, changes.calls, slot),
            self.note,
            self._over,
        )
        self._scaler = AutoscaleKeeper(changes, self.tell)
        self._deletions = DeletionNews(self._at.name)
        self._router: AzureRouter | None = None
        self._undo: Callable[[Slot], None] = lambda _: None
        self._why: dict[Slot, str] = {}
        self._operations: tuple[AzureOperation, ...] = ()
        self._error: QuarterdeckError | None = None
        self._heard_s = time.monotonic()
        self._account: Account | None = None
        self._poked = threading.Event()
        self._closed = threading.Event()
        self._begun = threading.Lock()
        self._runs = self._missed = False

    def begin(self, router: AzureRouter, undo: Callable[[Slot], None]) -> None:
        """Look from now on, once; `undo` deletes a deployment that nobody wants any more."""
        with self._begun:
            if self._runs or self._closed.is_set():
                return
            self._runs = True
        self._router, self._undo = router, undo
        self._proofs.start()
        self._follower.start()
        threading.Thread(target=self._run, name="azureml watch", daemon=True).start()

    def close(self) -> None:
        """End readers and threads."""
        self._closed.set()
        self._poked.set()
        self._proofs.close()
        self._follower.close()
        self._scaler.close()
        self.told()

    def poke(self) -> None:
        """Something was changed: look soon."""
        self._poked.set()
        self._follower.poke()

    def logged_in(self, account: Account, note: Noted) -> None:
        """Who it is that drives there, once that is known."""
        self._account = account
        self.note(note)

    def note(self, note: Noted) -> None:
        """Say something in words."""
        self.tell(note)

    def tell(self, *reports: Noted | Sample | Scaled) -> None:
        """Hand something to all who read."""
        for one in list(self._readers):
            one.tell(*reports)

    def told(self) -> None:
        """Something is other than before."""
        self.tell()

    async def reports(self, begin: Callable[[], None]) -> AsyncIterator[Report]:
        """All that is true, then Synced, then each change, until closed. `begin` is called once somebody hears it."""
        reader = AzureFeed()
        self._readers.add(reader)
        reader.queue = list(self._scaler.looks())
        begin()
        news = AzureNews()
        try:
            while not self._closed.is_set():
                if (view := self._changes.reader.view) is not None:
                    for report in news.of(self._slots(view), self._contact(), self._changes.other(view)):
                        yield report
                elif self._error is not None:
                    raise self._error
                reports, reader.queue = reader.queue, []
                for report in reports:
                    yield report
                try:
                    async with asyncio.timeout(WORDS_S):
                        await reader.changed.wait()
                except TimeoutError:
                    continue
                finally:
                    reader.changed.clear()
        finally:
            self._readers.discard(reader)

    def _contact(self) -> AzureContact:
        silent_s = time.monotonic() - self._heard_s
        stale = silent_s > max(STALE_S, 3 * self._look_s)
        doing = next((one for one in self._operations if not one.slot), None)
        usual = "" if doing is None else doing.usual(self._changes.book.usual_s(doing.doing))
        return AzureContact(self._account, silent_s, stale, self._error, self._look_s, doing, usual)

    @property
    def _look_s(self) -> float:
        """How often everything is looked at where nothing goes on: less often while few reads are left."""
        return self._at.place.look_s * (FEW_TIMES if self._changes.calls.few_left else 1.0)

    def _slots(self, view: AzureView) -> dict[Slot, Observation]:
        """Each slot, with the weights that are known to be in force, and what goes on there."""
        # Read before what they came to: one that is in the book no more has said why it failed.
        operations = self._changes.book.operations()
        why, silent = dict(self._why), self._follower.silent
        for one in operations:
            if one.slot:
                state, usual_s = state_of(view.deployments.get(one.slot, {})), self._changes.book.usual_s(one.doing)
                why[one.slot] = one.briefly(state, usual_s, silent=one.id in silent)
        held, going = self._changes.book.sizes(), frozenset(one.slot for one in operations)
        found = priced(observations(view, why, held, going), view, self._at.place)
        moves = any(one.doing == "traffic" and one.address for one in self._operations)
        settled = view.state == READY and not moves
        return self._proofs.applied(found, proof_key(found), proof_look(self._ask, found) if settled else None)

    def _run(self) -> None:
        """Look until closed: at operations as often as they are due, at everything when something was or changed."""
        looked_s = -self._at.place.look_s
        while not self._closed.is_set():
            try:
                looked_s = self._look(looked_s)
                self._error = None
            except AzureThrottled as error:
                self._error = error
                self._closed.wait(error.retry_after_s)
            except QuarterdeckError as error:
                self._error = error
                self.told()
            except Exception:
                # What the service says may be anything; a look that broke is followed by the next.
                log.exception("a look at %s", self._at.called)
            self._poked.wait(self._at.place.poll_s)
            self._poked.clear()

    def _look(self, looked_s: float) -> float:
        book, reader, place = self._changes.book, self._changes.reader, self._at.place
        before, self._operations = self._operations, book.operations()
        changed = {one.id for one in before} != {one.id for one in self._operations}
        if changed:
            self.told()
        view = reader.view
        since_s = time.monotonic() - looked_s
        if not (
            view is None or changed or since_s >= self._look_s or (since_s >= place.poll_s and self._expects(view))
        ):
            return looked_s
        looked_s, silent = time.monotonic(), self._follower.silent
        view = self._read()
        self._heard_s = time.monotonic()
        self._scaler.seen(view)
        self._deletions.removed((*before, *self._operations, *book.operations()))
        self.tell(*self._deletions.of(view))
        self._landed(view)
        if self._follower.seen(view, silent):
            self._operations = book.operations()
            self.told()
        return looked_s

    def _read(self) -> AzureView:
        """What there is. That there is not even a workspace is believed once it was answered twice in a row."""
        try:
            view, self._missed = self._changes.reader.read(), False
            self._changes.book.keep_sizes(partial(sizes, view))
            return view
        except WorkspaceMissing:
            if self._missed:
                return self._changes.reader.nowhere()
            self._missed = True
            raise

    def _over(self, end: EndedOperation) -> None:
        """An operation has ended: what became of its slot is looked at at once."""
        self._deletions.removed([end.operation])
        if slot := end.operation.slot:
            others = {one: why for one, why in self._why.items() if one != slot}
            self._why = {**others, slot: end.why} if end.why else others
        # A slot that failed is seen to be given up once the book has no operation of it: why is known by then.
        self._changes.book.ended(end.operation, end.took_s)
        self._poked.set()

    def _expects(self, view: AzureView) -> bool:
        """Whether something is about to be seen: nobody tells of what goes on, or it is not as it was asked for."""
        silent = self._follower.silent
        if any(one.address and one.id not in silent for one in self._operations):
            return False
        if not view.settled or any(one.goes_on() for one in self._operations):
            return True
        return self._changes.traffic_moves(view)

    def _landed(self, view: AzureView) -> None:
        """What nobody answered and is seen now: it has happened, or it is taken back where nobody wants it any more."""
        if self._router is not None:
            self._router.watch(view)
        book, call_s = self._changes.book, self._at.place.call_s
        for one in book.operations():
            held = view.deployments.get(one.slot) if one.doing == "deploy" else None
            if held is None or changed_by(held.get("tags")) != one.id or not one.unanswered(call_s):
                continue
            if one.undo and not self._changes.drove_last(view):
                continue  # Whoever does takes it back.
            book.forget(one)
            if one.undo and state_of(held) != "Deleting":
                text = f"{one.slot}: a deployment that nobody had answered for has landed late; it is removed"
                self.note(Noted(text, Level.WARNING, one.slot, SOURCE))
                threading.Thread(target=self._taken_back, args=(one.slot,), name="azureml undo", daemon=True).start()

    def _taken_back(self, slot: Slot) -> None:
        try:
            self._undo(slot)
        except QuarterdeckError as error:
            self.note(Noted(f"{slot}: what landed late was not removed: {error}", Level.ERROR, slot, SOURCE))

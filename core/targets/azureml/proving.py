"""Whether answers show that traffic goes where the service says: a thread asks, and counts who answers."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from core.domain.errors import QuarterdeckError, Unreachable
from core.domain.model import Observation, Slot

ENOUGH, MOST = 20, 600
"""So many answers in a row prove that a slot gets nothing; so many are asked for at the most."""
GIVE_UP_S, AGAIN_S, PAUSE_S = 60.0, 1.0, 0.02
log = logging.getLogger("quarterdeck")

Asker = Callable[[], Slot]
"""Asks once as everybody does, and says which slot answered; raises Unreachable."""


@dataclass(frozen=True, slots=True)
class AzureProof:
    """Weights that `count` answers showed in force, and the copies that the service said then."""

    weights: Mapping[Slot, float] = field(default_factory=dict)
    mirror: Mapping[Slot, float] = field(default_factory=dict)
    versions: Hashable = ()
    count: int = 0

    @property
    def key(self) -> Hashable:
        """What it holds for."""
        return (tuple(sorted(self.weights.items())), tuple(sorted(self.mirror.items())), self.versions)


def prove_shares(ask: Asker, weights: Mapping[Slot, float], still: Callable[[], bool]) -> int:
    """How many answers in a row came from the slots that have a share, each of them among these.

    Raises Unreachable with what speaks against it where that was not so in time, or nobody wants to know any more.
    """
    served = {slot for slot, weight in weights.items() if weight > 0}
    good: Counter[Slot] = Counter()
    until_s, why = time.monotonic() + GIVE_UP_S, "nobody answers"
    for _ in range(MOST):
        if time.monotonic() > until_s or not still():
            break
        try:
            slot = ask()
        except Unreachable as error:
            why = str(error)
            time.sleep(PAUSE_S)
            continue
        if slot not in served:
            why = f"{slot} still answers"
            good.clear()
            time.sleep(PAUSE_S)
            continue
        good[slot] += 1
        if good.total() >= ENOUGH and set(good) == served:
            return good.total()
    missing = ", ".join(sorted(served - set(good)))
    raise Unreachable(f"no answer proves it: {f'none came from {missing}' if good and missing else why}")


class AzureProofs:
    """Keeps the last proof, and looks for the next. `told` is called in its thread once there is one."""

    def __init__(self, ask: Asker, told: Callable[[], None]) -> None:
        self._ask = ask
        self._told = told
        self._news = threading.Condition()
        self._wanted: AzureProof | None = None
        self._proof: AzureProof | None = None
        self._why = ""
        self._closed = False

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="azureml proof", daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def applied(self, slots: Mapping[Slot, Observation], *, settled: bool) -> dict[Slot, Observation]:
        """The slots with the weights that are known to be in force.

        What the service shows is looked into once its change has ended (`settled`); until it is proved the last stands.
        """
        weights = {slot: seen.weight for slot, seen in slots.items() if seen.weight > 0}
        mirror = {slot: seen.mirror for slot, seen in slots.items() if seen.mirror > 0}
        of = tuple(sorted((slot, seen.version.number) for slot, seen in slots.items() if seen.version and seen.weight))
        shown = AzureProof(weights, mirror, of)
        with self._news:
            proof, why = self._proof, self._why
            known = proof is not None and proof.key == shown.key
            self._wanted = shown if settled and not known else None
            self._news.notify_all()
        if known and proof is not None:
            return {slot: _with(seen, proof) for slot, seen in slots.items()}
        if proof is None:
            return {slot: replace(seen, proved_by=0, why=seen.why or why) for slot, seen in slots.items()}
        found = {slot: _with(seen, replace(proof, count=0)) for slot, seen in slots.items()}
        return {slot: replace(one, why=one.why or why) if slot in weights else one for slot, one in found.items()}

    def _run(self) -> None:
        while True:
            with self._news:
                while self._wanted is None and not self._closed:
                    self._news.wait()
                if self._closed or self._wanted is None:
                    return
                wanted = self._wanted
            try:
                still = partial(self._still, wanted.key)
                count = prove_shares(self._ask, wanted.weights, still) if wanted.weights else 0
            except Exception as error:
                if not isinstance(error, QuarterdeckError):
                    log.exception("the proof of a share")
                with self._news:
                    said, self._why = self._why, str(error)
                    self._news.wait(AGAIN_S)
                if said != str(error):
                    self._told()
                continue
            with self._news:
                if self._wanted is not None and self._wanted.key == wanted.key:
                    self._proof, self._wanted, self._why = replace(wanted, count=count), None, ""
            self._told()

    def _still(self, key: Hashable) -> bool:
        wanted = self._wanted
        return not self._closed and wanted is not None and wanted.key == key


def _with(seen: Observation, proof: AzureProof) -> Observation:
    weight = proof.weights.get(seen.slot, 0.0)
    return replace(
        seen, weight=weight, mirror=proof.mirror.get(seen.slot, 0.0), proved_by=proof.count if weight > 0 else 0
    )

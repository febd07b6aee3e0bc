"""Whether answers show that traffic goes where its place says: a thread asks, and counts who answers."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

from core.domain.errors import QuarterdeckError, Unreachable
from core.domain.model import Observation, Slot

ENOUGH, PAUSE_S = 20, 0.02
"""So many answers in a row prove that nobody else answers."""
log = logging.getLogger("quarterdeck")

Asker: TypeAlias = Callable[[], str]
"""Asks once as everybody does, and says who answered; raises Unreachable where nobody did."""
ProofLook: TypeAlias = Callable[[Callable[[], bool]], int]
"""How many answers prove it; raises Unreachable where none do. It ends once what it is given says False."""


def prove(
    ask: Asker,
    served: Collection[str],
    still: Callable[[], bool] = lambda: True,
    *,
    most: int,
    within_s: float,
    at_rest: Callable[[], bool] = lambda: True,
) -> int:
    """How many answers in a row came from those who have a share, each of them among these, of `most` asked for.

    `at_rest` looks at those without a share, who must answer nothing any more: callers who keep their connections get
    answers there for as long as they do. Raises Unreachable with what speaks against it where that was not so in time,
    or nobody wants to know it any more.
    """
    good: Counter[str] = Counter()
    until_s, why = time.monotonic() + within_s, "nobody answers"
    for _ in range(most):
        if time.monotonic() > until_s or not still():
            break
        try:
            who = ask()
        except Unreachable as error:
            why = str(error)
            time.sleep(PAUSE_S)
            continue
        if who not in served:
            why = f"{who} still answers"
            good.clear()
            time.sleep(PAUSE_S)
            continue
        good[who] += 1
        if good.total() >= ENOUGH and set(good) == set(served):
            if at_rest():
                return good.total()
            why = "callers still get answers from where they should not, on connections that they keep"
            good.clear()
    missing = ", ".join(sorted(set(served) - set(good)))
    raise Unreachable(f"no answer proves it: {f'none came from {missing}' if good and missing else why}")


@dataclass(frozen=True, slots=True)
class TrafficProof:
    """Weights that answers showed in force, `count` of them; `key` is what the place said then."""

    key: Hashable
    weights: Mapping[Slot, float] = field(default_factory=dict)
    mirror: Mapping[Slot, float] = field(default_factory=dict)
    count: int = 0


class ProvedWeights:
    """Keeps the last proof, and looks for the next. `told` is called in its thread once there is one."""

    def __init__(self, told: Callable[[], None], name: str, again_s: float) -> None:
        self._told = told
        self._name = name
        self._again_s = again_s
        self._news = threading.Condition()
        self._wanted: tuple[TrafficProof, ProofLook] | None = None
        self._proof: TrafficProof | None = None
        self._why = ""
        self._closed = False

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def applied(
        self, slots: Mapping[Slot, Observation], key: Hashable, look: ProofLook | None
    ) -> dict[Slot, Observation]:
        """The slots with the weights that are known to be in force: until those of now are proved the last proof
        stands.

        `key` is what a proof of them holds for; `look` None: it is not time yet to look for one.
        """
        weights = {slot: seen.weight for slot, seen in slots.items() if seen.weight > 0}
        mirror = {slot: seen.mirror for slot, seen in slots.items() if seen.mirror > 0}
        with self._news:
            proof, why = self._proof, self._why
            known = proof is not None and proof.key == key
            self._wanted = None if known or look is None else (TrafficProof(key, weights, mirror), look)
            self._news.notify_all()
        if known and proof is not None:
            return {slot: _with(seen, replace(proof, weights=weights)) for slot, seen in slots.items()}
        found = {
            slot: replace(seen, proved_by=0) if proof is None else _with(seen, replace(proof, count=0))
            for slot, seen in slots.items()
        }
        return {slot: replace(one, why=one.why or why) if slot in weights else one for slot, one in found.items()}

    def _run(self) -> None:
        while True:
            with self._news:
                while self._wanted is None and not self._closed:
                    self._news.wait()
                if self._closed or self._wanted is None:
                    return
                wanted, look = self._wanted
            try:
                count = look(partial(self._still, wanted.key)) if wanted.weights else 0
            except Exception as error:
                if not isinstance(error, QuarterdeckError):
                    log.exception("the proof of a share")
                with self._news:
                    said, self._why = self._why, str(error)
                    self._news.wait(self._again_s)
                if said != str(error):
                    self._told()
                continue
            with self._news:
                if self._wanted is not None and self._wanted[0].key == wanted.key:
                    self._proof, self._wanted, self._why = replace(wanted, count=count), None, ""
            self._told()

    def _still(self, key: Hashable) -> bool:
        wanted = self._wanted
        return not self._closed and wanted is not None and wanted[0].key == key


def _with(seen: Observation, proof: TrafficProof) -> Observation:
    weight = proof.weights.get(seen.slot, 0.0)
    return replace(
        seen, weight=weight, mirror=proof.mirror.get(seen.slot, 0.0), proved_by=proof.count if weight > 0 else 0
    )

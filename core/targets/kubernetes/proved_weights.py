"""Which weights answers have shown to be in force. A thread asks whenever the cluster says others."""

import logging
import threading
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from core.domain.errors import QuarterdeckError
from core.domain.model import Observation, Slot
from core.targets.kubernetes.proving import Answerer, prove
from core.targets.kubernetes.traffic import RoutedTraffic

AGAIN_S = 0.5
log = logging.getLogger("quarterdeck")


@dataclass(frozen=True, slots=True)
class TrafficProof:
    """Weights that answers showed in force, `count` of them; `key` is what the cluster said then."""

    key: Hashable = None
    weights: Mapping[Slot, float] = field(default_factory=dict)
    mirror: Mapping[Slot, float] = field(default_factory=dict)
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be proved, and by what."""

    key: Hashable
    weights: Mapping[Slot, float]
    mirror: Mapping[Slot, float]
    versions: Mapping[Slot, str]
    ask: Answerer
    at_rest: Callable[[], bool]


class ProvedWeights:
    """Keeps the last proof, and looks for the next. `told` is called in its thread once there is one."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self._news = threading.Condition()
        self._wanted: _Wanted | None = None
        self._proof: TrafficProof | None = None
        self._why = ""
        self._closed = False

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="kubernetes proof", daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def applied(
        self,
        slots: Mapping[Slot, Observation],
        traffic: RoutedTraffic,
        ask: Answerer,
        at_rest: Callable[[Collection[Slot]], bool],
    ) -> dict[Slot, Observation]:
        """The slots with the weights that are known to be in force; those that the cluster says are looked into.

        Until they are proved the last proof stands.
        """
        weights = {slot: seen.weight for slot, seen in slots.items() if seen.weight > 0}
        versions = {slot: seen.version.number for slot, seen in slots.items() if seen.version is not None}
        key = _key(traffic, weights, versions)
        with self._news:
            proof = self._proof
            if proof is None or proof.key != key:
                idle = set(slots) - set(weights) - set(traffic.mirror)
                self._wanted = _Wanted(key, weights, dict(traffic.mirror), versions, ask, partial(at_rest, idle))
                self._news.notify_all()
            else:
                self._wanted = None
            why = self._why
        if proof is None:
            return {slot: replace(seen, proved_by=0) for slot, seen in slots.items()}
        if proof.key != key:
            held = {slot: _with(seen, proof.weights, proof.mirror, 0) for slot, seen in slots.items()}
            return {slot: replace(one, why=one.why or why) if slot in weights else one for slot, one in held.items()}
        return {slot: _with(seen, weights, proof.mirror, proof.count) for slot, seen in slots.items()}

    def _run(self) -> None:
        while True:
            with self._news:
                while self._wanted is None and not self._closed:
                    self._news.wait(1.0)
                if self._closed or self._wanted is None:
                    return
                wanted = self._wanted
            key, weights, still = wanted.key, wanted.weights, partial(self._still, wanted.key)
            try:
                count = prove(wanted.ask, weights, wanted.versions, still, wanted.at_rest) if weights else 0
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
                if self._wanted is not None and self._wanted.key == key:
                    self._proof = TrafficProof(key, weights, wanted.mirror, count)
                    self._wanted, self._why = None, ""
            self._told()

    def _still(self, key: Hashable) -> bool:
        wanted = self._wanted
        return not self._closed and wanted is not None and wanted.key == key


def _key(traffic: RoutedTraffic, weights: Mapping[Slot, float], versions: Mapping[Slot, str]) -> Hashable:
    """What a proof holds for. Of shares that are counts, the last change: pods come and go without anybody's doing."""
    shares = tuple(sorted(weights)) if traffic.split else tuple(sorted(weights.items()))
    of = tuple(sorted((slot, version) for slot, version in versions.items() if slot in weights))
    return (traffic.change, traffic.split, shares, tuple(sorted(traffic.mirror.items())), of)


def _with(seen: Observation, weights: Mapping[Slot, float], mirror: Mapping[Slot, float], count: int) -> Observation:
    weight = weights.get(seen.slot, 0.0)
    return replace(
        seen,
        weight=weight,
        mirror=mirror.get(seen.slot, 0.0),
        proved_by=count if weight > 0 else 0,
    )

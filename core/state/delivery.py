"""How releases went: each in a line, and the four figures of DORA over many. Pure.

A release counts once it gave its version traffic. It failed if it ended any other way than done, a rollback after its
end included. Restoring counts from the first sign, a step that failed or the key, to the proof that traffic is back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from core.domain.model import Slot
from core.domain.strategies import DRILL, ROLLBACK
from core.state import events as ev

WEEK_S = 604_800.0


@dataclass(frozen=True, slots=True)
class BackTaken:
    """One way back: who asked, and how long it took in ms from the key to the proof, and in s from the first sign."""

    by: str
    key_ms: float | None
    restored_s: float | None


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """One release. Moments in seconds since the epoch; `version_at` is when the first release of its version began."""

    id: str
    endpoint: str
    environment: str
    strategy: str
    by: str
    began_at: float
    version: str = ""
    version_at: float = 0.0
    served_at: float | None = None
    full_at: float | None = None
    ended_at: float | None = None
    outcome: str = ""
    why: str = ""
    reason: str = ""
    backs: tuple[BackTaken, ...] = ()

    @property
    def took_s(self) -> float | None:
        """From its begin to its end."""
        return None if self.ended_at is None else self.ended_at - self.began_at


@dataclass(frozen=True, slots=True)
class DeliveryFigures:
    """Over `weeks`: how many releases reached all traffic, and how long, how often and how fast; None: none to tell by.

    `releases` is how many had traffic and have ended, which `failed_percent` is of.
    """

    weeks: float
    releases: int
    a_week: float | None
    lead_s: float | None
    failed_percent: float | None
    restore_s: float | None
    rollback_ms: float | None


@dataclass(slots=True)
class _Told:
    """What is known of a release so far."""

    began: ev.Began
    by: str
    began_at: float
    version: str = ""
    slot: Slot | None = None
    served_at: float | None = None
    full_at: float | None = None
    ended_at: float | None = None
    outcome: str = ""
    why: str = ""
    reason: str = ""
    sign_at: float | None = None
    turned: ev.Event | None = None
    drilled: tuple[float | None, str, str, str] | None = None
    backs: list[BackTaken] = field(default_factory=list)


def releases(decisions: Iterable[ev.Event]) -> tuple[ReleaseRow, ...]:
    """Every release, oldest first."""
    told: dict[str, _Told] = {}
    first: dict[tuple[str, str], float] = {}
    for event in decisions:
        body = event.body
        if isinstance(body, ev.Began):
            told[body.release] = _Told(body, event.who, event.at)
        elif (of := told.get(getattr(body, "release", None) or "")) is not None:
            _add(of, event)
            if isinstance(body, ev.Chose):
                first.setdefault((body.version.model, body.version.number), of.began_at)
                of.version = f"{body.version.model} {body.version.label}"
    begins = {f"{model} v{number}": at for (model, number), at in first.items()}
    return tuple(_row(name, one, begins) for name, one in told.items())


def _add(of: _Told, event: ev.Event) -> None:
    at = event.at
    match event.body:
        case ev.Placed(slot=slot):
            of.slot = slot
        case ev.StepFailed():
            of.sign_at = at
        case ev.TurnedBack(drill=True, reason=reason):
            # No way back that anybody needed, unless it stays.
            of.drilled, of.reason = (of.ended_at, of.outcome, of.why, of.reason), reason
        case ev.TurnedBack(reason=reason, asked_at=asked_at):
            of.turned, of.reason = event, reason
            # A key that went down long after a failed step answers to something else.
            of.sign_at = asked_at if asked_at is not None else of.sign_at or at
        case ev.Reasoned(reason=reason):
            of.reason = reason
        case ev.TurnedForward() | ev.Retried():
            of.turned, of.sign_at, of.ended_at, of.outcome, of.why = None, None, None, "", ""
        case ev.Verified() as proof:
            _proved(of, proof, at)
        case ev.Ended() if of.drilled is not None and not of.outcome:
            (of.ended_at, of.outcome, of.why, of.reason), of.drilled = of.drilled, None
        case ev.Ended(outcome=outcome, why=why):
            of.ended_at, of.outcome, of.why = at, outcome.value, why
        case _:
            pass


def _proved(of: _Told, proof: ev.Verified, at: float) -> None:
    share = proof.weights.get(of.slot or "", 0.0)
    if of.turned is not None:
        if share == 0:
            key_ms = proof.took_ms if proof.since == "key" else None
            of.backs.append(BackTaken(of.turned.who, key_ms, at - of.sign_at if of.sign_at is not None else None))
            of.turned = None
    elif share > 0:
        of.served_at = of.served_at or at
        of.full_at = of.full_at or (at if share >= 100 else None)


def _row(name: str, one: _Told, begins: Mapping[str, float]) -> ReleaseRow:
    return ReleaseRow(
        id=name,
        endpoint=one.began.endpoint,
        environment=one.began.environment,
        strategy=one.began.plan.strategy,
        by=one.by,
        began_at=one.began_at,
        version=one.version,
        version_at=begins.get(one.version, one.began_at),
        served_at=one.served_at,
        full_at=one.full_at,
        ended_at=one.ended_at,
        outcome=one.outcome,
        why=one.why,
        reason=one.reason,
        backs=tuple(one.backs),
    )


def figures(rows: Sequence[ReleaseRow], since: float, now: float) -> DeliveryFigures:
    """The figures of the releases that began since a moment; less than a week counts as one."""
    # A way back is no delivery, and a drill on a copy is nobody's.
    mine = [row for row in rows if row.began_at >= since and row.strategy not in (ROLLBACK, DRILL)]
    weeks = max(1.0, (now - since) / WEEK_S)
    full = [row for row in mine if row.full_at is not None]
    ended = [row for row in mine if row.served_at is not None and row.outcome]
    failed = [row for row in ended if row.outcome != ev.Outcome.DONE.value]
    backs = [back for row in mine for back in row.backs]
    return DeliveryFigures(
        weeks=weeks,
        releases=len(ended),
        a_week=len(full) / weeks if mine else None,
        lead_s=_median(row.full_at - row.version_at for row in full if row.full_at is not None),
        failed_percent=100 * len(failed) / len(ended) if ended else None,
        restore_s=_median(back.restored_s for back in backs if back.restored_s is not None),
        rollback_ms=_median(back.key_ms for back in backs if back.key_ms is not None),
    )


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return median(found) if found else None

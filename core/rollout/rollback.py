"""Traffic from one slot to the other, and the way back and forward. Pure, as `core.rollout.decide` is."""

from collections.abc import Mapping

from core.domain.model import Slot, Version
from core.domain.plan import Shift
from core.rollout.actions import Action, Apply, Finish, MoveAliases, Record, RemoveSlot, Route, Wait
from core.state import events as ev
from core.state.snapshot import Endpoint, Release, StepState, Way

BACK_DEADLINE_S = 120.0
"""For so long the way back waits for what served before to be ready again, and for the proof."""


def split(release: Release, percent: float) -> Mapping[Slot, float]:
    """The weights that give the new slot its share."""
    if release.slot is None:
        return {}
    if release.old is None or percent >= 100:
        return {release.slot: 100.0} if release.old is None else {release.slot: 100.0, release.old: 0.0}
    return {release.slot: percent, release.old: 100.0 - percent}


def proved(endpoint: Endpoint, weights: Mapping[Slot, float]) -> bool:
    """Whether the watch shows these weights in force, on every slot that there is."""
    names = set(weights) | set(endpoint.slots)
    for name in names:
        seen = endpoint.slots.get(name)
        if abs((seen.weight if seen else 0.0) - weights.get(name, 0.0)) > 0.01:
            return False
    return bool(weights)


def shift(release: Release, state: StepState, step: Shift, endpoint: Endpoint, now: float) -> Action:
    """The new slot's share, until it is proved or its time is up."""
    weights = split(release, step.percent)
    if state.asked and proved(endpoint, weights):
        return Record((ev.StepDone(release.id, release.index, f"{step.percent:g} %"),))
    until = (state.started_at or now) + step.deadline_s
    if now < until and not state.asked:
        return Route(weights, release.index)
    if now >= until:
        how = "proved" if state.asked else "accepted"
        why = f"{step.percent:g} % was asked for and not {how} within {step.deadline_s:g} s"
        return Record((ev.StepFailed(release.id, release.index, why),))
    return Wait(f"answers that prove {step.percent:g} %", until)


def back(release: Release, endpoint: Endpoint, now: float) -> Action:
    """All traffic to what served before, then the aliases, then the end."""
    way = release.way
    if way is None or release.slot is None:
        return Finish(way.outcome if way else ev.Outcome.FAILED, way.why if way else "")
    if release.old is None or release.old_version is None:
        return _clear(release, way, endpoint, now)
    asked_for = (endpoint.weights, _weights(endpoint))
    if release.touched or any(weights.get(release.slot) for weights in asked_for):
        action = _return(way, release.old, release.old_version, max(1, release.old_replicas), endpoint, now)
        if action is not None:
            return action
    if (release.promoted or release.promotes) and not way.aliased:
        return MoveAliases(back=True)
    if way.outcome is not ev.Outcome.ROLLED_BACK and not way.dropped and release.slot in endpoint.slots:
        return RemoveSlot(release.slot)
    return Finish(way.outcome, way.why)


def _return(way: Way, old: Slot, version: Version, replicas: int, endpoint: Endpoint, now: float) -> Action | None:
    """All traffic to what served before, which must be able to take it; None once that is proved."""
    until = way.driven_at + BACK_DEADLINE_S
    weights = {old: 100.0}
    if way.routed and proved(endpoint, weights):
        return None
    seen = endpoint.slots.get(old)
    able = seen is not None and seen.ready > 0 and seen.version == version
    if now >= until:
        if way.routed:
            said = "no answer proved that traffic is back"
        elif able:
            said = "the target did not accept the way back"
        else:
            said = f"{old} did not get ready again within {BACK_DEADLINE_S:g} s"
        return Finish(ev.Outcome.STUCK, f"{way.why}; {said}: call a person")
    if way.routed:
        return Wait("answers that prove the way back", until)
    if able:
        return Route(weights)
    if way.applied_at is None:
        return Apply(old, version, replicas)
    return Wait(f"{old} to be ready again", until)


def _weights(endpoint: Endpoint) -> Mapping[Slot, float]:
    return {slot: seen.weight for slot, seen in endpoint.slots.items()}


def _clear(release: Release, way: Way, endpoint: Endpoint, now: float) -> Action:
    """Nothing served before: traffic ends and the slot goes."""
    until = way.driven_at + BACK_DEADLINE_S
    if release.touched and not way.routed and not way.dropped and now < until:
        return Route({})
    flows = any(_weights(endpoint).values())
    if flows and now >= until:
        return Finish(ev.Outcome.STUCK, f"{way.why}; traffic does not end: call a person")
    if flows:
        return Wait("traffic to end", until)
    if release.slot is not None and not way.dropped and release.slot in endpoint.slots:
        return RemoveSlot(release.slot)
    if (release.promoted or release.promotes) and not way.aliased:
        return MoveAliases(back=True)
    return Finish(way.outcome, way.why)


def forward(release: Release, endpoint: Endpoint, now: float) -> Action:
    """The share that a rollback took away, then the aliases, then on from where the release was."""
    way = release.way
    if way is None or release.slot is None:
        return Finish(ev.Outcome.FAILED, "there is no way forward")
    weights, until = split(release, way.reached), way.driven_at + BACK_DEADLINE_S
    if not (way.routed and proved(endpoint, weights)):
        if now >= until:
            return Record((ev.TurnedBack(release.id, ev.Outcome.ROLLED_BACK, "the way forward was not proved"),))
        return Wait("answers that prove the way forward", until) if way.routed else Route(weights)
    if release.promotes and not release.promoted and not way.aliased:
        return MoveAliases(back=False)
    if way.after_end:
        return Finish(ev.Outcome.DONE, "the rollback was taken back")
    return Record((ev.Resumed(release.id, release.step_by_step),))

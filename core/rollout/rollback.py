"""Traffic from one slot to the other, and the way back and forward. Pure, as `core.rollout.decide` is."""

from collections.abc import Mapping
from math import ceil

from core.domain.hints import typed
from core.domain.model import Observation, ReplicaState, Slot, Version
from core.domain.plan import Mirror, Shift
from core.rollout.actions import Action, Apply, Finish, MoveAliases, Record, RemoveSlot, Route, Wait
from core.state import events as ev
from core.state.astray import unknown_version, unknown_words
from core.state.endpoint import Endpoint
from core.state.release import Release, StepState, Way

STARTS = 3
AGAIN_S = 10.0
"""A slot whose every replica died so often, and does so still a while after it was asked for, is not waited for."""


def what_to_do(release: Release) -> str:
    """What a person can do about a way back that is stuck."""
    return f"mend that and call {typed('rollback', release.environment)} again, or release a version that works"


def split(release: Release, percent: float) -> Mapping[Slot, float]:
    """The weights that give the new slot its share."""
    if release.slot is None:
        return {}
    if release.old is None:
        return {release.slot: 100.0}
    return {release.slot: percent, release.old: 100.0 - percent}


def versions(release: Release) -> Mapping[Slot, Version | None]:
    """What each slot of a release must hold for its share of the traffic to count."""
    held = {release.old: release.old_version, release.slot: release.version}
    return {slot: version for slot, version in held.items() if slot is not None}


def proved(release: Release, endpoint: Endpoint, weights: Mapping[Slot, float]) -> bool:
    """Whether answers showed exactly these weights in force, from ready slots of the versions that are meant."""
    held = versions(release)
    for name in set(weights) | set(endpoint.slots):
        seen, wanted = endpoint.slots.get(name), weights.get(name, 0.0)
        if abs((seen.weight if seen else 0.0) - wanted) > release.plan.tolerance:
            return False
        if wanted > 0 and not _serves(seen, held.get(name)):
            return False
    return answers(endpoint, weights) > 0


def answers(endpoint: Endpoint, weights: Mapping[Slot, float]) -> int:
    """How many answers showed these weights."""
    return sum(seen.proved_by for slot, seen in endpoint.slots.items() if weights.get(slot, 0.0) > 0)


def _serves(seen: Observation | None, version: Version | None) -> bool:
    """Whether a slot can answer as this version at this moment."""
    return seen is not None and version is not None and seen.version == version and seen.ready > 0


def needed(release: Release, percent: float) -> int:
    """How many replicas of the new version a share of the traffic needs, by what served all of it before."""
    return max(1, ceil(release.old_replicas * percent / 100))


def _carrying(release: Release, endpoint: Endpoint) -> int:
    """How many replicas carry the traffic now, wherever it goes; what served before is brought to as many."""
    seen = [endpoint.slots.get(slot) for slot in (release.slot, release.old) if slot is not None]
    now = sum(one.wanted * one.weight / 100 for one in seen if one is not None)
    return max(1, release.old_replicas, ceil(now))


def shift(release: Release, state: StepState, step: Shift, endpoint: Endpoint, now: float) -> Action:
    """The new slot's share, until it is proved or its time is up."""
    weights = split(release, step.percent)
    if state.asked and proved(release, endpoint, weights):
        return Record((ev.StepDone(release.id, release.index, f"{step.percent:g} %"),))
    until = (state.started_at or now) + step.deadline_s
    seen = endpoint.slots.get(release.slot or "")
    able = _serves(seen, release.version)
    least = needed(release, step.percent)
    short = seen is not None and able and seen.ready < least
    if now >= until:
        why = (
            f"{step.percent:g} % was asked for and not {_how(release, state, seen, least)} within {step.deadline_s:g} s"
        )
        because = state.refusal or _why(seen)
        return Record((ev.StepFailed(release.id, release.index, f"{why}{': ' + because if because else ''}"),))
    if state.asked:
        return Wait(f"answers that prove {step.percent:g} %", until)
    if seen is None or not able or release.version is None:
        return Wait(f"{release.slot} to be ready", until)
    if short and seen.wanted < least and not state.sized:
        return Apply(seen.slot, release.version, least)
    if short:
        return Wait(f"{least} replicas of {release.slot}, which {step.percent:g} % needs: {seen.ready} ready", until)
    return Route(weights, release.index, sticky=step.sticky)


def _how(release: Release, state: StepState, seen: Observation | None, least: int) -> str:
    """How far a share came that was not reached in its time, to stand after `not`."""
    if state.asked:
        return "proved"
    if seen is None or not _serves(seen, release.version):
        return f"begun, for {release.slot} was not ready,"
    return "accepted" if seen.ready >= least else f"begun, for {release.slot} had {seen.ready} of {least} ready,"


def mirror(release: Release, state: StepState, step: Mirror, endpoint: Endpoint, now: float) -> Action:
    """The copy of requests to the new slot, until the target says that it is in force or its time is up."""
    if release.old is None or release.slot is None:
        return Record((ev.StepDone(release.id, release.index, "nothing serves to copy from"),))
    seen = endpoint.slots.get(release.slot)
    until = (state.started_at or now) + step.deadline_s
    able = _serves(seen, release.version)
    if state.asked and able and seen is not None and abs(seen.mirror - step.percent) <= release.plan.tolerance:
        return Record((ev.StepDone(release.id, release.index, f"a copy of {step.percent:g} %"),))
    if now >= until:
        how = "in force" if state.asked else "accepted" if able else f"begun, for {release.slot} was not ready,"
        because = state.refusal or _why(seen)
        why = f"a copy of {step.percent:g} % was asked for and not {how} within {step.deadline_s:g} s"
        return Record((ev.StepFailed(release.id, release.index, f"{why}{': ' + because if because else ''}"),))
    if not state.asked and able:
        return Route({release.old: 100.0}, release.index, {release.slot: step.percent})
    return Wait(f"a copy of {step.percent:g} % to be in force" if able else f"{release.slot} to be ready", until)


def back(release: Release, endpoint: Endpoint, now: float, answers_well: bool = False) -> Action:
    """All traffic to what served before, then the aliases, then the end.

    `answers_well`: the new version serves its share without harm, so that there is time to bring the other to size.
    """
    way = release.way
    if release.slot is None and release.unread and release.touched:
        unread = f"event {release.unread} of the journal can't be read: which slot it went to is not known"
        return Finish(
            ev.Outcome.STUCK, f"{unread}; {typed('rollback --to VERSION', release.environment)} names a version"
        )
    if way is None or release.slot is None:
        return Finish(way.outcome if way else ev.Outcome.FAILED, way.why if way else "")
    if release.old is None or release.old_version is None:
        return _clear(release, way, endpoint, now)
    unknown = None if way.routed else unknown_version(endpoint, release)
    if unknown is not None and (way.after_end or way.asked_at is not None or unknown.slot == release.old):
        # One that had ended before is what it was: it can be named to go back to.
        outcome = ev.Outcome.DONE if way.after_end else ev.Outcome.STUCK
        return Finish(outcome, f"nothing was changed: {unknown_words(unknown, release, endpoint)}")
    asked_for = (endpoint.weights, _weights(endpoint))
    if release.touched or any(weights.get(release.slot) for weights in asked_for):
        action = _return(release, way, release.old, release.old_version, endpoint, now, answers_well)
        if action is not None:
            return action
    if (release.aliases_moved or release.aliases_began) and not way.aliased:
        return MoveAliases(back=True)
    if way.outcome is ev.Outcome.FAILED and not way.dropped and _stands_there(release, endpoint):
        until = way.driven_at + release.plan.patience.back_s
        # No place removes what it still copies to, and the copy's end was asked for with the traffic.
        if endpoint.slots[release.slot].mirror > 0 and now < until:
            return Wait(f"the copy of the traffic to {release.slot} to end", until)
        return RemoveSlot(release.slot)
    for one in endpoint.pending:
        if (one.kind, one.slot, one.why) == (ev.PendingKind.REPLICAS, release.old, "") and now < one.again_at:
            return Wait(f"{one.what} to be accepted", one.again_at)
    return Finish(way.outcome, way.why)


def _return(
    release: Release, way: Way, old: Slot, version: Version, endpoint: Endpoint, now: float, answers_well: bool
) -> Action | None:
    """All traffic to what served before; None once that is proved.

    A slot with a ready replica takes it at once and gets its other replicas meanwhile, unless the new version answers
    well: then it is brought to size first, for a while. One without is brought up first, while traffic stays where
    answers come from.
    """
    patience = release.plan.patience
    until = max(way.driven_at, way.rests_until or 0.0) + patience.back_s
    if way.rests_until is not None and now < way.rests_until:
        return Wait("the next step of the way back", way.rests_until)
    weights = {old: 100.0}
    if way.routed and not way.shares and proved(release, endpoint, weights):
        return None
    replicas = _carrying(release, endpoint)
    seen = endpoint.slots.get(old)
    able = _serves(seen, version)
    tried = way.applied_at + AGAIN_S if way.applied_at is not None and _hopeless(seen, version) else until
    if now >= until or (not able and now >= tried):
        return Finish(ev.Outcome.STUCK, _stuck(release, way, old, able, seen, endpoint))
    small = seen is None or min(seen.wanted, seen.ready) < replicas
    if not able and way.applied_at is None:
        return Apply(old, version, replicas)
    if able and way.shares and (stepped := _stepped(release, way, endpoint, now)) is not None:
        return stepped
    if able and not way.routed:
        if small and way.applied_at is None and not way.resized:
            return Apply(old, version, replicas, waits=False)
        sized = way.driven_at + patience.size_s
        if small and answers_well and now < sized:
            ready = seen.ready if seen is not None else 0
            return Wait(f"{old} to carry the load: {ready} of {replicas} ready", sized)
        return Route(split(release, way.shares[0]) if way.shares else weights)
    if able:
        late = min(until, max(way.driven_at, way.rests_until or 0.0) + patience.step_s) if way.shares else until
        return Wait("answers that prove the way back", late)
    why = _why(seen)
    return Wait(f"{old} to be ready again{': ' + why if why else ''}", min(until, tried))


def _stepped(release: Release, way: Way, endpoint: Endpoint, now: float) -> Action | None:
    """That a step of the way back is over; None while it is asked for or waited for.

    What can't be proved, or leaves traffic with what can't answer, is no step: all of it goes back at once.
    """
    share = way.shares[0]
    if way.routed and proved(release, endpoint, split(release, share)):
        return Record((ev.SteppedBack(release.id, share, way.shares[1:]),))
    why = ""
    if not _serves(endpoint.slots.get(release.slot or ""), release.version):
        why = f"{release.slot} can't answer {share:g} %: all at once"
    elif now >= max(way.driven_at, way.rests_until or 0.0) + release.plan.patience.step_s:
        why = f"{share:g} % was not proved within {release.plan.patience.step_s:g} s: all at once"
    return Record((ev.SteppedBack(release.id, share, (), why),)) if why else None


def _stuck(release: Release, way: Way, old: Slot, able: bool, seen: Observation | None, endpoint: Endpoint) -> str:
    """Why the way back ends here, where traffic is, and what a person can do."""
    because = _why(seen) or way.refusal
    if not able:
        said = f"{old} does not get ready again"
    elif way.routed:
        said = "no answer proved that traffic is back"
    else:
        said, because = "the target did not accept the way back", way.refusal
    return f"{way.why}; {said}{': ' + because if because else ''}; {traffic_said(endpoint)}; {what_to_do(release)}"


def traffic_said(endpoint: Endpoint) -> str:
    """Where traffic is, in words."""
    where = ", ".join(f"{slot} {weight:g} %" for slot, weight in sorted(_weights(endpoint).items()) if weight > 0)
    return f"traffic is at {where}" if where else "nothing is known to take traffic"


def _hopeless(seen: Observation | None, version: Version) -> bool:
    """Whether every replica of the version died again and again: waiting longer helps nobody."""
    if seen is None or seen.version != version or not seen.replicas:
        return False
    dying = (ReplicaState.BACKOFF, ReplicaState.DEAD)
    return all(one.state in dying and one.restarts >= STARTS for one in seen.replicas)


def _why(seen: Observation | None) -> str:
    """What is wrong with a slot, as its target says it."""
    if seen is None:
        return ""
    return seen.why or next((one.why for one in seen.replicas if one.why), "")


def _stands_there(release: Release, endpoint: Endpoint) -> bool:
    """Whether what the release deployed stands in its slot; what somebody else has there is not its to remove."""
    seen = endpoint.slots.get(release.slot or "")
    return seen is not None and seen.version in (None, release.version)


def _weights(endpoint: Endpoint) -> Mapping[Slot, float]:
    return {slot: seen.weight for slot, seen in endpoint.slots.items()}


def _clear(release: Release, way: Way, endpoint: Endpoint, now: float) -> Action:
    """Nothing served before: traffic ends, and where the release failed its slot goes."""
    until = way.driven_at + release.plan.patience.back_s
    if release.touched and not way.routed and not way.dropped and now < until:
        return Route({})
    flows = any(_weights(endpoint).values())
    if flows and now >= until:
        because = f": {way.refusal}" if way.refusal else ""
        return Finish(ev.Outcome.STUCK, f"{way.why}; traffic does not end{because}; {what_to_do(release)}")
    if flows:
        return Wait("traffic to end", until)
    failed = way.outcome is ev.Outcome.FAILED
    if failed and release.slot is not None and not way.dropped and _stands_there(release, endpoint):
        return RemoveSlot(release.slot)
    if (release.aliases_moved or release.aliases_began) and not way.aliased:
        return MoveAliases(back=True)
    return Finish(way.outcome, way.why)


def forward(release: Release, endpoint: Endpoint, now: float) -> Action:
    """The share that a rollback took away, then the aliases, then on from where the release was."""
    way = release.way
    if way is None or release.slot is None:
        return Finish(ev.Outcome.FAILED, "there is no way forward")
    weights, until = split(release, way.reached), way.driven_at + release.plan.patience.back_s
    if not (way.routed and proved(release, endpoint, weights)):
        if now >= until:
            because = f": {way.refusal}" if way.refusal else ""
            why = f"the way forward was not proved{because}"
            return Record((ev.TurnedBack(release.id, ev.Outcome.ROLLED_BACK, why),))
        if way.routed:
            return Wait("answers that prove the way forward", until)
        able = _serves(endpoint.slots.get(release.slot), release.version)
        return Route(weights) if able else Wait(f"{release.slot} to be ready", until)
    # Aliases that could not be moved back stand forward still, but somebody would move them back later.
    left = any(one.kind is ev.PendingKind.ALIASES and one.back for one in endpoint.pending)
    if release.aliases_began and (not release.aliases_moved or left) and not way.aliased:
        return MoveAliases(back=False)
    if way.after_end:
        return Finish(ev.Outcome.DONE, "the rollback was taken back")
    return Record((ev.Resumed(release.id, release.step_by_step),))

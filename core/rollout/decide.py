"""What a release does next. Pure: reads no clock, does nothing; asked again after every change.

Every wait says what it waits for and until when (seconds since the epoch; None: until something happens).
"""

from dataclasses import replace

from core.domain.hints import typed
from core.domain.model import Observation, Slot
from core.domain.plan import Ask, Deploy, Hold, Load, Mirror, Retire, Shift, Smoke, Summarise, Work, title
from core.domain.sample import Series
from core.domain.strategies import ROLLBACK
from core.rollout.actions import Action, Apply, ChooseSlot, Finish, Record, RunStep, StartStep, Wait
from core.rollout.analysis import ask, asked, for_others, held, paused
from core.rollout.rollback import back, forward, mirror, shift
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.release import Release, ReleaseState, Status, StepState
from core.state.snapshot import Snapshot
from core.state.together import follow, gone_back, waits_for, with_others
from core.system.text import rough

LATELY_S = 5.0
HURT_PERCENT = 5.0
"""So many failures lately are reason to leave at once, however few replicas there are to go to."""


def decide(release: Release, snapshot: Snapshot, now: float) -> Action:
    """The single next action of a release; one of a group goes back with the others, and they with it."""
    action = _decided(release, snapshot, now)
    if release.together and isinstance(action, Record):
        return Record(with_others(action.facts, snapshot))
    return action


def _decided(release: Release, snapshot: Snapshot, now: float) -> Action:
    endpoint = snapshot.endpoints[release.endpoint]
    goes_on = release.state in (ReleaseState.RUNNING, ReleaseState.FORWARD)
    if goes_on and (first := gone_back(release, snapshot)) is not None:
        outcome = first.way.outcome if first.way is not None else first.outcome or ev.Outcome.FAILED
        why = first.way.why if first.way is not None else first.why
        return Record((follow(release, first, ev.TurnedBack(first.id, outcome, why)),))
    match release.state:
        case ReleaseState.ENDED:
            return Wait("nothing: it is over")
        case ReleaseState.BACK:
            return back(release, endpoint, now, _answers_well(release, snapshot, now))
        case ReleaseState.FORWARD:
            return forward(release, endpoint, now)
        case ReleaseState.RUNNING:
            return _on(release, endpoint, snapshot, now)


def _on(release: Release, endpoint: Endpoint, snapshot: Snapshot, now: float) -> Action:  # noqa: C901, PLR0912
    if release.unread:
        # What it has done is not known for sure, so nothing may follow from it.
        why = f"event {release.unread} of the journal can't be read; {typed('audit --verify')} says more"
        return Record((ev.TurnedBack(release.id, ev.Outcome.FAILED, why),))
    step = release.current
    if step is None:
        return Finish(ev.Outcome.DONE, "")
    if step.status is Status.FAILED:
        name = title(step.step)
        why = step.why if step.why.startswith(name) else f"{name}: {step.why}"
        return Record((ev.TurnedBack(release.id, ev.Outcome.FAILED, why),))
    if (grown := _grown(release, endpoint)) is not None:
        return grown
    if release.paused:
        return paused(release, step, snapshot, now)
    if step.status is Status.WAITING and release.step_by_step and not step.waved:
        return Wait(f"n, to begin {title(step.step)}")
    if step.status is Status.WAITING and (other := waits_for(release, snapshot, release.index)):
        return for_others(release, step, other)
    if step.status in (Status.WAITING, Status.INTERRUPTED):
        return StartStep(release.index)
    match step.step:
        case Work() if step.question is not None:
            # It was asked because of what this version is: what was approved beforehand did not know of it.
            return ask(replace(release, auto_approve=False), step, step.question.question, now)
        case Work() | Smoke() | Load() | Summarise():
            return Wait(f"{title(step.step)} to finish") if step.asked else RunStep(release.index)
        case Deploy():
            return _deploy(release, step, step.step, endpoint, now)
        case Shift():
            return shift(release, step, step.step, endpoint, now)
        case Mirror():
            return mirror(release, step, step.step, endpoint, now)
        case Hold():
            return held(release, step, step.step, snapshot, now)
        case Ask():
            return asked(release, step, step.step, snapshot, now)
        case Retire(after_s=after_s):
            return _retire(release, after_s, now)


def _answers_well(release: Release, snapshot: Snapshot, now: float) -> bool:
    """Whether callers of the new version lately got good answers; no answer at all is none."""
    series = snapshot.series.get((release.endpoint, release.slot), Series())
    total = series.since(now - LATELY_S)
    failed = total.failed_percent if total is not None and total.requests else None
    return failed is not None and failed < HURT_PERCENT


def _deploy(release: Release, step: StepState, deploy: Deploy, endpoint: Endpoint, now: float) -> Action:
    if release.version is None:
        return Record((ev.StepFailed(release.id, release.index, "there is no version to deploy"),))
    if release.slot is None and release.plan.first and endpoint.served is not None:
        why = f"{endpoint.served.label} serves there, which nobody here knew when this was planned; {_again(release)}"
        return Record((ev.StepFailed(release.id, release.index, why),))
    if release.slot is None:
        return _place(release, endpoint)
    replicas = max(deploy.replicas, release.placed_replicas)
    seen = endpoint.slots.get(release.slot)
    ready_now = seen is not None and seen.version == release.version and seen.ready >= replicas
    if seen is not None and step.asked and ready_now:
        return Record((ev.StepDone(release.id, release.index, f"{seen.ready} ready"),))
    if seen is not None and step.asked and seen.version == release.version and seen.given_up:
        return Record((ev.StepFailed(release.id, release.index, seen.why or f"{release.slot} failed"),))
    until = (step.started_at or now) + deploy.deadline_s
    if now < until and not step.asked:
        return Apply(release.slot, release.version, replicas, release.index)
    if now >= until:
        return Record((ev.StepFailed(release.id, release.index, _not_ready(release.slot, seen, step, deploy)),))
    ready = seen.ready if seen is not None else 0
    return Wait(f"{release.slot} to be ready, {ready} of {replicas}", until)


def _again(release: Release) -> str:
    """How a release is begun over what serves now."""
    uri = release.version.uri if release.version is not None else ""
    return f"release over it with {typed(f'release --model-uri {uri}' if uri else 'release', release.environment)}"


def _place(release: Release, endpoint: Endpoint) -> ChooseSlot:
    """The slot that takes no traffic, beside the one that takes most.

    What a person goes back to may stand already, with a part of the traffic that somebody else's release split.
    """
    taking = [name for name, seen in sorted(endpoint.slots.items()) if seen.weight > 0]
    stands = next((name for name in taking if endpoint.slots[name].version == release.version), None)
    if release.plan.strategy == ROLLBACK and stands is not None and len(taking) > 1:
        other = next(name for name in taking if name != stands)
        return ChooseSlot(stands, other, endpoint.slots[other].version, endpoint.slots[other].wanted)
    # A router that came back a moment ago has proved nothing yet; what it was last told still holds.
    told = max(endpoint.weights, key=lambda slot: endpoint.weights[slot], default=None)
    old = endpoint.serving or (told if told in endpoint.slots else None)
    free = [slot for slot in release.plan.slots if slot != old]
    slot = next((name for name in free if name not in endpoint.slots), free[0])
    seen = endpoint.slots.get(old) if old else None
    return ChooseSlot(slot, old, seen.version if seen else None, seen.wanted if seen else 0)


def _grown(release: Release, endpoint: Endpoint) -> Record | None:
    """More replicas of what serves are taken note of: a way back must bring as many."""
    seen = endpoint.slots.get(release.old or "")
    if seen is None or seen.version != release.old_version or seen.weight == 0 or seen.wanted <= release.old_replicas:
        return None
    return Record((ev.Grew(release.id, seen.wanted),))


def _not_ready(slot: Slot, seen: Observation | None, step: StepState, deploy: Deploy) -> str:
    ready = seen.ready if seen else 0
    wanted = seen.wanted if seen else deploy.replicas
    whys = [replica.why for replica in seen.replicas if replica.why] if seen else []
    why = (seen.why if seen else "") or next(iter(whys), "") or step.refusal or "nothing was heard of it"
    return f"{slot} has {ready} of {wanted} ready after {deploy.deadline_s:g} s: {why}"


def _retire(release: Release, after_s: float, now: float) -> Action:
    if release.old is None:
        return Record((ev.StepDone(release.id, release.index, "nothing to retire"),))
    return Record(
        (
            ev.RetireDue(release.endpoint, release.old, now + after_s),
            ev.StepDone(release.id, release.index, f"in {rough(after_s)}"),
        )
    )

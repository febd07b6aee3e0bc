"""What a release does next. Pure: reads no clock, does nothing; asked again after every change.

Every wait says what it waits for and until when (seconds since the epoch; None: until something happens).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from core import events as ev
from core.gates import Gate, Outcome, Verdict, judge
from core.model import Observation, Sample, Series, Slot, Version
from core.plan import Ask, Deploy, Hold, Load, Retire, Shift, Smoke, Summarise, Work, title
from core.snapshot import Endpoint, Release, Snapshot, State, Status, StepState, Way

SLOTS: tuple[Slot, ...] = ("blue", "green")
ERRORS_IN_A_ROW = 4
"""So often in a row a gate may fail to measure."""
LOOK_S = 1.0
"""Gates look so often, and at once when one of them changes its mind."""
BACK_DEADLINE_S = 120.0
"""For so long the way back waits for what served before to be ready again, and for the proof."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Mark a step as begun and, where it computes, start it."""

    index: int


@dataclass(frozen=True, slots=True)
class Run:
    """Do what a step computes; its task reports."""

    index: int


@dataclass(frozen=True, slots=True)
class Place:
    """Take a slot."""

    slot: Slot
    old: Slot | None
    old_version: Version | None
    old_replicas: int


@dataclass(frozen=True, slots=True)
class Apply:
    """Ask the target for replicas. `index` None: on the way back or forward."""

    slot: Slot
    version: Version
    replicas: int
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Ask the target for weights. `index` None: on the way back or forward."""

    weights: Mapping[Slot, float]
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """Write facts down, and nothing else."""

    facts: tuple[ev.Body, ...]


@dataclass(frozen=True, slots=True)
class Realias:
    """Let the registry's aliases follow the traffic; `back` to what they were."""

    back: bool


@dataclass(frozen=True, slots=True)
class Drop:
    """Ask the target to drain a slot and let it go."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Finish:
    """The release is over."""

    outcome: ev.Outcome
    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before something happens or `until` comes."""

    for_: str
    until: float | None = None


Action: TypeAlias = Begin | Run | Place | Apply | Route | Say | Realias | Drop | Finish | Wait


def decide(release: Release, snapshot: Snapshot, now: float) -> Action:
    """The single next action of a release."""
    endpoint = snapshot.endpoints[release.endpoint]
    match release.state:
        case State.ENDED:
            return Wait("nothing: it is over")
        case State.BACK:
            return _back(release, endpoint, now)
        case State.FORWARD:
            return _forward(release, endpoint, now)
        case State.RUNNING:
            return _on(release, endpoint, snapshot, now)


def _on(release: Release, endpoint: Endpoint, snapshot: Snapshot, now: float) -> Action:
    step = release.current
    if step is None:
        return Finish(ev.Outcome.DONE, "")
    if step.status is Status.FAILED:
        name = title(step.step)
        why = step.why if step.why.startswith(name) else f"{name}: {step.why}"
        return Say((ev.TurnedBack(release.id, ev.Outcome.FAILED, why),))
    if release.paused:
        return _paused(release, step, snapshot, now)
    if step.status is Status.WAITING and release.step_by_step and not step.waved:
        return Wait(f"n, to begin {title(step.step)}")
    if step.status in (Status.WAITING, Status.INTERRUPTED):
        return Begin(release.index)
    match step.step:
        case Work() | Smoke() | Load() | Summarise():
            return Wait(f"{title(step.step)} to finish") if step.asked else Run(release.index)
        case Deploy():
            return _deploy(release, step, step.step, endpoint, now)
        case Shift():
            return _shift(release, step, step.step, endpoint, now)
        case Hold():
            return _hold(release, step, step.step, snapshot, now)
        case Ask(question=question):
            return _ask(release, step, question, now)
        case Retire(after_s=after_s):
            return _retire(release, after_s, now)


def _paused(release: Release, step: StepState, snapshot: Snapshot, now: float) -> Action:
    """It stays where it is, but gates go on watching the traffic that the new slot has."""
    stay = Wait("somebody to resume it")
    if not isinstance(step.step, Hold) or step.status is not Status.RUNNING:
        return stay
    action = _hold(release, step, step.step, snapshot, now)
    watching = isinstance(action, Say) and isinstance(action.facts[0], ev.Judged | ev.StepFailed)
    return action if watching and step.question is None else stay


def _deploy(release: Release, step: StepState, deploy: Deploy, endpoint: Endpoint, now: float) -> Action:
    if release.version is None:
        return Say((ev.StepFailed(release.id, release.index, "there is no version to deploy"),))
    if release.slot is None:
        return _place(endpoint)
    replicas = max(deploy.replicas, release.old_replicas)
    seen = endpoint.slots.get(release.slot)
    ready_now = seen is not None and seen.version == release.version and seen.ready >= replicas
    if seen is not None and step.asked and ready_now:
        return Say((ev.StepDone(release.id, release.index, f"{seen.ready} ready"),))
    until = (step.started_at or now) + deploy.deadline_s
    if now < until and not step.asked:
        return Apply(release.slot, release.version, replicas, release.index)
    if now >= until:
        return Say((ev.StepFailed(release.id, release.index, _not_ready(release.slot, seen, deploy)),))
    ready = seen.ready if seen is not None else 0
    return Wait(f"{release.slot} to be ready, {ready} of {replicas}", until)


def _place(endpoint: Endpoint) -> Place:
    """The slot that takes no traffic, beside the one that takes most."""
    old = endpoint.serving
    free = [slot for slot in SLOTS if slot != old]
    slot = next((name for name in free if name not in endpoint.slots), free[0])
    seen = endpoint.slots.get(old) if old else None
    return Place(slot, old, seen.version if seen else None, seen.wanted if seen else 0)


def _not_ready(slot: Slot, seen: Observation | None, deploy: Deploy) -> str:
    ready = seen.ready if seen else 0
    wanted = seen.wanted if seen else deploy.replicas
    whys = [replica.why for replica in seen.replicas if replica.why] if seen else []
    why = (seen.why if seen else "") or (whys[0] if whys else "nothing was heard of it")
    return f"{slot} has {ready} of {wanted} ready after {deploy.deadline_s:g} s: {why}"


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


def _shift(release: Release, step: StepState, shift: Shift, endpoint: Endpoint, now: float) -> Action:
    weights = split(release, shift.percent)
    if step.asked and proved(endpoint, weights):
        return Say((ev.StepDone(release.id, release.index, f"{shift.percent:g} %"),))
    until = (step.started_at or now) + shift.deadline_s
    if now < until and not step.asked:
        return Route(weights, release.index)
    if now >= until:
        how = "proved" if step.asked else "accepted"
        why = f"{shift.percent:g} % was asked for and not {how} within {shift.deadline_s:g} s"
        return Say((ev.StepFailed(release.id, release.index, why),))
    return Wait(f"answers that prove {shift.percent:g} %", until)


def verdicts(release: Release, hold: Hold, snapshot: Snapshot, since: float, now: float) -> tuple[Verdict, ...]:
    """What the gates of a hold say now, of what was measured since it began."""

    def over(slot: Slot | None, gate: Gate) -> Sample | None:
        series = snapshot.series.get((release.endpoint, slot), Series()) if slot else Series()
        return series.since(max(since, now - gate.window_s) if gate.window_s else since)

    return tuple(judge(gate, over(release.slot, gate), over(release.old, gate)) for gate in hold.gates)


def _hold(release: Release, step: StepState, hold: Hold, snapshot: Snapshot, now: float) -> Action:
    began = step.started_at or now
    said = verdicts(release, hold, snapshot, began, now)
    real = [v for v in said if not v.gate.dry_run]
    failing = [v for v in real if v.outcome in (Outcome.FAIL, Outcome.ERROR)]
    broken = _broken(step)
    if broken is not None:
        return Say((ev.StepFailed(release.id, release.index, broken),))
    if _look_due(step, said, bool(failing), now):
        return Say((ev.Judged(release.id, release.index, said),))
    if step.waved and not failing:
        return Say((ev.StepDone(release.id, release.index, "let go on"),))
    if now < began + hold.seconds:
        look = (step.looked_at or now) + LOOK_S
        return Wait("the hold to end", min(look, began + hold.seconds) if failing else began + hold.seconds)
    opened = [v for v in real if v.outcome is not Outcome.PASS]
    if not opened:
        return Say((ev.StepDone(release.id, release.index, f"{len(real)} gates hold"),))
    if now < began + hold.seconds + hold.patience_s:
        return Wait(f"{opened[0].gate.name}: {opened[0].why}", began + hold.seconds + hold.patience_s)
    names = ", ".join(f"{v.gate.name} ({v.why})" for v in opened[:3])
    return _ask(release, step, f"too little data for {names}: go on?", now)


def _broken(step: StepState) -> str | None:
    """What has failed more often in a row than it may, as it was written down; None when nothing has."""
    for place, verdict in enumerate(step.verdicts):
        gate = verdict.gate
        if gate.dry_run:
            continue
        if step.fails.get(f"{place}", 0) > gate.failures:
            return f"{gate.name} {verdict.why}"
        if step.fails.get(f"{place}!", 0) > ERRORS_IN_A_ROW:
            return f"{gate.name} could not be measured: {verdict.why}"
    return None


def _look_due(step: StepState, said: tuple[Verdict, ...], failing: bool, now: float) -> bool:
    """Whether verdicts are written down: at once when an outcome changed, else once a second where there is news.

    What fails is news each second, for it is counted; more often would count the same second twice.
    """
    if [v.outcome for v in said] != [v.outcome for v in step.verdicts]:
        return True
    return now >= (step.looked_at or 0.0) + LOOK_S and (failing or said != step.verdicts)


def _ask(release: Release, step: StepState, question: str, now: float) -> Action:
    at = release.index
    if step.answer is True:
        return Say((ev.StepDone(release.id, at, "a person said yes"),))
    if step.answer is False:
        return Say((ev.TurnedBack(release.id, ev.Outcome.ABORTED, f"a person said no to: {question}"),))
    if release.auto_approve:
        return Say((ev.StepDone(release.id, at, f"approved beforehand: {question}"),))
    if step.question is None:
        return Say((ev.Asked(release.id, at, question, now + release.ask_s),))
    if now >= step.question.until:
        why = f"nobody answered within {release.ask_s:g} s: {question}"
        return Say((ev.StepFailed(release.id, at, why),))
    return Wait(f"a person to answer: {question}", step.question.until)


def _retire(release: Release, after_s: float, now: float) -> Action:
    if release.old is None:
        return Say((ev.StepDone(release.id, release.index, "nothing to retire"),))
    return Say(
        (
            ev.RetireDue(release.endpoint, release.old, now + after_s),
            ev.StepDone(release.id, release.index, f"in {_span(after_s)}"),
        )
    )


def _span(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _back(release: Release, endpoint: Endpoint, now: float) -> Action:
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
        return Realias(back=True)
    if way.outcome is not ev.Outcome.ROLLED_BACK and not way.dropped and release.slot in endpoint.slots:
        return Drop(release.slot)
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
        return Drop(release.slot)
    if (release.promoted or release.promotes) and not way.aliased:
        return Realias(back=True)
    return Finish(way.outcome, way.why)


def _forward(release: Release, endpoint: Endpoint, now: float) -> Action:
    way = release.way
    if way is None or release.slot is None:
        return Finish(ev.Outcome.FAILED, "there is no way forward")
    weights, until = split(release, way.reached), way.driven_at + BACK_DEADLINE_S
    if not (way.routed and proved(endpoint, weights)):
        if now >= until:
            return Say((ev.TurnedBack(release.id, ev.Outcome.ROLLED_BACK, "the way forward was not proved"),))
        return Wait("answers that prove the way forward", until) if way.routed else Route(weights)
    if release.promotes and not release.promoted and not way.aliased:
        return Realias(back=False)
    if way.after_end:
        return Finish(ev.Outcome.DONE, "the rollback was taken back")
    return Say((ev.Resumed(release.id, release.step_by_step),))

"""Staying at a share of the traffic: gates that watch it, and people who are asked. Pure."""

from dataclasses import dataclass, replace
from math import inf

from core.domain.gates import LIVE, RESTARTS, Gate, GateResult, Verdict, surely_beyond
from core.domain.judging import holds, judge
from core.domain.model import Slot
from core.domain.plan import Ask, Hold
from core.domain.sample import Sample
from core.domain.strategies import AB
from core.rollout.actions import Action, Record, Wait
from core.rollout.elsewhere import judge_elsewhere
from core.rollout.sides import beside
from core.state import events as ev
from core.state.measured import Measured
from core.state.release import Release, Status, StepState
from core.state.right_answers import sides_of
from core.state.snapshot import Snapshot
from core.state.together import waits_for

ERRORS_IN_A_ROW = 4
"""So often in a row a gate may fail to measure."""
LOOK_S = 1.0
"""Gates look so often, and once more when the hold ends."""


def verdicts(release: Release, hold: Hold, snapshot: Snapshot, now: float) -> tuple[Verdict, ...]:
    """What the gates of a hold say now, of what was measured since it began."""
    measured = snapshot.measured.get(release.endpoint)
    if measured is None or (measured.release, measured.index) != (release.id, release.index):
        return tuple(
            judge_elsewhere(gate, None, None, now) if gate.source else judge(gate, None, None) for gate in hold.gates
        )
    new, live = ({g.window_s: measured.over(slot, g.window_s, now) for g in hold.gates} for slot in _slots(release))
    over = now >= _ends(release, hold, now)
    return tuple(
        _bet(gate, hold, release, measured, over)
        if gate.compared or gate.alone
        else _elsewhere(gate, release, measured, now)
        if gate.source
        else _restarts(gate, release, measured, snapshot)
        if gate.metric == RESTARTS
        else _plainly(gate, new[gate.window_s], live[gate.window_s], measured.before)
        for gate in hold.gates
    )


def _plainly(gate: Gate, new: Sample | None, live: Sample | None, before: Sample | None) -> Verdict:
    """Of the figures as they are; beside what live answered before, where it gets nothing any more.

    A limit on a share, over a window: a few requests that are beyond it by chance stop nothing.
    """
    said = judge(gate, new, before or live)
    if gate.against == LIVE and before is not None:
        return replace(said, why=f"{said.why}; live's in its last minute")
    if said.outcome is not GateResult.FAIL or new is None or gate.allowed is None or surely_beyond(gate, new):
        return said
    return replace(said, outcome=GateResult.INCONCLUSIVE, why=f"{said.why}: not sure yet")


def _restarts(gate: Gate, release: Release, measured: Measured, snapshot: Snapshot) -> Verdict:
    seen = snapshot.endpoint(release.endpoint).slots.get(release.slot or "")
    if seen is None or seen.version != release.version:
        return Verdict(gate, GateResult.INCONCLUSIVE, None, "nothing was heard of its replicas")
    count = measured.restarted(seen)
    outcome = GateResult.PASS if holds(gate.op, count, gate.limit) else GateResult.FAIL
    whys = dict.fromkeys(one.why for one in seen.replicas if one.why)
    return Verdict(gate, outcome, float(count), "; ".join([f"{count} since the hold began", *whys]))


def _elsewhere(gate: Gate, release: Release, measured: Measured, now: float) -> Verdict:
    new, live = (measured.gauge(slot, gate.metric) for slot in _slots(release))
    return judge_elsewhere(gate, new, live, now)


def _ends(release: Release, hold: Hold, now: float) -> float:
    step = release.current
    return (step.started_at if step is not None and step.started_at is not None else now) + hold.seconds


def _bet(gate: Gate, hold: Hold, release: Release, measured: Measured, over: bool) -> Verdict:
    """Of the whole hold: what is looked at often must count all that it looked at."""
    # It needs numpy, which whoever only looks at a release does without.
    from core.rollout.comparison import Beside, compare, judge_alone  # noqa: PLC0415

    new, live = (measured.over(slot, 0.0, measured.newest) for slot in _slots(release))
    if gate.alone:
        return judge_alone(gate, hold, release.plan, measured, new)
    return compare(gate, hold, release.plan, Beside(measured, new, live, over))


def _slots(release: Release) -> tuple[Slot | None, Slot | None]:
    return release.slot, release.old


@dataclass(frozen=True, slots=True)
class _Look:
    """What gates say now: `action` where that is to be written down or ends the step, else the verdicts that count.

    `unseen`: something was measured since the last look, which is looked at even if nothing more comes, at `again_s`.
    """

    action: Action | None
    real: tuple[Verdict, ...] = ()
    failing: bool = False
    unseen: bool = False
    again_s: float = 0.0


def _look(release: Release, step: StepState, hold: Hold, snapshot: Snapshot, now: float, end: float) -> _Look:
    looked = -inf if step.looked_at is None else step.looked_at
    again_s = looked + LOOK_S
    looks = now >= again_s or step.waved or looked < end <= now
    said = verdicts(release, hold, snapshot, now) if looks else step.verdicts
    real = tuple(v for v in said if not v.gate.dry_run)
    failing = any(v.outcome in (GateResult.FAIL, GateResult.ERROR) or v.unsure for v in real)
    broken = _broken(step)
    if broken is not None:
        return _Look(Record((ev.StepFailed(release.id, release.index, broken),)))
    if looks and _news(step, said, failing, now >= again_s):
        return _Look(Record((ev.Judged(release.id, release.index, said),)))
    unseen = not looks and (failing or _newest(release, snapshot) > looked)
    return _Look(None, real, failing, unseen, again_s)


def asked(release: Release, step: StepState, wanted: Ask, snapshot: Snapshot, now: float) -> Action:
    """A person is asked; the gates stay armed while that takes as long as it takes."""
    look = _Look(None)
    if wanted.gates and step.answer is None:
        look = _look(release, step, Hold(release.ask_s, wanted.gates), snapshot, now, inf)
        if look.action is not None:
            return look.action
    asked_now = release if wanted.beforehand else replace(release, auto_approve=False)
    action = ask(asked_now, step, _with_figures(release, wanted.question), now)
    if isinstance(action, Wait) and look.unseen:
        return Wait(action.for_, min(look.again_s, action.until if action.until is not None else inf))
    return action


def held(release: Release, step: StepState, hold: Hold, snapshot: Snapshot, now: float) -> Action:
    """What comes of a hold now: a look, its end, a question, or nothing yet."""
    end = (step.started_at or now) + hold.seconds
    look = _look(release, step, hold, snapshot, now, end)
    if look.action is not None:
        return look.action
    real, unseen, look_s = look.real, look.unseen, look.again_s
    if step.waved and not look.failing:
        done = Record((ev.StepDone(release.id, release.index, "let go on"),))
        return _with_others(done, release, step, snapshot, look)
    if now < end:
        return Wait("the hold to end", min(look_s, end) if unseen else end)
    if hold.warm_up:
        return Record((ev.StepDone(release.id, release.index, "warmed up"),))
    if step.reached_at is not None and not look.failing:
        # It was seen to be well once; that little is measured while it waits for others is no reason to ask.
        opened, scaling = [], ""
    else:
        opened, scaling = [v for v in real if v.outcome is not GateResult.PASS], _scaling(release, snapshot)
    if not (opened or scaling):
        figures = _sides(release, snapshot)
        done = Record((ev.StepDone(release.id, release.index, f"{len(real)} gates hold", figures),))
        return _with_others(done, release, step, snapshot, look)
    patience = end + hold.patience_s
    if now < patience:
        what = f"{opened[0].gate.name}: {opened[0].why}" if opened else scaling
        return Wait(what, min(look_s, patience) if unseen else patience)
    # What was approved beforehand was approved on the ground of figures, and there are none.
    asked = replace(release, auto_approve=False)
    names = ", ".join(f"{v.gate.name} ({v.why})" for v in opened[:3])
    little = "too little to be sure of" if any(v.unsure for v in opened) else "too little data for"
    whys = [f"{little} {names}"] if opened else []
    return ask(asked, step, f"{'; '.join([*whys, *([scaling] if scaling else [])])}: go on?", now)


def _with_others(done: Record, release: Release, step: StepState, snapshot: Snapshot, look: _Look) -> Action:
    """The end of a hold, once the others of the group could go on too; until then gates go on watching."""
    other = waits_for(release, snapshot, release.index + 1)
    action = for_others(release, step, other) if other else done
    return Wait(action.for_, look.again_s) if isinstance(action, Wait) and look.unseen else action


def for_others(release: Release, step: StepState, other: str) -> Action:
    """Say that the release could go on, and wait for another one of its group to do what it has yet to do."""
    if step.reached_at is None:
        return Record((ev.Reached(release.id, release.index, other),))
    return Wait(other)


def _sides(release: Release, snapshot: Snapshot) -> ev.Result:
    """Both sides of a split that was held to compare them."""
    measured = snapshot.measured.get(release.endpoint)
    if release.plan.strategy != AB or measured is None:
        return {}
    new, live = (measured.over(slot, 0.0, measured.newest) for slot in _slots(release))
    return beside(new, live, sides_of(release))


def _with_figures(release: Release, question: str) -> str:
    """The question, and what the split before it came to."""
    before = release.steps[release.index - 1].result.get("text") if release.index else None
    return f"{question} {before}" if before else question


def _scaling(release: Release, snapshot: Snapshot) -> str:
    """That the new slot just gets more replicas, in words: what is measured meanwhile says little of what comes."""
    seen = snapshot.endpoint(release.endpoint).slots.get(release.slot or "")
    if seen is None or seen.version != release.version or seen.ready >= seen.due:
        return ""
    return f"{release.slot} is scaling: {seen.ready} of {seen.due} ready"


def _newest(release: Release, snapshot: Snapshot) -> float:
    measured = snapshot.measured.get(release.endpoint)
    return -inf if measured is None else measured.newest


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


def _news(step: StepState, said: tuple[Verdict, ...], failing: bool, due: bool) -> bool:
    """Whether verdicts are written down: where an outcome changed, else once a second what is new.

    What fails is news each second, for it is counted; more often would count the same second twice.
    """
    if [v.outcome for v in said] != [v.outcome for v in step.verdicts]:
        return True
    return due and (failing or said != step.verdicts)


def ask(release: Release, step: StepState, question: str, now: float) -> Action:
    """Ask a person, wait, and do what was answered; nobody is a no."""
    at = release.index
    if step.answer is True:
        return Record((ev.StepDone(release.id, at, "a person said yes"),))
    if step.answer is False:
        return Record((ev.TurnedBack(release.id, ev.Outcome.ABORTED, f"a person said no to: {question}"),))
    if release.auto_approve:
        return Record((ev.StepDone(release.id, at, f"approved beforehand: {question}"),))
    if step.question is None:
        return Record((ev.Asked(release.id, at, question, now + release.ask_s),))
    if now >= step.question.until:
        nobody = f"nobody answered within {release.ask_s:g} s" if release.ask_s else "nobody could be asked"
        why = f"{nobody}: {question}"
        return Record((ev.StepFailed(release.id, at, why),))
    return Wait(f"a person to answer: {question}", step.question.until)


def paused(release: Release, step: StepState, snapshot: Snapshot, now: float) -> Action:
    """It stays where it is, but gates go on watching the traffic that the new slot has."""
    stay = Wait("somebody to resume it")
    if step.status is not Status.RUNNING:
        return stay
    match step.step:
        case Hold() as hold:
            action = held(release, step, hold, snapshot, now)
        case Ask() as wanted if wanted.gates:
            look = _look(release, step, Hold(release.ask_s, wanted.gates), snapshot, now, inf)
            return look.action or (Wait(stay.for_, look.again_s) if look.unseen else stay)
        case _:
            return stay
    if isinstance(action, Wait) and step.question is None and action.until == (step.looked_at or 0.0) + LOOK_S:
        return Wait(stay.for_, action.until)
    watching = isinstance(action, Record) and isinstance(action.facts[0], ev.Judged | ev.StepFailed)
    return action if watching and step.question is None else stay

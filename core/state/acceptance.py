"""What comes of a command: facts, or a refusal. Pure: `accept` moves nothing."""

from collections.abc import Mapping
from dataclasses import replace

from core.domain.errors import Refused
from core.domain.hints import typed
from core.domain.plan import Hold
from core.domain.sample import Series
from core.domain.strategies import ROLLBACK
from core.state import events as ev
from core.state.alert import OpenQuestion
from core.state.astray import moved_away
from core.state.commands import (
    Abort,
    Answer,
    Begin,
    Command,
    Next,
    Pause,
    Reason,
    RecordDrill,
    RetireSlot,
    Rollback,
    ScaleSlot,
    SetLoad,
    SilenceAlert,
    StartLoad,
    Tail,
    TellTruth,
    Undo,
)
from core.state.endpoint import Endpoint
from core.state.moved_place import serves_elsewhere
from core.state.release import Release, ReleaseState, Status
from core.state.reversal import in_steps, rollback_of
from core.state.reversal_asked import REASON_LENGTH, asked_reason, asked_retire, asked_rollback, asked_undo
from core.state.right_answers import asked_truth
from core.state.scaling_asked import asked_scale
from core.state.snapshot import Snapshot
from core.state.together import asked_too, with_others
from core.system.text import clean_line


def accept(command: Command, snapshot: Snapshot, now: float, driven: bool = True) -> tuple[ev.Body, ...]:
    """What comes of a command, as facts with its reason; raises Refused with who or what stands in the way.

    `driven` False: no living process drives the endpoint. A release that is on its way then goes on for whoever asks
    for that way; no fact means: drive it.
    """
    facts = _of_all(command, snapshot, now, driven)
    reason = clean_line(getattr(command, "reason", ""), REASON_LENGTH)
    return tuple(_because(fact, reason) for fact in facts) if reason else facts


def _of_all(command: Command, snapshot: Snapshot, now: float, driven: bool) -> tuple[ev.Body, ...]:
    """What comes of a command for the release that is asked and, in the same way, for all of its group.

    Forward again, and once more from where it failed, goes all of a group or none of it. What the one that is asked
    has behind it already, such as its way back, is still asked of the others.
    """
    own: tuple[ev.Body, ...] = ()
    refused: Refused | None = None
    try:
        own = _facts(command, snapshot, now, driven)
    except Refused as error:
        refused = error
    if refused is not None and not isinstance(command, Abort | Rollback):
        raise refused
    kinds = {type(fact) for fact in own}
    if ev.TurnedBack in kinds:
        return with_others(own, snapshot)
    facts = list(own)
    for name in asked_too(command, snapshot):
        try:
            theirs = _facts(replace(command, endpoint=name), snapshot, now, True)
        except Refused as error:
            if kinds & {ev.TurnedForward, ev.Retried}:
                raise Refused(f"{name} can't go with it: {error}") from None
            continue
        if refused is not None or kinds == {type(fact) for fact in theirs}:
            facts += theirs
    if refused is not None and not facts:
        raise refused
    return tuple(facts)


def _because(fact: ev.Body, reason: str) -> ev.Body:
    match fact:
        case ev.TurnedBack() | ev.TurnedForward() | ev.Answered() | ev.Waved() | ev.Paused() | ev.Resumed():
            return replace(fact, reason=reason)
        case ev.Retried() | ev.Silenced() | ev.Acted():
            return replace(fact, reason=reason)
        case _:
            return fact


def _facts(  # noqa: C901, PLR0912
    command: Command, snapshot: Snapshot, now: float, driven: bool
) -> tuple[ev.Body, ...]:
    endpoint = snapshot.endpoints.get(command.endpoint)
    release = snapshot.release_of(command.endpoint)
    match command:
        case Begin():
            return _begin(command, snapshot)
        case Next():
            return _next(_known(release, command.endpoint), driven)
        case Answer(yes=yes, question=question):
            return _answer(_known(release, command.endpoint), yes, question)
        case Pause(step_by_step=step_by_step):
            return _pause(_going(release, command.endpoint), step_by_step)
        case Abort(asked_at=asked_at):
            if _on_its_way(release, ReleaseState.BACK, driven):
                return ()
            going = _going(release, command.endpoint)
            return (ev.TurnedBack(going.id, ev.Outcome.ABORTED, "aborted", asked_at),)
        case Rollback():
            if not in_steps(release) and _on_its_way(release, ReleaseState.BACK, driven):
                return ()
            return asked_rollback(endpoint, rollback_of(snapshot, command.endpoint), command)
        case Undo(asked_at=asked_at):
            if _on_its_way(release, ReleaseState.FORWARD, driven):
                return ()
            return asked_undo(endpoint, release, now, asked_at)
        case RetireSlot():
            return asked_retire(command, endpoint, release, now)
        case ScaleSlot():
            return asked_scale(command, endpoint, release, now)
        case RecordDrill():
            figures = (command.to, command.back_ms, command.forward_ms, command.requests, command.failed, command.copy)
            return (ev.Drilled(command.endpoint, *figures),)
        case TellTruth():
            return asked_truth(command, _known(release, command.endpoint))
        case Reason(text=text):
            return asked_reason(_known(release, command.endpoint), text)
        case StartLoad(profile=profile, source=source, limits=limits):
            if endpoint is None or not endpoint.slots:
                raise Refused(f"{command.endpoint}: nothing is served yet; run a release first")
            if endpoint.load is not None and endpoint.load.running:
                raise Refused(f"{command.endpoint}: {endpoint.load.kind} load is running; change its users")
            asked = (source.attach, "", source, limits, command.by, command.stay)
            return (ev.LoadStarted(command.endpoint, "manual", profile, *asked),)
        case SetLoad():
            return _set_load(command, endpoint, snapshot.series.get((command.endpoint, None), Series()))
        case SilenceAlert():
            return _silence(command, endpoint, now)
        case Tail(source=source, seconds=seconds):
            return (ev.Tailed(command.endpoint, source, now + seconds if seconds > 0 else None),)


def _on_its_way(release: Release | None, state: ReleaseState, driven: bool) -> bool:
    """Whether what is asked for is under way already, and nobody drives it."""
    return not driven and release is not None and release.state is state


def _known(release: Release | None, endpoint: str) -> Release:
    if release is None:
        raise Refused(f"{endpoint}: no release yet; begin one with 'quarterdeck release'")
    return release


def _going(release: Release | None, endpoint: str) -> Release:
    known = _known(release, endpoint)
    if known.state is ReleaseState.BACK:
        raise Refused(f"{endpoint}: {known.id} is on its way back already")
    if known.outcome is not None:
        raise Refused(f"{endpoint}: {known.id} has ended ({known.outcome.value})")
    return known


def _begin(command: Begin, snapshot: Snapshot) -> tuple[ev.Body, ...]:
    all_ = (command, *command.others)
    together = {one.endpoint: one.release for one in all_} if command.others else {}
    return tuple(fact for one in all_ for fact in _begin_one(one, snapshot, together))


def _begin_one(command: Begin, snapshot: Snapshot, together: Mapping[str, str]) -> tuple[ev.Body, ...]:
    release = snapshot.release_of(command.endpoint)
    if release is not None and release.live:
        raise Refused(
            f"{command.endpoint}: {release.id} is under way, begun by {release.by}; follow it with "
            f"{typed('', release.environment)}, or end it with {typed('abort', release.environment)}"
        )
    known = snapshot.endpoint(command.endpoint)
    if moved := serves_elsewhere(known, command.target):
        # Traffic there would go on, and nobody would look after it any more.
        raise Refused(moved)
    taking = [slot for slot, seen in known.slots.items() if seen.weight > 0]
    stands = any(known.slots[slot].version == command.version for slot in taking)
    homewards = command.plan.strategy == ROLLBACK and stands
    if len(taking) > 1 and moved_away(known, release) and not homewards:
        shares = ", ".join(f"{slot} {known.slots[slot].weight:g} %" for slot in sorted(taking))
        first = typed("rollback", known.environment)
        raise Refused(
            f"{command.endpoint}: its traffic was moved from elsewhere ({shares}), and a release needs a slot without "
            f"any; call {first} first, or move it back"
        )
    if command.release in snapshot.releases:
        raise Refused(f"{command.release}: there is such a release already; call again")
    began = ev.Began(
        release=command.release,
        endpoint=command.endpoint,
        environment=command.environment,
        plan=command.plan,
        production=command.production,
        target=command.target,
        step_by_step=command.step_by_step,
        auto_approve=command.auto_approve,
        ask_s=command.ask_s,
        options=command.options,
        together=together,
    )
    facts: list[ev.Body] = [began]
    if command.version is not None:
        facts.append(ev.Chose(command.release, command.version))
    if command.reason:
        facts.append(ev.Reasoned(command.release, clean_line(command.reason, REASON_LENGTH)))
    return tuple(facts)


def _next(release: Release, driven: bool) -> tuple[ev.Body, ...]:
    if release.state is ReleaseState.ENDED:
        if release.outcome in (ev.Outcome.FAILED, ev.Outcome.STUCK, ev.Outcome.ABORTED):
            return (ev.Retried(release.id),)
        raise Refused(f"{release.id} has ended; nothing comes next")
    if release.state is not ReleaseState.RUNNING:
        if not driven:
            return ()
        raise Refused(f"{release.id} is on its way {release.state.value}; wait for it")
    step = release.current
    if step is None:
        raise Refused(f"{release.id} is at its end")
    if step.question is not None and step.answer is None:
        return (ev.Answered(release.id, release.index, True),)
    if release.paused:
        return (ev.Resumed(release.id, release.step_by_step),)
    if step.status is Status.WAITING:
        return (ev.Waved(release.id, release.index),)
    if step.status is Status.RUNNING and isinstance(step.step, Hold):
        return (ev.Waved(release.id, release.index),)
    raise Refused(f"{release.id} is busy; it goes on by itself when this stage is done")


def _answer(release: Release, yes: bool, only: OpenQuestion | None) -> tuple[ev.Body, ...]:
    step = release.current
    if step is None or step.question is None or step.answer is not None or release.state is not ReleaseState.RUNNING:
        raise Refused(f"{release.id}: no question is open{_whither(release)}")
    if only is not None and only != OpenQuestion(release.id, release.index, step.question.until):
        raise Refused(f"{release.id}: another question is open now than the one that was answered")
    return (ev.Answered(release.id, release.index, yes),)


def _whither(release: Release) -> str:
    """What became of a release whose question another answered, in words; nothing while it runs."""
    if release.outcome is not None:
        return f"; it ended: {release.outcome.value}"
    return "" if release.state is ReleaseState.RUNNING else f"; it is on its way {release.state.value}"


def _pause(release: Release, step_by_step: bool | None) -> tuple[ev.Body, ...]:
    if step_by_step is not None:
        how = ev.Resumed(release.id, step_by_step)
        # How it will go on is another question than whether it goes on.
        return (how, ev.Paused(release.id)) if release.paused else (how,)
    return (ev.Resumed(release.id, release.step_by_step),) if release.paused else (ev.Paused(release.id),)


def _silence(command: SilenceAlert, endpoint: Endpoint | None, now: float) -> tuple[ev.Body, ...]:
    hush = endpoint.hushed.get(command.rule) if endpoint is not None else None
    if command.seconds > 0:
        return (ev.Silenced(command.endpoint, command.rule, now + command.seconds),)
    if hush is None or hush.until <= now:
        raise Refused(f"{command.endpoint}: {command.rule} is not silenced")
    return (ev.Silenced(command.endpoint, command.rule, None),)


def _set_load(command: SetLoad, endpoint: Endpoint | None, series: Series) -> tuple[ev.Body, ...]:
    load = endpoint.load if endpoint is not None else None
    if load is None or not load.running:
        raise Refused(f"{command.endpoint}: no load is running")
    users = command.users
    if command.change:
        # How many a Locust of somebody else's runs only it knows, until it was asked for others.
        told = series.last if load.source.attach and load.wanted_seq == 0 else None
        users = max(0, (load.users if told is None else told.users or 0) + command.change)
    if users is not None and users < 0:
        raise Refused(f"{users} users: there can't be fewer than 0")
    return (ev.LoadWanted(command.endpoint, users, command.spawn_rate, command.paused, command.reset, command.stop),)

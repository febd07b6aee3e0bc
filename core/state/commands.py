"""What an operator may ask, and what comes of it: facts, or a refusal. Pure: `accept` moves nothing.

`confirmation` says what must be asked of a person first. What can be taken back, and why not, is had from here too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from core.domain.errors import Refused
from core.domain.gates import Gate
from core.domain.model import LoadProfile, LoadSource, Series, Version
from core.domain.plan import Hold, Plan, Shift
from core.state import events as ev
from core.state.consequences import Confirmation as Confirmation, begins, down, figures, next_share, share_now
from core.state.reversal import (
    UNDO_S as UNDO_S,
    refused_rollback as refused_rollback,
    refused_undo as refused_undo,
    rollback_of as rollback_of,
)
from core.state.snapshot import Endpoint, Release, ReleaseState, Snapshot, Status
from core.system.processes import whoami


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a release, of `version` where it is known already. `options`: what the work and the report need."""

    endpoint: str
    release: str
    environment: str
    plan: Plan
    production: bool = False
    target: str = "local"
    step_by_step: bool = False
    auto_approve: bool = False
    ask_s: float = 600.0
    options: Mapping[str, object] = field(default_factory=dict)
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """Let it go one step on: start it, end its hold, say yes, resume it, or try a failed release again."""

    endpoint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the open question."""

    endpoint: str
    yes: bool


@dataclass(frozen=True, slots=True)
class Pause:
    """Stay where it is; asked again, go on. `step_by_step` says how it goes on."""

    endpoint: str
    step_by_step: bool | None = None


@dataclass(frozen=True, slots=True)
class Abort:
    """Give the release up: traffic returns, as by a rollback, and it can be taken back as one."""

    endpoint: str
    asked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Rollback:
    """All traffic back to the version before, now. `asked_at`: when the key went down, seconds since the epoch."""

    endpoint: str
    asked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Undo:
    """Take the last rollback or abort back."""

    endpoint: str
    asked_at: float | None = None


@dataclass(frozen=True, slots=True)
class StartLoad:
    """Send load by hand; users can be changed while it runs. It ends with the process that asked, unless it `stay`s.

    `limits` are what it is judged by; `by` is the asker.
    """

    endpoint: str
    profile: LoadProfile
    source: LoadSource = field(default_factory=LoadSource)
    limits: tuple[Gate, ...] = ()
    stay: bool = False
    by: str = field(default_factory=whoami, compare=False)


@dataclass(frozen=True, slots=True)
class SetLoad:
    """Other load: users by a difference or as a number, users a second, pause, reset, stop."""

    endpoint: str
    change: int = 0
    users: int | None = None
    spawn_rate: float | None = None
    paused: bool | None = None
    reset: bool = False
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Tail:
    """Follow a replica's log for `seconds`, or stop (0). `source` is a slot or a replica's name."""

    endpoint: str
    source: str
    seconds: float = 600.0


Command: TypeAlias = Begin | Next | Answer | Pause | Abort | Rollback | Undo | StartLoad | SetLoad | Tail


def accept(  # noqa: C901, PLR0912
    command: Command, snapshot: Snapshot, now: float, driven: bool = True
) -> tuple[ev.Body, ...]:
    """What comes of a command, as facts; raises Refused with who or what stands in the way.

    `driven` False: no living process drives the endpoint. A release that is on its way then goes on for whoever asks
    for that way; no fact means: drive it.
    """
    endpoint = snapshot.endpoints.get(command.endpoint)
    release = snapshot.release_of(command.endpoint)
    match command:
        case Begin():
            return _begin(command, snapshot, release)
        case Next():
            return _next(_known(release, command.endpoint), driven)
        case Answer(yes=yes):
            return _answer(_known(release, command.endpoint), yes)
        case Pause(step_by_step=step_by_step):
            return _pause(_going(release, command.endpoint), step_by_step)
        case Abort(asked_at=asked_at):
            if _on_its_way(release, ReleaseState.BACK, driven):
                return ()
            going = _going(release, command.endpoint)
            return (ev.TurnedBack(going.id, ev.Outcome.ABORTED, "aborted", asked_at),)
        case Rollback(asked_at=asked_at):
            if _on_its_way(release, ReleaseState.BACK, driven):
                return ()
            return _rollback(endpoint, rollback_of(snapshot, command.endpoint), asked_at)
        case Undo(asked_at=asked_at):
            if _on_its_way(release, ReleaseState.FORWARD, driven):
                return ()
            return _undo(endpoint, release, now, asked_at)
        case StartLoad(profile=profile, source=source, limits=limits):
            if endpoint is None or not endpoint.slots:
                raise Refused(f"{command.endpoint}: nothing is served yet; run a release first")
            if endpoint.load is not None and endpoint.load.running:
                raise Refused(f"{command.endpoint}: {endpoint.load.kind} load is running; change its users")
            asked = (source.attach, "", source, limits, command.by, command.stay)
            return (ev.LoadStarted(command.endpoint, "manual", profile, *asked),)
        case SetLoad():
            return _set_load(command, endpoint, snapshot.series.get((command.endpoint, None), Series()))
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
    if not known.live:
        raise Refused(f"{endpoint}: {known.id} has ended ({known.outcome.value if known.outcome else 'over'})")
    return known


def _begin(command: Begin, snapshot: Snapshot, release: Release | None) -> tuple[ev.Body, ...]:
    if release is not None and release.live:
        raise Refused(
            f"{command.endpoint}: {release.id} is under way, begun by {release.by}; "
            "follow it with 'quarterdeck', or end it with 'quarterdeck abort'"
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
    )
    return (began,) if command.version is None else (began, ev.Chose(command.release, command.version))


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


def _answer(release: Release, yes: bool) -> tuple[ev.Body, ...]:
    step = release.current
    if step is None or step.question is None or step.answer is not None or release.state is not ReleaseState.RUNNING:
        raise Refused(f"{release.id}: no question is open")
    return (ev.Answered(release.id, release.index, yes),)


def _pause(release: Release, step_by_step: bool | None) -> tuple[ev.Body, ...]:
    if step_by_step is not None:
        return (ev.Resumed(release.id, step_by_step),)
    return (ev.Resumed(release.id, release.step_by_step),) if release.paused else (ev.Paused(release.id),)


def _rollback(endpoint: Endpoint | None, release: Release | None, asked_at: float | None) -> tuple[ev.Body, ...]:
    why_not = refused_rollback(endpoint, release)
    if why_not is not None or release is None:
        raise Refused(why_not or "no release")
    return (ev.TurnedBack(release.id, ev.Outcome.ROLLED_BACK, "rolled back", asked_at),)


def _undo(
    endpoint: Endpoint | None, release: Release | None, now: float, asked_at: float | None
) -> tuple[ev.Body, ...]:
    why_not = refused_undo(endpoint, release, now)
    if why_not is not None or release is None:
        raise Refused(why_not or "no release")
    return (ev.TurnedForward(release.id, asked_at),)


def _set_load(command: SetLoad, endpoint: Endpoint | None, series: Series) -> tuple[ev.Body, ...]:
    load = endpoint.load if endpoint is not None else None
    if load is None or not load.running:
        raise Refused(f"{command.endpoint}: no load is running")
    users = command.users
    if command.change:
        # How many a Locust of somebody else's runs only it knows, until it was asked for others.
        foreign = load.source.attach and load.wanted_seq == 0 and series.last is not None
        now = (series.last.users or 0) if foreign and series.last else load.users
        users = max(0, now + command.change)
    if users is not None and users < 0:
        raise Refused(f"{users} users: there can't be fewer than 0")
    return (ev.LoadWanted(command.endpoint, users, command.spawn_rate, command.paused, command.reset, command.stop),)


def confirmation(command: Command, snapshot: Snapshot, now: float) -> Confirmation | None:
    """What to ask before a command that `accept` would take; None when it needs no question."""
    release = snapshot.release_of(command.endpoint)
    match command:
        case Begin(environment=environment, production=True, plan=plan):
            return Confirmation(environment, begins(plan), True)
        case Rollback() | Abort():
            return down(release, command.endpoint, snapshot)
        case Next() | Answer(yes=True) | Pause() | Undo() if release is not None and release.production:
            share = _share_after(command, release)
            if share is None or share <= share_now(release, snapshot):
                return None
            return Confirmation(release.environment, _effect(command, release, share, snapshot, now), True)
        case _:
            return None


def _effect(command: Command, release: Release, share: float, snapshot: Snapshot, now: float) -> str:
    """What the command does at once, then what comes of it in figures."""
    if isinstance(command, Next) and release.state is ReleaseState.ENDED:
        return f"tries again: {begins(release.plan)}"
    said = figures(release, share, snapshot, now)
    has = share_now(release, snapshot)
    if release.paused and isinstance(command, Next | Pause):
        return f"goes on at {has:g} %, and then by itself: {said}"
    return said


def _share_after(command: Command, release: Release) -> float | None:
    """The share that the new version gets before anybody is asked again; None when a command lets nothing move."""
    step, by_step = release.current, release.step_by_step
    match command:
        case Undo():
            return release.way.reached if release.way is not None else None
        case Pause(step_by_step=asked) if not release.paused and (asked is not False or not by_step):
            return None
        case Pause(step_by_step=bool() as asked):
            by_step = asked
        case Next() if release.state is ReleaseState.ENDED:
            return next_share(release, 0)
        case _:
            pass
    if step is None:
        return None
    if not by_step:
        return next_share(release, release.index)
    # Step by step only the step at hand goes on: a shift that has begun, or one that this very command begins.
    goes_on = step.status is not Status.WAITING or (isinstance(command, Next) and not release.paused)
    return step.step.percent if isinstance(step.step, Shift) and goes_on and not step.asked else None

"""What an operator may ask, and what comes of it: facts, or a refusal. Pure: `accept` moves nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from core.domain.errors import Refused
from core.domain.gates import Gate
from core.domain.model import LoadProfile, LoadSource, Series, Version
from core.domain.plan import Hold, Plan
from core.state import events as ev
from core.state.snapshot import Endpoint, Release, ReleaseState, Snapshot, Status
from core.system.processes import whoami

UNDO_S = 60.0
"""For so long a rollback can be taken back."""


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
    """Give the release up: traffic returns and the new slot goes."""

    endpoint: str
    asked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Rollback:
    """All traffic back to the version before, now. `asked_at`: when the key went down, seconds since the epoch."""

    endpoint: str
    asked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Undo:
    """Take the last rollback back."""

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


def accept(command: Command, snapshot: Snapshot, now: float) -> tuple[ev.Body, ...]:  # noqa: C901
    """What comes of a command, as facts; raises Refused with who or what stands in the way."""
    endpoint = snapshot.endpoints.get(command.endpoint)
    release = snapshot.release_of(command.endpoint)
    match command:
        case Begin():
            return _begin(command, snapshot, release)
        case Next():
            return _next(_known(release, command.endpoint))
        case Answer(yes=yes):
            return _answer(_known(release, command.endpoint), yes)
        case Pause(step_by_step=step_by_step):
            return _pause(_going(release, command.endpoint), step_by_step)
        case Abort(asked_at=asked_at):
            going = _going(release, command.endpoint)
            return (ev.TurnedBack(going.id, ev.Outcome.ABORTED, "aborted", asked_at),)
        case Rollback(asked_at=asked_at):
            return _rollback(endpoint, rollback_of(snapshot, command.endpoint), asked_at)
        case Undo(asked_at=asked_at):
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


def _next(release: Release) -> tuple[ev.Body, ...]:
    if release.state is ReleaseState.ENDED:
        if release.outcome in (ev.Outcome.FAILED, ev.Outcome.STUCK, ev.Outcome.ABORTED):
            return (ev.Retried(release.id),)
        raise Refused(f"{release.id} has ended; nothing comes next")
    if release.state is not ReleaseState.RUNNING:
        raise Refused(f"{release.id} is on its way back; wait for it")
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


def rollback_of(snapshot: Snapshot, endpoint: str) -> Release | None:
    """The release that a rollback would take back.

    The one under way or the last one; after one that failed by itself, the one that serves since before it.
    After a rollback there is no second step back: a key pressed twice must not go twice as far.
    """
    release = snapshot.release_of(endpoint)
    ends_here = (ev.Outcome.DONE, ev.Outcome.ROLLED_BACK, ev.Outcome.STUCK)
    if release is None or release.live or release.outcome in ends_here:
        return release
    done = [r for r in snapshot.releases.values() if r.endpoint == endpoint and r.outcome is ev.Outcome.DONE]
    serving = snapshot.endpoints[endpoint].serving if endpoint in snapshot.endpoints else None
    last = max(done, key=lambda r: r.ended_at or 0.0, default=None)
    return last if last is not None and last.slot == serving else release


def refused_rollback(endpoint: Endpoint | None, release: Release | None) -> str | None:
    """Why there is no way back now, in words; None when there is."""
    if endpoint is None or release is None:
        return "nothing was released here; there is no way back"
    if release.state is ReleaseState.BACK:
        return f"{release.id} is on its way back already"
    if release.slot is None:
        return None if release.live else f"{release.id} never got a slot; nothing to take back"
    if release.old is None or release.old_version is None:
        return None if release.live else f"nothing served before {release.id}; there is no way back"
    if release.state is ReleaseState.ENDED and release.outcome not in (ev.Outcome.DONE, ev.Outcome.STUCK):
        return f"{release.id} was taken back already ({release.outcome.value if release.outcome else 'over'})"
    return None


def _rollback(endpoint: Endpoint | None, release: Release | None, asked_at: float | None) -> tuple[ev.Body, ...]:
    why_not = refused_rollback(endpoint, release)
    if why_not is not None or release is None:
        raise Refused(why_not or "no release")
    return (ev.TurnedBack(release.id, ev.Outcome.ROLLED_BACK, "rolled back", asked_at),)


def refused_undo(endpoint: Endpoint | None, release: Release | None, now: float) -> str | None:
    """Why the last rollback can't be taken back now, in words; None when it can."""
    if endpoint is None or release is None or release.way is None:
        return "there is no rollback to take back"
    if release.state is ReleaseState.BACK:
        return "the rollback is still under way; wait until it is verified"
    if release.outcome is not ev.Outcome.ROLLED_BACK or release.ended_at is None:
        return "the last thing that happened was no rollback"
    if now - release.ended_at > UNDO_S:
        return f"the rollback is more than {UNDO_S:.0f} s old; begin a release instead"
    if release.slot is None or release.slot not in endpoint.slots or release.way.reached == 0:
        return f"{release.slot or 'the slot'} is gone; begin a release instead"
    return None


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

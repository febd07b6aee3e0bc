"""Releases that go on and back as one: who is in it, what one waits for, what goes back with it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import inf
from typing import TypeAlias

from core.domain.model import Level, Noted
from core.domain.plan import Ask, Deploy, Hold, Plan, Retire, Shift, moves_aliases, title
from core.state import commands as c, events as ev
from core.state.fold_release import follows_back
from core.state.release import Release, ReleaseState, Status, StepState
from core.state.reversal import refused_rollback, rollback_of
from core.state.snapshot import Snapshot

Rank: TypeAlias = tuple[float, int]
ALL = c.Next | c.Answer | c.Pause | c.Abort | c.Rollback | c.Undo
"""What is asked of one of a group is asked of all of it."""


def others(release: Release, snapshot: Snapshot) -> tuple[Release, ...]:
    """The others of its group, as far as they are known."""
    ids = (id_ for id_ in release.together.values() if id_ != release.id)
    return tuple(snapshot.releases[id_] for id_ in ids if id_ in snapshot.releases)


def rank(plan: Plan, index: int) -> Rank | None:
    """Where a step stands among those that no release begins before all of its group could; None: it waits for none.

    A rank is a share of the traffic in percent and what comes first there; the aliases and what serves before them go
    once all have all traffic. Ranks never fall along a plan, so whoever stands at the lowest one may always go on.
    """
    if index >= len(plan.steps):
        return None
    match plan.steps[index]:
        case Shift(percent=percent):
            return percent, 1
        case Ask():
            shares = [step.percent for step in plan.steps[:index] if isinstance(step, Shift)]
            return (shares[-1] if shares else 0.0), 2
        case Retire():
            return inf, 1
        case step:
            return (inf, 0) if moves_aliases(step) else None


def waits_for(release: Release, snapshot: Snapshot, index: int) -> str:
    """Whom a release waits for before it may begin a step, and for what, in words; empty where it may."""
    wanted = rank(release.plan, index) if release.together else None
    if wanted is None:
        return ""
    for other in others(release, snapshot):
        behind = _behind(other, wanted) if _newest(snapshot, other.endpoint) is other else None
        if behind is not None:
            return f"{other.endpoint}{', which is paused,' if other.paused else ''} to {_words(behind)}"
    return ""


def waiting(release: Release, snapshot: Snapshot) -> str:
    """What a release waits for now because it is one of a group; empty where that is not why it stays."""
    step = release.current
    if step is None or step.reached_at is None or release.state is not ReleaseState.RUNNING:
        return ""
    return waits_for(release, snapshot, release.index + (step.status is not Status.WAITING))


def _behind(other: Release, wanted: Rank) -> StepState | None:
    """What another one has yet to do before it could begin a step of this rank, or a later one."""
    ranks = ((at, rank(other.plan, at)) for at in range(len(other.steps)))
    ahead = next((at for at, found in ranks if found is not None and found >= wanted), len(other.steps))
    for at, step in enumerate(other.steps[:ahead]):
        held = at + 1 == ahead and isinstance(step.step, Hold) and step.reached_at is not None
        if step.status is not Status.DONE and not held:
            return step
    return None


def _words(step: StepState) -> str:
    match step.step:
        case Shift(percent=percent):
            return f"take {percent:g} %"
        case Hold(warm_up=True):
            return "warm up"
        case Hold():
            return "end its hold"
        case Ask():
            return "be approved"
        case Deploy():
            return "be ready"
        case other:
            return f"pass {title(other)}"


def gone_back(release: Release, snapshot: Snapshot) -> Release | None:
    """One of its group that goes back, or ended without being done: whoever still goes on goes back with it."""
    for other in others(release, snapshot):
        ended_badly = other.state is ReleaseState.ENDED and other.outcome is not ev.Outcome.DONE
        if (other.state is ReleaseState.BACK or ended_badly) and _newest(snapshot, other.endpoint) is other:
            return other
    return None


def follow(release: Release, first: Release, turned: ev.TurnedBack) -> ev.TurnedBack:
    """That a release goes back because the first one of its group does."""
    shares = tuple(share for share in turned.shares if share < release.reached)
    why = f"with {first.endpoint}: {turned.why}"
    return replace(turned, release=release.id, why=why, follows=first.id, shares=shares)


def with_others(facts: Iterable[ev.Body], snapshot: Snapshot) -> tuple[ev.Body, ...]:
    """Facts, and with each that turns a release back those that turn its group back, to be written in one go."""
    return tuple(_followed(facts, snapshot))


def _followed(facts: Iterable[ev.Body], snapshot: Snapshot) -> Iterator[ev.Body]:
    for fact in facts:
        yield fact
        first = snapshot.releases.get(fact.release) if isinstance(fact, ev.TurnedBack) else None
        if first is None or not isinstance(fact, ev.TurnedBack) or fact.follows:
            continue
        for other in others(first, snapshot):
            if rollback_of(snapshot, other.endpoint) is not other or not follows_back(other):
                continue
            why_not = refused_rollback(snapshot.endpoint(other.endpoint), other)
            if why_not is None:
                yield follow(other, first, fact)
            else:
                text = f"does not go back with {first.endpoint}: {why_not}"
                yield ev.Remarked(other.endpoint, Noted(text, Level.WARNING, source="together"))


def asked_too(command: c.Command, snapshot: Snapshot) -> tuple[str, ...]:
    """The endpoints of the others of a group that are meant where one is asked; not those released again since."""
    if not isinstance(command, ALL):
        return ()
    meant = rollback_of if isinstance(command, c.Rollback) else _newest
    release = meant(snapshot, command.endpoint)
    found = () if release is None else others(release, snapshot)
    return tuple(other.endpoint for other in found if meant(snapshot, other.endpoint) is other)


def _newest(snapshot: Snapshot, endpoint: str) -> Release | None:
    return snapshot.release_of(endpoint)

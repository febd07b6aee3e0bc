"""From settings and flags to a release: its steps, its gates, its load. Pure but for the name, which tells the time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import get_args

from core.config.config import endpoint_name
from core.config.gates import sources_of
from core.config.measurable import as_measured, never_measured
from core.config.profiles import profile
from core.config.settings import Settings, Skippable
from core.config.written_plan import step_of
from core.domain.errors import BadInput, Refused
from core.domain.gates import DIFFERING, LIVE, MIX, Gate
from core.domain.load_profile import LoadProfile
from core.domain.model import Version
from core.domain.plan import IMAGE, MODEL_WORK, Ask, Deploy, Mirror, Plan, Shift, Smoke, Step, Summarise, Work
from core.domain.strategies import (
    Rollout,
    ab,
    all_at_once,
    blue_green,
    canary,
    gradual_blue_green,
    shadow,
    warmed,
    way_back,
    written,
)
from core.state.commands import Begin
from core.system.suggest import did_you_mean

SKIPS: tuple[str, ...] = get_args(Skippable)
FETCHED_WORK = ("fetch", "data", "evaluate", "gate", "check")
"""A version that is registered already is judged by this environment's gate like any other."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the flags of one release say. `confirmed`: the environment was named on the command line.

    `measured`: what was found out about `version` before, for the gate to judge by. `back_after_s`: it is a way back to
    `version`, and what serves now goes so many seconds after it.
    """

    skip: tuple[str, ...] = ()
    model_uri: str = ""
    auto_approve: bool = False
    step_by_step: bool = False
    ask_s: float = 600.0
    version: Version | None = None
    measured: Mapping[str, object] | None = None
    confirmed: bool = False
    back_after_s: float | None = None
    reason: str = ""


def checked(skip: Sequence[str]) -> tuple[str, ...]:
    """The steps to leave out; raises BadInput with the nearest right name."""
    for name in skip:
        if name not in SKIPS:
            raise BadInput(f"--skip {name}: only {', '.join(SKIPS)} can be skipped{did_you_mean(name, SKIPS)}")
    return tuple(skip)


def release_of(settings: Settings, first: bool, wishes: Wishes, now: datetime | None = None) -> Begin:
    """The release that these settings and flags ask for. `first`: nothing serves there yet."""
    name = endpoint_name(settings)
    wishes = replace(wishes, skip=(*wishes.skip, *settings.skip))
    at = now or datetime.now(UTC).astimezone()
    release = f"{name}-{at:%Y%m%d-%H%M%S}"
    # Under the release's name the variables of the shell it was begun in are kept.
    options: dict[str, object] = {"settings": settings.dump(), "variables_of": release}
    uri = wishes.model_uri or (f"models:/{settings.model}@candidate" if "train" in wishes.skip else "")
    if uri:
        options["fetch"] = {"uri": uri}
    if wishes.measured is not None:
        options["gate"] = wishes.measured
    return Begin(
        endpoint=name,
        release=release,
        environment=settings.environment,
        target=settings.where,
        plan=plan_of(settings, first, wishes, bool(uri)),
        production=settings.production,
        step_by_step=wishes.step_by_step,
        auto_approve=wishes.auto_approve or wishes.confirmed or settings.approve == "ci",
        ask_s=wishes.ask_s,
        options=options,
        version=wishes.version,
        reason=wishes.reason,
    )


def as_one(begins: Sequence[Begin]) -> Begin:
    """Releases that begin in the same moment and go on and back together, as one command."""
    return replace(begins[0], others=tuple(begins[1:]))


def plan_of(settings: Settings, first: bool, wishes: Wishes, fetched: bool) -> Plan:
    """What the release does, and how surely it must know that a version is worse to stop it."""
    release = settings.release
    plan = as_measured(warmed(_plan_of(settings, first, wishes, fetched), release.warm_up_s), settings)
    for why in never_measured(plan, settings):
        raise BadInput(f"{settings.environment}: {why}")
    place = settings.place
    trained = Work("register") in plan.steps and any(isinstance(step, Deploy) for step in plan.steps)
    if trained and place.beforehand and Work(IMAGE) not in plan.steps:
        raise BadInput(f"{settings.environment}: {place.beforehand}")
    return replace(
        plan,
        steps=tuple(_placed(step, settings) for step in plan.steps),
        tolerance=place.tolerance,
        patience=place.patience,
        slots=place.slots,
        false_stop=release.false_stop_percent / 100,
        burst_s=release.burst_s,
        sources=sources_of(release.all_gates),
        first=first,
    )


def _placed(step: Step, settings: Settings) -> Step:
    """A step with the time that the place may take; raises BadInput for one that it can't do."""
    if why := settings.place.cannot(step):
        raise BadInput(f"{settings.environment}: {why}")
    shift_s = settings.place.patience.shift_s
    return replace(step, deadline_s=shift_s) if isinstance(step, Shift | Mirror) else step


def _plan_of(settings: Settings, first: bool, wishes: Wishes, fetched: bool) -> Plan:
    """The steps, by strategy; a first version has nothing to be compared with, so it takes all traffic at once."""
    work = _work_of(wishes, fetched)
    if wishes.back_after_s is not None:
        return way_back(rollout_of(settings, load=False), wishes.back_after_s)
    if "deploy" in wishes.skip:
        steps: tuple[Step, ...] = (*(Work(name) for name in work), Summarise())
        return Plan("train only", steps)
    if settings.place.packs and settings.image.repository:
        work = (*work, IMAGE)
    release, rollout = settings.release, rollout_of(settings, "load" not in wishes.skip)
    if release.plan:
        said = map(step_of, release.plan)
        plan = written(work, rollout, [Smoke(release.smoke) if isinstance(step, Smoke) else step for step in said])
        # A first version takes all traffic at once, and no sooner than whoever is to be asked has said yes.
        asked = next((step.question for step in plan.steps if isinstance(step, Ask)), "")
        return all_at_once(work, replace(rollout, question=rollout.question or asked)) if first else plan
    if first:
        return all_at_once(work, rollout)
    match release.strategy:
        case "all-at-once":
            return all_at_once(work, rollout)
        case "blue-green":
            return blue_green(work, rollout)
        case "gradual-blue-green":
            return gradual_blue_green(work, rollout, release.steps)
        case "shadow":
            return shadow(work, rollout, release.mirror, _differing(settings), release.steps)
        case "ab":
            # The environment's name is a yes to traffic; which side is better is another question.
            beforehand = wishes.auto_approve or settings.approve == "ci"
            return ab(work, rollout, release.ab.split, release.ab.hold_s, release.ab.sticky, beforehand)
        case "canary":
            return canary(work, rollout, release.steps)


def _differing(settings: Settings) -> Gate:
    """What a copy's answers are held to: each beside the user's, else as many of each label as users got.

    Where so many percent of the answers differ, no label's share can differ by more points than that.
    """
    most = settings.release.max_differing
    return Gate(DIFFERING, "<=", most) if settings.place.pairs else Gate(MIX, "<=", most, LIVE)


def _work_of(wishes: Wishes, fetched: bool) -> tuple[str, ...]:
    """What is done before anything is deployed."""
    work: tuple[str, ...] = FETCHED_WORK if fetched else MODEL_WORK
    if wishes.version is not None:
        work = () if wishes.measured is None else ("gate",)
    return tuple(name for name in work if name not in wishes.skip)


def asks(settings: Settings) -> bool:
    """Whether a person must agree before users' traffic moves to a new version."""
    if settings.approve is None:
        return settings.release.strategy in ("blue-green", "gradual-blue-green") and not settings.release.plan
    return settings.approve != "nobody"


def asks_by_hand(settings: Settings) -> bool:
    """Whether a plan that was written by hand asks somebody."""
    return any(isinstance(step_of(line), Ask) for line in settings.release.plan)


def consent(settings: Settings, wishes: Wishes, somebody: bool) -> None:
    """Raise Refused where users' traffic would move without the consent of whoever may give it.

    `somebody`: a person sits there who can be asked. In production what was approved beforehand is not enough.
    """
    name, standing = settings.environment, asks(settings)
    if not (standing or asks_by_hand(settings)) or wishes.confirmed or settings.approve == "ci":
        return
    if "deploy" in (*wishes.skip, *settings.skip):
        return
    ways = f"name it with --confirm {name}, or set 'approve: ci' under environments.{name} of quarterdeck.yaml"
    if standing and settings.production and wishes.auto_approve:
        raise Refused(f"{name} is production, and --auto-approve alone moves no traffic there: {ways}")
    if not (somebody or wishes.auto_approve):
        more = "" if settings.production else ", or pass --auto-approve"
        who = f"{name} asks a person before traffic moves" if standing else "release.plan asks a person"
        raise Refused(f"{who}, and nobody can be asked here: {ways}{more}")


def rollout_of(settings: Settings, load: bool) -> Rollout:
    """What every strategy needs to know."""
    release, endpoint = settings.release, settings.endpoint
    return Rollout(
        replicas=endpoint.deployed,
        smoke=release.smoke,
        hold_s=release.hold_s,
        gates=tuple(gate.gate() for gate in release.all_gates),
        load=load_profile(settings) if load else None,
        limits=limits_of(settings),
        retire_after_s=release.kept_s,
        deadline_s=endpoint.ready_deadline_s + settings.place.patience.deploy_s,
        question=f"users' traffic in {settings.environment} to the new version?" if asks(settings) else "",
    )


def load_profile(
    settings: Settings, name: str = "", overrides: Mapping[str, float | None] | None = None
) -> LoadProfile:
    """The load test's profile, with what the project says over it; or another, with `overrides`. Raises BadInput."""
    load = settings.load
    own = {"users": load.users, "spawn_rate": load.spawn_rate, "duration_s": load.duration_s}
    said = {} if name else {key: value for key, value in own.items() if value is not None}
    return profile(name or load.profile, **{**said, **(overrides or {})})


def background_profile(settings: Settings) -> LoadProfile | None:
    """The load that runs while traffic moves; None where none is wanted."""
    background = settings.release.background
    if background.users == 0:
        return None
    return LoadProfile("background", background.users, background.spawn_rate, None)


def limits_of(settings: Settings) -> tuple[Gate, ...]:
    """What the load test must stay under, as gates."""
    limits = settings.load.limits
    return (
        Gate("failed_percent", "<", limits.failed_percent, at_least=1),
        Gate("p50_ms", "<", limits.median_ms, at_least=1),
        Gate("p95_ms", "<", limits.p95_ms, at_least=1),
    )

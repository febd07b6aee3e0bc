"""From settings and flags to a release: its steps, its gates, its load. Pure but for the name, which tells the time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.config.config import endpoint_name
from core.config.profiles import profile
from core.config.settings import Settings
from core.domain.errors import BadInput
from core.domain.gates import Gate
from core.domain.model import LoadProfile, Version
from core.domain.plan import MODEL_WORK, Plan, Rollout, Step, Summarise, Work, all_at_once, blue_green, canary
from core.state.commands import Begin
from core.system.suggest import did_you_mean

SKIPS = ("train", "check", "deploy", "load")
FETCHED_WORK = ("fetch", "data", "evaluate", "gate", "check")
"""A version that is registered already is judged by this environment's gate like any other."""
READY_SPARE_S = 10.0
"""What a deployment may take beyond the time that one replica has to become ready."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the flags of one release say."""

    skip: tuple[str, ...] = ()
    model_uri: str = ""
    auto_approve: bool = False
    step_by_step: bool = False
    ask_s: float = 600.0
    version: Version | None = None


def checked(skip: Sequence[str]) -> tuple[str, ...]:
    """The steps to leave out; raises BadInput with the nearest right name."""
    for name in skip:
        if name not in SKIPS:
            raise BadInput(f"--skip {name}: only {', '.join(SKIPS)} can be skipped{did_you_mean(name, SKIPS)}")
    return tuple(skip)


def release_of(settings: Settings, first: bool, wishes: Wishes, now: datetime | None = None) -> Begin:
    """The release that these settings and flags ask for. `first`: nothing serves there yet."""
    name = endpoint_name(settings)
    at = now or datetime.now(UTC).astimezone()
    release = f"{name}-{at:%Y%m%d-%H%M%S}"
    # Under the release's name the variables of the shell it was begun in are kept.
    options: dict[str, object] = {"settings": settings.dump(), "variables_of": release}
    uri = wishes.model_uri or (f"models:/{settings.model}@candidate" if "train" in wishes.skip else "")
    if uri:
        options["fetch"] = {"uri": uri}
    return Begin(
        endpoint=name,
        release=release,
        environment=settings.environment,
        plan=plan_of(settings, first, wishes, bool(uri)),
        production=settings.production,
        step_by_step=wishes.step_by_step,
        auto_approve=wishes.auto_approve,
        ask_s=wishes.ask_s,
        options=options,
        version=wishes.version,
    )


def plan_of(settings: Settings, first: bool, wishes: Wishes, fetched: bool) -> Plan:
    """The steps, by strategy; a first version has nothing to be compared with, so it takes all traffic at once."""
    work: tuple[str, ...] = FETCHED_WORK if fetched else MODEL_WORK
    if wishes.version is not None:
        work = ()
    work = tuple(name for name in work if name not in wishes.skip)
    if "deploy" in wishes.skip:
        steps: tuple[Step, ...] = (*(Work(name) for name in work), Summarise())
        return Plan("train only", steps)
    release, rollout = settings.release, rollout_of(settings, "load" not in wishes.skip)
    if first or release.strategy == "all-at-once":
        return all_at_once(work, rollout)
    if release.strategy == "blue-green":
        return blue_green(work, rollout)
    return canary(work, rollout, release.steps)


def rollout_of(settings: Settings, load: bool) -> Rollout:
    """What every strategy needs to know."""
    release, endpoint = settings.release, settings.endpoint
    scaling = endpoint.autoscaling
    replicas = max(endpoint.replicas, scaling.min) if scaling else endpoint.replicas
    return Rollout(
        replicas=min(replicas, scaling.max) if scaling else replicas,
        smoke=release.smoke,
        hold_s=release.hold_s,
        gates=tuple(Gate(**gate.model_dump()) for gate in release.gates),
        load=load_profile(settings) if load else None,
        limits=limits_of(settings),
        retire_after_s=release.retire_after_s,
        deadline_s=endpoint.ready_deadline_s + READY_SPARE_S,
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

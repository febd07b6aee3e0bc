"""The loads that have a name."""

from dataclasses import replace
from typing import Any

from core.domain.errors import BadInput
from core.domain.load_profile import LoadProfile, LoadStage
from core.system.suggest import did_you_mean

PROFILES = {
    profile.name: profile
    for profile in (
        LoadProfile("steady", users=50, spawn_rate=5, duration_s=60),
        LoadProfile("busy", users=150, spawn_rate=10, duration_s=60),
        LoadProfile("peak", users=300, spawn_rate=10, duration_s=60),
        LoadProfile("high", users=20, spawn_rate=10, duration_s=60, user_classes=("HighLoadUser",)),
        LoadProfile(
            "steps",
            users=10,
            spawn_rate=10,
            duration_s=80,
            stages=(LoadStage(0, 10, 10), LoadStage(20, 50, 10), LoadStage(40, 100, 10), LoadStage(60, 25, 25)),
        ),
        LoadProfile("custom", users=10, spawn_rate=2, duration_s=60),
    )
}


def profile(name: str, **overrides: Any) -> LoadProfile:
    """The profile of that name, with fields of it replaced; `BadInput` where it can't be run."""
    if name not in PROFILES:
        raise BadInput(f"load profile {name!r} is none of {', '.join(PROFILES)}{did_you_mean(name, PROFILES)}")
    fields = LoadProfile.__slots__
    for key in overrides:
        if key not in fields:
            hint = did_you_mean(key, fields)
            raise BadInput(f"load profile {name}: {key} is none of {', '.join(fields)}{hint}")
    return checked(replace(PROFILES[name], **overrides))


def checked(it: LoadProfile) -> LoadProfile:
    """The profile itself, if a load can be run by it."""
    if it.users < 1:
        raise BadInput(f"load profile {it.name}: users is {it.users}; it takes 1 or more")
    if not 0 < it.spawn_rate < float("inf"):
        raise BadInput(f"load profile {it.name}: spawn_rate is {it.spawn_rate:g}; it takes more than 0 a second")
    if it.duration_s is not None and not 0 < it.duration_s < float("inf"):
        raise BadInput(f"load profile {it.name}: duration_s is {it.duration_s:g}; it takes more than 0, or none")
    for stage in it.stages:
        if stage.users < 0 or stage.at_s < 0 or not stage.spawn_rate > 0:
            raise BadInput(f"load profile {it.name}: the stage at {stage.at_s:g} s needs users and a spawn_rate")
    return it

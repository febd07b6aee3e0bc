"""The environments of a project side by side: what each serves, since when, and what is different."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.domain.hints import typed
from core.domain.model import Version
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.snapshot import Snapshot
from tui.format import about

USUAL = ("dev", "staging", "prod")
"""The order in which versions go through them."""


@dataclass(frozen=True, slots=True)
class Serves:
    """What one environment serves; `since` in seconds since the epoch, None where the journal does not say."""

    environment: str
    version: Version | None
    since: float | None
    under_way: str


def served(snapshot: Snapshot, environment: str, endpoint: str) -> Serves:
    """What an environment's endpoint serves now."""
    version = snapshot.endpoint(endpoint).served
    live = snapshot.live_release(endpoint)
    coming = f"{live.version.label} on its way" if live is not None and live.version is not None else ""
    return Serves(environment, version, _since(snapshot, endpoint, version), coming)


def _since(snapshot: Snapshot, endpoint: str, version: Version | None) -> float | None:
    """When the version came to full traffic, the last time that it did."""
    mine = [r for r in snapshot.releases.values() if r.endpoint == endpoint and r.ended_at is not None]
    came = [
        r.ended_at
        for r in mine
        if (r.outcome is ev.Outcome.DONE and r.version == version)
        or (r.outcome in (ev.Outcome.ROLLED_BACK, ev.Outcome.ABORTED) and r.old_version == version)
    ]
    return max((at for at in came if at is not None), default=None)


def side_by_side(snapshot: Snapshot, names: Mapping[str, str], now: float) -> list[str]:
    """A line an environment, in the order of `names` (environment to endpoint); nothing where only one serves."""
    found = [served(snapshot, environment, endpoint) for environment, endpoint in names.items()]
    if sum(one.version is not None for one in found) < 2:
        return []
    return [_line(one, found[at + 1] if at + 1 < len(found) else None, now) for at, one in enumerate(found)]


def beside(snapshot: Snapshot, now: float) -> list[str]:
    """The same for the environments that a snapshot knows."""
    known = {name: one.environment for name, one in snapshot.endpoints.items() if one.environment}
    return of_each(snapshot, known, now)


def of_each(snapshot: Snapshot, known: Mapping[str, str], now: float) -> list[str]:
    """The same for each of several endpoints, headed by its name. `known`: names to environments."""
    found: dict[str, dict[str, str]] = {}
    for name, environment in known.items():
        found.setdefault(name.removesuffix(f"-{environment}"), {})[environment] = name
    lines: list[str] = []
    for base, names in found.items():
        order = [*(env for env in USUAL if env in names), *sorted(env for env in names if env not in USUAL)]
        told = side_by_side(snapshot, {env: names[env] for env in order}, now)
        lines += [*([base] if told and len(found) > 1 else []), *told]
    return lines


def _line(one: Serves, after: Serves | None, now: float) -> str:
    if one.version is None:
        return f"{one.environment:<9}nothing"
    age = f"for {about(now - one.since)}" if one.since is not None else ""
    return f"{one.environment:<9}{one.version.label:<8}{age:<12}{'  '.join(filter(None, _notes(one, after)))}".rstrip()


def _notes(one: Serves, after: Serves | None) -> tuple[str, ...]:
    if after is None or one.version == after.version:
        return (one.under_way,)
    there = after.version.label if after.version is not None else "nothing"
    if one.version is not None and after.version is not None and one.version.older_than(after.version):
        return (one.under_way, f"{after.environment} has {there}, a newer one")
    return (one.under_way, f"{after.environment} has {there}: {typed(f'promote --to {after.environment}')}")


def proven(endpoint: Endpoint, max_age_s: float, now: float, drill: str) -> tuple[str, bool]:
    """When the way back was last proven and what it took, in words; and whether that is longer ago than it may be.

    `drill` is the command that proves it.
    """
    drilled, at = endpoint.drilled, endpoint.drilled_at
    copied, copied_at = endpoint.copy_drilled, endpoint.copy_drilled_at
    # What a copy proves is no proof of this endpoint's own way.
    beside = f"; on a copy, {copied.copy}, {_drilled(copied, copied_at, now)}" if copied and copied_at else ""
    if drilled is None or at is None:
        return f"the way back was never drilled{' here' if beside else ''}{beside}; {drill} proves it", True
    said, late = f"way back proven {_drilled(drilled, at, now)}", now - at > max_age_s
    return f"{said}{beside}{f'; overdue, {drill}' if late else ''}", late


def _drilled(drilled: ev.Drilled, at: float, now: float) -> str:
    return f"{about(now - at)} ago: {drilled.back_ms:.0f} ms, {drilled.failed} failed"

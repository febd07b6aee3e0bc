"""A release whose endpoint a driver of another machine took over: that it did, and how the release ends. Pure."""

from core.domain.plan import Shift
from core.rollout.rollback import traffic_said
from core.state import events as ev
from core.state.endpoint import Endpoint
from core.state.release import Release, ReleaseState


def taken_by(release: Release, endpoint: Endpoint) -> str:
    """Who followed in the middle of this release; empty where nobody did, and of what a person asks back."""
    other, way = endpoint.other, release.way
    asked = release.state is not ReleaseState.RUNNING and way is not None and way.asked_at is not None
    if other is None or other.took != release.id or asked:
        return ""
    return f"taken over by {other.by}; nothing is changed from here any more"


def taken_over(release: Release, endpoint: Endpoint, why: str) -> tuple[ev.Outcome, str]:
    """How it ends: nothing is moved from here any more, and what a person asks back takes it over again."""
    if not release.touched:
        return ev.Outcome.FAILED, why
    return ev.Outcome.STUCK, f"{why}; {traffic_said(endpoint)}{_on_its_way(release, endpoint)}"


def _on_its_way(release: Release, endpoint: Endpoint) -> str:
    """What was asked for and is not seen yet: it may still land."""
    step = release.current
    if release.state is not ReleaseState.RUNNING or step is None or not isinstance(step.step, Shift) or not step.asked:
        return ""
    seen, percent = endpoint.slots.get(release.slot or ""), step.step.percent
    if seen is not None and abs(seen.weight - percent) < 1.0:
        return ""
    return f"; {percent:g} % to {release.slot} was asked for before that and may still come"

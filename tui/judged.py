"""The gates that matter now: of which step, where, since when judged, and how long their hold has held."""

from core.domain.plan import Hold, Mirror, Shift, title
from core.state.release import Release, ReleaseState, Status, StepState
from tui.view import View

OLD_S = 5.0
"""A verdict older than this says its age, and looks it."""


def watched(release: Release) -> StepState | None:
    """The step whose gates matter now: the one that runs, or the last that was judged."""
    current = release.current
    if current is not None and current.verdicts:
        return current
    judged = [step for step in release.steps if step.verdicts]
    if current is not None and isinstance(current.step, Hold) and release.state is ReleaseState.RUNNING:
        return current
    return judged[-1] if judged else None


def place(release: Release, step: StepState) -> str:
    """Where these gates stand: `at 10 %`, or `of the model`."""
    if not isinstance(step.step, Hold):
        return f"of {title(step.step)}" if title(step.step) != "gate" else "of the model"
    at = next(at for at, other in enumerate(release.steps) if other is step)
    before = [s.step for s in release.steps[:at] if isinstance(s.step, Shift | Mirror)]
    if not before:
        return ""
    last = before[-1]
    return f"at a copy of {last.percent:g} %" if isinstance(last, Mirror) else f"at {last.percent:g} %"


def old_s(step: StepState | None, now: float) -> float | None:
    """How long ago the gates of a step were judged, when that is no longer now."""
    if step is None or not step.verdicts:
        return None
    judged_at = step.looked_at or step.ended_at
    if judged_at is None:
        return None
    return now - judged_at if now - judged_at > OLD_S else None


def judges(release: Release) -> bool:
    """Whether gates should be judging now."""
    step = release.current
    holds = step is not None and step.status is Status.RUNNING and isinstance(step.step, Hold)
    return holds and release.state is ReleaseState.RUNNING


def held_s(view: View) -> float | None:
    """For how long the hold has held; it stands still while it is paused."""
    release = view.release
    step = release.current if release is not None and release.state is ReleaseState.RUNNING else None
    if step is None or not isinstance(step.step, Hold) or step.started_at is None:
        return None
    return max(0.0, (view.now if view.paused_at is None else view.paused_at) - step.started_at)

"""What a release waits for from people, as `status` says it: an answer, a `next`, or that it is resumed."""

from collections.abc import Iterator

from core.config.settings import Settings
from core.domain.plan import Shift, title
from core.engine.project import Project
from core.state.release import Release, ReleaseState
from core.system.text import span

UNDER = f"{'':<11}"


def awaiting_lines(release: Release, project: Project, own: Settings, now: float) -> list[str]:
    """What is waited for, since when or for how long, and the commands for a shell, where anything may be asked."""
    if release.state is not ReleaseState.RUNNING:
        return []
    found = [
        *_asked(release, project, own, now),
        *_paused(release, project, own, now),
        *_next(release, project, own, now),
    ]
    return [line for line in found if not (own.read_only and line.startswith(f"{UNDER}→"))]


def _asked(release: Release, project: Project, own: Settings, now: float) -> Iterator[str]:
    step = release.current
    if step is None or step.question is None or step.answer is not None:
        return
    yield f"  ? asked  {step.question.question}"
    yield f"{UNDER}{span(max(0.0, step.question.until - now))} left, then it is given up"
    yield f"{UNDER}→ {project.typed('approve', own)}, or {project.typed('reject', own)}"


def _paused(release: Release, project: Project, own: Settings, now: float) -> Iterator[str]:
    if not release.paused:
        return
    since = f" for {span(max(0.0, now - release.paused_at))}" if release.paused_at is not None else ""
    yield f"  ‖ paused {since.strip()}: it stays where it is"
    yield f"{UNDER}→ {project.typed('pause', own)} lets it go on, or {project.typed('abort', own)} ends it"


def _next(release: Release, project: Project, own: Settings, now: float) -> Iterator[str]:
    step = release.current
    if not release.awaits_next or step is None:
        return
    ended = release.steps[release.index - 1].ended_at if release.index else release.began_at
    since = f"for {span(max(0.0, now - ended))}; " if ended is not None else ""
    ahead = f"traffic {step.step.percent:g} %" if isinstance(step.step, Shift) else title(step.step)
    yield f"  ‖ waits  {since}the next step: {ahead}"
    yield f"{UNDER}→ {project.typed('next', own)}"

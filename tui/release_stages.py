"""The stages of a release: its steps as a person counts them. All shifts and holds are one movement."""

from dataclasses import dataclass

from core.domain.plan import Ask, Hold, Load, Mirror, Shift, Step, Summarise, title
from core.state.events import Outcome
from core.state.release import Release, ReleaseState, Status, StepState


@dataclass(frozen=True, slots=True)
class Stage:
    """A line of the list: a step, or the steps that belong together."""

    name: str
    steps: tuple[StepState, ...]

    @property
    def status(self) -> Status:
        """How far the stage is; of several steps, what matters most."""
        has = {step.status for step in self.steps}
        for status in (Status.FAILED, Status.INTERRUPTED, Status.RUNNING):
            if status in has:
                return status
        if has == {Status.DONE}:
            return Status.DONE
        return Status.RUNNING if Status.DONE in has else Status.WAITING

    def took(self, now: float) -> float | None:
        """Seconds from its first start to its end, or to now while it runs."""
        begun = [step.started_at for step in self.steps if step.started_at is not None]
        if not begun:
            return None
        ended = [step.ended_at for step in self.steps]
        over = max((at for at in ended if at is not None), default=now)
        return (over if self.status in (Status.DONE, Status.FAILED) else now) - min(begun)


def stages(release: Release) -> list[Stage]:
    """The stages of a release in order."""
    found: list[Stage] = []
    for step in release.steps:
        name = _name(step.step)
        if found and name == "traffic" == found[-1].name:
            found[-1] = Stage(name, (*found[-1].steps, step))
        else:
            found.append(Stage(name, (step,)))
    return found


def sources(stage: Stage) -> set[str]:
    """What the lines of a stage are under in the log."""
    named = {stage.name, *(title(step.step) for step in stage.steps)}
    if stage.name == "traffic":
        return {*named, "gates", "asks", "answer", "back", "undo"}
    return {*named, "load"} if isinstance(stage.steps[0].step, Load) else named


def _name(step: Step) -> str:
    match step:
        case Shift() | Mirror() | Hold() | Ask():
            return "traffic"
        case Summarise():
            return "summary"
        case _:
            return title(step)


def turned(release: Release) -> bool:
    """Whether the traffic went back, or goes."""
    gone = release.state is ReleaseState.ENDED and release.outcome is not Outcome.DONE
    return release.way is not None and (release.state is ReleaseState.BACK or gone)

"""Who may need what stands at an endpoint, and the command that takes it down all the same. Pure."""

from core.config.settings import Settings
from core.engine.project import Project
from core.state.snapshot import Snapshot
from core.targets.kinds import DEFAULT, Standing


def needed_by_others(place: Standing, snapshot: Snapshot) -> str:
    """Why somebody else may be using what serves there; empty where it is the project's own.

    On this machine all that stands in a project's folder is its own, whatever became of its journal.
    """
    if place.kind == DEFAULT or not place.slots:
        return ""
    if snapshot.release_of(place.endpoint) is None:
        return "this project has released nothing there"
    return f"{place.driver} changed it last" if place.driver else ""


def confirmed_down(project: Project, own: Settings) -> str:
    """The command that deletes what others use too."""
    return project.typed(f"down --confirm {own.environment}", own)


def costs_line(place: Standing | None, snapshot: Snapshot, project: Project, own: Settings) -> list[str]:
    """What somebody pays for, and the command that ends that."""
    if place is None or not place.costs:
        return []
    taken = confirmed_down(project, own) if needed_by_others(place, snapshot) else project.typed("down", own)
    # While somebody else has a change under way there it is refused, confirmed or not.
    once = "once nobody changes it any more, " if place.refuses else ""
    return [f"  costs    {', '.join(place.costs)}; {once}{taken} ends that, with --to-minimum most of it"]

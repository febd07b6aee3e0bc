"""`quarterdeck promote`: the version that serves in one environment, not trained again, on to the next."""

from collections.abc import Callable
from dataclasses import replace

from core.config.config import ENVIRONMENTS, endpoint_name
from core.config.planner import Wishes
from core.config.settings import EnvironmentName, Settings
from core.domain.errors import BadInput, Refused
from core.domain.hints import typed
from core.domain.model import Version
from core.engine.project import Project
from core.rollout.promotion import known_anywhere, measured, promotable
from core.state.snapshot import Snapshot
from tui.release_command import release


def before(settings: Settings) -> EnvironmentName | None:
    """The environment that a version must have served in; None where it may come from anywhere."""
    after = settings.promote.after
    if after is not None:
        return None if after == "anywhere" else after
    at = ENVIRONMENTS.index(settings.environment)
    if at == 0:
        why = f"nothing comes before it; {typed('release', settings.environment)} makes versions there"
        raise BadInput(f"--to {settings.environment}: {why}")
    return ENVIRONMENTS[at - 1]


def wishes_for(project: Project, number: str | None, wishes: Wishes, snapshot: Snapshot) -> Wishes:
    """The release that a promotion is: its version, and what is known of it. Raises Refused, BadInput."""
    settings = project.settings
    came = before(settings)
    mine = settings.endpoint.name
    names = {own.environment: name for name, own in project.by_endpoint().items() if own.endpoint.name == mine}
    version = (
        _from_anywhere(snapshot, list(names.values()), number)
        if came is None
        else promotable(snapshot, names.get(came, mine if came == "prod" else f"{mine}-{came}"), number, came)
    )
    live = snapshot.endpoint(endpoint_name(settings)).served
    if live == version:
        raise Refused(f"{endpoint_name(settings)} serves {version.label} already")
    known = measured(snapshot, version, live)
    if known is None:
        # It is fetched and judged on the held-out rows like any version that comes from elsewhere.
        return replace(wishes, model_uri=version.uri)
    return replace(wishes, version=version, measured=known)


def _from_anywhere(snapshot: Snapshot, endpoints: list[str], number: str | None) -> Version:
    if number is None:
        raise BadInput("promote.after is anywhere, so name the version: 'quarterdeck promote 3 --to ENVIRONMENT'")
    version = known_anywhere(snapshot, endpoints, number)
    if version is None:
        number = number.removeprefix("v")
        raise Refused(f"no release here was of v{number}; 'quarterdeck release --model-uri' takes any version")
    return version


async def promote(
    project: Project, number: str | None, wishes: Wishes, write: Callable[[str], None], attached: bool = False
) -> int:
    """Release it there by that environment's own floors, limits and strategy; returns the exit code."""

    def choose(member: Project, snapshot: Snapshot) -> Wishes:
        chosen = wishes_for(member, number, wishes, snapshot)
        label = chosen.version.label if chosen.version else chosen.model_uri
        of = "" if member is project else f" of {member.settings.endpoint.name}"
        write(f"promoting {label}{of} to {member.settings.environment}")
        return chosen

    return await release(project, wishes, write, attached, choose)

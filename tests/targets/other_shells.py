"""A release that was begun in a shell whose file is gone, and a way back that is asked for in another one."""

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.config.planner import Wishes, release_of
from core.domain.model import Observation
from core.engine import shell_variables
from core.engine.project import Project
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from tests.engine.test_steering import Steering
from tests.environments import ended, until
from tests.targets.helpers import ONE, TWO


def _released(project: Project) -> str:
    """v2 went to green over v1 in blue; its name."""
    begun = replace(release_of(project.settings, False, Wishes()), version=TWO)
    shell_variables.keep(project.settings, begun.release)
    with contextlib.closing(project.journal()) as journal:
        now = journal.clock.now()
        journal.append(accept(begun, fold_all(journal.read(0)), now), "ada", now)
        placed = ev.Placed(begun.release, "green", "blue", ONE, 1)
        routed = ev.Routed("late", {"green": 100.0}, begun.release)
        seen = (Observation("blue", ONE, 1, 1, 0.0), Observation("green", TWO, 1, 1, 100.0, proved_by=20))
        observed = [ev.Observed("late", one) for one in seen]
        journal.append((placed, routed, *observed, ev.Ended(begun.release, ev.Outcome.DONE, "done", "")), "ada", now)
    return begun.release


def _refusal(snapshot: Snapshot, release: str) -> str:
    way = snapshot.releases[release].way
    return way.refusal if way is not None else ""


async def back_from_another_shell(config: Path, variable: str, good: str, patch: pytest.MonkeyPatch) -> None:
    """`variable` names what is gone in this shell: that is said with the first try; then it names `good`, and who asks
    from there gets back."""
    gone, project = os.environ[variable], Project(config, "prod")
    release = _released(project)
    with contextlib.closing(project.journal()) as theirs, contextlib.closing(project.journal()) as mine:
        async with project.engine(theirs, who="watch") as watch:
            watch.attend("late")
            await watch.do(c.Rollback("late"))
            said = await until(watch, lambda now: _refusal(now, release))
            lacks = f"{variable} as {release} was begun with names {gone}, which is gone"
            assert _refusal(said, release).count(lacks) == 1
            patch.setenv(variable, good)
            async with project.engine(mine, steering=Steering(watch)) as face:
                face.insist("late")
                over = await ended(watch, release)
                assert over.outcome is ev.Outcome.ROLLED_BACK, over.why

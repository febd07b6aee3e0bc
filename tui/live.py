"""The deck over the engine of this process."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

from core.config.config import endpoint_name
from core.config.planner import Wishes, consent, limits_of
from core.domain.errors import QuarterdeckError
from core.engine import shell_variables
from core.engine.engine import Engine
from core.engine.project import Project
from core.state.commands import Begin, Command, StartLoad
from core.state.events import Event
from core.system.tasks import TaskGuard
from tui import theme
from tui.app import DeckApp
from tui.asking import Prepare, Prepared
from tui.earlier import LookBack
from tui.headless import after_us, have_watch, opened, watch_of
from tui.load_command import source_of
from tui.output import say
from tui.plan_command import planned, planned_together
from tui.release_command import begun
from tui.replay_command import recorded, replay


class ProjectLink:
    """A link that asks for load as the project says now: its locustfile, its limits."""

    def __init__(self, engine: Engine, project: Project) -> None:
        self._engine = engine
        self._project = project

    def events(self, after: int | None = None) -> AsyncIterator[Event]:
        """Those of the engine."""
        return self._engine.events(after)

    async def do(self, command: Command) -> None:
        """Ask the engine; raises what it raises, and BadInput for settings that can't be read."""
        if isinstance(command, Begin):
            known = self._project.by_endpoint()
            for one in (command, *command.others):
                settings = known.get(one.endpoint, self._project.settings)
                shell_variables.keep(settings, one.release, one.plan.reads_rows)
        if isinstance(command, StartLoad):
            settings = Project(self._project.path).by_endpoint().get(command.endpoint, self._project.settings)
            command = replace(command, source=source_of(settings, "", "", web=False), limits=limits_of(settings))
        await self._engine.do(command)


def _preparing(engine: Engine, project: Project) -> Prepare:
    """Prepares the next release of an endpoint by the project's file as it is now, with this deck's flags."""

    def prepare(endpoint: str | None) -> Prepared:
        snapshot, wishes = engine.snapshot, Wishes()
        now = Project(project.path, project.env, project.sets, project.input_data)
        settings = now.by_endpoint().get(endpoint or "", now.settings)
        # Those that go together do so in the environment that is shown.
        there = Project(now.config, settings.environment, now.sets, now.input_data)
        together = {endpoint_name(one.settings) for one in there.together}
        of_all = len(together) > 1 and endpoint_name(settings) in together
        begin, plan = planned_together(there, snapshot, wishes) if of_all else planned(settings, snapshot, wishes)
        return Prepared(begin, tuple(plan))

    return prepare


def _look_back(project: Project) -> LookBack:
    """Reads the project's journal once more, for what was measured earlier."""

    def read(begin: float, end: float) -> list[Event]:
        journal = Project(project.path).journal()
        try:
            return journal.measured(begin, end)
        finally:
            journal.close()

    return read


def _drill_ages(project: Project) -> dict[str, float]:
    """How old the last proof of each endpoint's way back may be."""
    return {name: settings.drill.max_age_s for name, settings in project.by_endpoint().items()}


def _attend(engine: Engine) -> None:
    """Where no watch can be had, this deck drives for as long as it is open."""
    for name in engine.snapshot.endpoints:
        engine.attend(name)


async def _shown(engine: Engine, project: Project, wanted: str | None, read_only: bool) -> DeckApp:
    """The deck until somebody leaves it; a release that is opened from it is shown, and then the deck again."""
    while True:
        link, prepare, back = ProjectLink(engine, project), _preparing(engine, project), _look_back(project)
        look, hangs_s = theme.of_terminal(), engine.hangs_s
        app = DeckApp(
            link,
            wanted,
            read_only,
            now=engine.now,
            look=look,
            hangs_s=hangs_s,
            prepare=prepare,
            look_back=back,
            drill_s=_drill_ages(project).get,
        )
        app.opens = True
        await app.run_async()
        if app.opened is None:
            return app
        wanted = app.wanted
        try:
            await replay(await asyncio.to_thread(recorded, app.opened, lambda: project), 1.0)
        except QuarterdeckError as error:
            say(str(error), sys.stderr)


async def show(project: Project, read_only: bool = False, wishes: Wishes | None = None) -> int:
    """The deck until somebody leaves it; what is served goes on, and what was under way is said.

    With `wishes` a release begins.
    """
    read_only = read_only or project.read_only
    async with opened(project, read_only) as engine:
        guard = TaskGuard("deck")
        watch = watch_of(project)
        guard.start(watch.look_on() if read_only else watch.keep(lambda: _attend(engine)), "have a watch")
        try:
            if wishes is not None:
                members = project.together
                for one in members:
                    consent(one.settings, wishes, sys.stdin.isatty())
                await have_watch(project, print)
                await begun(engine, members, lambda _: wishes)
            wanted = endpoint_name(project.settings) if project.env or wishes else None
            app = await _shown(engine, project, wanted, read_only)
        finally:
            await guard.close()
        live = [release for release in engine.snapshot.releases.values() if release.live]
        left = [f"{release.id}: {after_us(engine, release.endpoint)}" for release in live]
    if not project.path_is_there:
        print(f"{project.settings.folder}: is gone, and what was under way there with it")  # noqa: T201
        return 1
    for line in left:
        print(line)  # noqa: T201
    if app.return_code:
        return app.return_code
    served = [endpoint for endpoint in engine.snapshot.endpoints.values() if endpoint.serving and endpoint.url]
    for endpoint in served:
        print(f"{endpoint.name}: traffic flows on at {endpoint.url}")  # noqa: T201
    return 0

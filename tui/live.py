"""The deck over the engine of this process."""

from core.config.config import endpoint_name
from core.config.planner import Wishes
from tui.app import DeckApp
from tui.headless import begun, opened
from tui.project import Project


async def show(project: Project, read_only: bool = False, wishes: Wishes | None = None) -> int:
    """The deck until somebody leaves it; what is served goes on, and what was under way is said.

    With `wishes` a release begins, or goes on where its driver died.
    """
    async with opened(project, read_only) as engine:
        if wishes is not None:
            await begun(engine, project, wishes)
        for name in project.by_endpoint():
            if name in engine.snapshot.endpoints:
                engine.attend(name)
        wanted = endpoint_name(project.settings) if project.env or wishes else None
        app = DeckApp(engine, wanted, read_only)
        await app.run_async()
        live = [release for release in engine.snapshot.releases.values() if release.live]
    for release in live:
        print(f"{release.id} waits where it is: go on with 'quarterdeck release' or 'quarterdeck'")  # noqa: T201
    if app.return_code:
        return app.return_code
    served = [endpoint for endpoint in engine.snapshot.endpoints.values() if endpoint.serving and endpoint.url]
    for endpoint in served:
        print(f"{endpoint.name}: traffic flows on at {endpoint.url}")  # noqa: T201
    return 0

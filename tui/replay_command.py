"""`quarterdeck export` and `quarterdeck replay`: a release in a file, and the deck on a release that is over."""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

from core.config.config import state_folder
from core.domain.errors import BadInput
from core.engine import recording, shell_variables
from core.engine.player import Player
from core.engine.project import Project
from core.system.text import size
from tui.audit_command import past

Write = Callable[[str], None]


def recorded(name: str, project: Callable[[], Project]) -> recording.Recorded:
    """A recording by the name of its file, or of a release of this project; raises BadInput."""
    path = Path(name)
    if path.is_file():
        return recording.read(path)
    if path.suffix or "/" in name:
        raise BadInput(f"{name}: no such file; name a release or a recording")
    with past(project()) as journal:
        return recording.taken(journal, name)


def export(project: Project, release: str, path: Path, write: Write) -> int:
    """One release in one file."""
    if path.exists():
        raise BadInput(f"{path}: is there already; name another file")
    with past(project) as journal:
        found = recording.taken(journal, release)
    version = importlib.metadata.version("quarterdeck")
    count = recording.export(found, path, version, secrets_of(project, release))
    write(f"wrote {path}: {count} events, {size(path.stat().st_size)}; 'quarterdeck replay {path}' plays it")
    return 0


def secrets_of(project: Project, release: str) -> set[str]:
    """Values that must not leave: of the variables that were kept for it, and of this shell's."""
    kept = shell_variables.kept(state_folder(project.settings), release) or {}
    return {*kept.values(), *shell_variables.of_shell(project.settings).values()}


async def replay(found: recording.Recorded, speed: float) -> int:
    """The deck on it, until somebody leaves."""
    from tui import theme  # noqa: PLC0415
    from tui.replay_app import ReplayApp  # noqa: PLC0415

    app = ReplayApp(Player(found.events, speed, begin=found.begin), found.endpoint, look=theme.of_terminal())
    await app.run_async()
    return app.return_code or 0

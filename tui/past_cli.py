"""The commands that look at what happened: the audit, what served when, and why somebody went back."""

from typing import Annotated

import typer

from core.state import commands as c
from tui import headless, rollback_command
from tui.cli_common import Config, Env, Sets, end, err, out, project_of

app = typer.Typer()


@app.command()
def reason(
    text: Annotated[str, typer.Argument(help="In quotes.")],
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
) -> None:
    """Say afterwards why the last rollback or abort was asked for."""
    project = project_of(config, env, sets)
    end(headless.run(rollback_command.note(project, lambda name: c.Reason(name, text), out), err))

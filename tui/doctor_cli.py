"""The command `doctor`."""

from typing import Annotated

import typer

from core.domain.errors import BadInput
from core.engine.project import Project
from tui import headless
from tui.cli_common import Config, Env, OneEndpoint, Sets, end, err, out

app = typer.Typer()


@app.command()
def doctor(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Whether machine, project and what serves are well, line by line, and what to do; nothing is changed.

    Exit code 1: one line is a fail.
    """
    from tui import doctor_command  # noqa: PLC0415

    # Settings that can't be read are a line of it, and no reason not to look at the rest.
    project = _of(Project(config, env, tuple(sets or ())), endpoint)
    end(headless.run(doctor_command.doctor(project, out, json), err))


def _of(project: Project, endpoint: str | None) -> Project:
    """The same for one endpoint; where the file can't be read, that is a line, and nobody can be chosen."""
    if endpoint is None:
        return project
    try:
        return project.of_endpoint(endpoint)
    except BadInput as error:
        if not str(error).startswith("--endpoint"):
            return project
        err(f"error: {error}")
        end(error.exit_code)
        raise

"""What every command of the command line shares: its common options, its two streams, the project it is about."""

import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Optional

import typer

from core.domain.errors import BadInput, Failed, QuarterdeckError, Refused
from core.engine.project import READ_ONLY, Project
from tui import output

LOOKING = frozenset(
    {
        "quarterdeck",
        "alerts",
        "status",
        "doctor",
        "data",
        "audit",
        "live",
        "explain",
        "backup",
        "releases",
        "plan",
        "export",
        "image dockerfile",
        "replay",
        "backtest",
    }
)
"""What changes nothing. Every other command is refused where `read_only` is set: a new one must be named here."""
RECORDS = frozenset({"audit", "live", "releases"})
"""What they say is kept by whoever calls them: a disk that does not take all of it is an error."""
VERB: ContextVar[str] = ContextVar("VERB", default="")
"""Which command was called; `tui.cli` says it before the command runs."""
OF_ALL = frozenset({"down", "restart", "watch"})
"""What is of every environment where none is named."""

Config = Annotated[Optional[Path], typer.Option("--config", help="quarterdeck.yaml, or the folder that holds it.")]  # noqa: UP045
Env = Annotated[Optional[str], typer.Option("--env", help="dev, staging or prod.")]  # noqa: UP045
Sets = Annotated[Optional[list[str]], typer.Option("--set", help="A setting, as key.path=value. Can be repeated.")]  # noqa: UP045
OneEndpoint = Annotated[Optional[str], typer.Option("--endpoint", help="Which one, where the file has several.")]  # noqa: UP045
NoEnv = Annotated[Optional[str], typer.Option("--env", hidden=True)]  # noqa: UP045
Why = Annotated[str, typer.Option("--reason", help="Why, in your words; kept with it.")]
InputData = Annotated[Path | None, typer.Option("--input-data", help="A CSV or Parquet file instead of data.source.")]


def out(line: str) -> None:
    """One line for the user, at once."""
    output.say(line, sys.stdout)


def err(line: str) -> None:
    """One line about what went wrong."""
    output.say(line, sys.stderr)


def on_a_terminal(what: str) -> None:
    """A screen needs a terminal at both ends; without one the command ends with a line."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        err(f"error: {what} needs a terminal; 'quarterdeck status' says in lines what runs")
        raise typer.Exit(BadInput.exit_code)


def end(code: int) -> None:
    """Leave with an exit code; where a record is what was asked for, half of it is none."""
    if code == 0 and VERB.get() in RECORDS and (why := output.refused()):
        err(f"error: not all of it could be written: {why}")
        code = Failed.exit_code
    raise typer.Exit(code)


def project_of(
    config: Path | None,
    env: str | None,
    sets: list[str] | None,
    endpoint: str | None = None,
    data: Path | None = None,
) -> Project:
    """The project, its settings read; a mistake in them ends the command with one line."""
    output.CALLED.set(("" if config is None else str(config), endpoint or ""))
    project = Project(config, env, tuple(sets or ()), data)
    try:
        if endpoint is not None:
            project = project.of_endpoint(endpoint)
        _ = project.settings
        _refuse_change(project, env)
        if data is not None and not data.is_file():
            raise BadInput(f"--input-data {data}: no such file")
    except QuarterdeckError as error:
        err(f"{'refused' if isinstance(error, Refused) else 'error'}: {error}")
        raise typer.Exit(error.exit_code) from None
    return project


def _refuse_change(project: Project, env: str | None) -> None:
    """Where an environment is read-only, a command that is not known to change nothing is refused."""
    verb = VERB.get()
    if verb in LOOKING:
        return
    of_all = env is None and verb in OF_ALL
    settings = list(project.by_endpoint().values()) if of_all else [project.settings]
    for one in settings:
        if one.read_only:
            raise Refused(f"{verb}: {one.environment}: {READ_ONLY}")


def whole_project(verb: str, config: Path | None, env: str | None) -> Project:
    """The project, for what is done to all of it; an environment that was named is said to change nothing."""
    if env is not None:
        project_of(config, env, None)
        err(f"{verb}: is of the whole project, every environment of it; --env {env} changes nothing here")
    return project_of(config, None, None)

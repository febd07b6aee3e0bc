"""The command line, and the one place where an engine is put together. Loads a screen or an SDK only when asked."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Optional

import typer

from core.config.planner import load_profile
from core.domain.errors import BadInput, QuarterdeckError
from core.state import commands as c
from core.system.text import size
from tui import (
    alerts_cli,
    azure_cli,
    doctor_cli,
    headless,
    image_cli,
    load_command,
    output,
    past_cli,
    quick_rollback,
    release_cli,
    rollback_command,
    scaling_cli,
    upkeep_command,
)
from tui.before_verb import VerbGroup
from tui.cli_common import (
    VERB,
    Config,
    Env,
    InputData,
    NoEnv,
    OneEndpoint,
    Sets,
    Why,
    end,
    err,
    on_a_terminal,
    out,
    project_of,
    whole_project,
)

app = typer.Typer(
    name="quarterdeck",
    cls=VerbGroup,
    help="Ship machine-learning models from one terminal, and stay in command of them.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def deck(
    context: typer.Context,
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Watch; ask for nothing.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False,
) -> None:
    """The deck: live panes over the project in this folder. Which project, environment and endpoint may be said before
    a command's name, too."""
    VERB.set(context.invoked_subcommand or "quarterdeck")
    output.CALLED.set(("", ""))
    if version:
        from importlib.metadata import version as installed  # noqa: PLC0415

        out(f"quarterdeck {installed('quarterdeck')}")
        end(0)
    if context.invoked_subcommand is not None:
        return
    project = project_of(config, env, sets, endpoint)
    on_a_terminal("the deck")
    from tui.live import show  # noqa: PLC0415

    end(headless.run(show(project, read_only), err))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Made if it is not there.")],
    sample: Annotated[Optional[str], typer.Option(help="flights, iris or support-tickets.")] = None,  # noqa: UP045
    data: Annotated[Optional[Path], typer.Option(help="Your own CSV or Parquet file.")] = None,  # noqa: UP045
    target: Annotated[Optional[str], typer.Option(help="The column of --data to predict.")] = None,  # noqa: UP045
    kubernetes: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="CONTEXT/NAMESPACE", help="Served by a cluster instead of this machine."),
    ] = None,
    azureml: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="SUBSCRIPTION/GROUP/WORKSPACE", help="Served by Azure ML instead of this machine."),
    ] = None,
) -> None:
    """Write a small, commented quarterdeck.yaml into a folder."""
    from core.config.scaffold import init as write  # noqa: PLC0415

    try:
        path = write(folder, sample, data, target, kubernetes, azureml)
    except QuarterdeckError as error:
        err(f"error: {error}")
        raise typer.Exit(error.exit_code) from None
    if data is not None:
        from tui import data_command  # noqa: PLC0415

        headless.run(data_command.write_down(path, out), err)
    there = f"cd {shlex.quote(str(folder))}"
    steps = f"{there} && quarterdeck release"
    if kubernetes is not None:
        steps = f"name image.repository in it, then {there} && quarterdeck doctor"
    if azureml is not None:
        steps = f"{there} && quarterdeck doctor"
    out(f"wrote {path}; next: {steps}")


@app.command()
def data(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    input_data: InputData = None,
) -> None:
    """How the table is read, column by column, before any release."""
    from tui import data_command  # noqa: PLC0415

    project = project_of(config, env, sets, endpoint, input_data)
    end(headless.run(data_command.data(project.settings, out), err))


def _moving(make: Callable[[str, float, str], c.Command]) -> Callable[..., None]:
    def command(
        config: Config = None, env: Env = None, sets: Sets = None, endpoint: OneEndpoint = None, reason: Why = ""
    ) -> None:
        project = project_of(config, env, sets, endpoint)

        def asked(name: str, at: float) -> c.Command:
            return make(name, at, reason)

        end(headless.run(rollback_command.move(project, asked, out, quick_rollback.TAKEN_UP), err))

    return command


def _telling(make: Callable[..., c.Command]) -> Callable[..., None]:
    def command(
        config: Config = None, env: Env = None, sets: Sets = None, endpoint: OneEndpoint = None, reason: Why = ""
    ) -> None:
        project = project_of(config, env, sets, endpoint)
        end(headless.run(rollback_command.tell(project, lambda name: make(name, reason=reason), out), err))

    return command


@app.command()
def rollback(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    reason: Why = "",
    to: Annotated[str, typer.Option("--to", metavar="VERSION", help="A version that served here before.")] = "",
    delete_failed: Annotated[bool, typer.Option("--delete-failed", help="Remove the slot gone back from.")] = False,
) -> None:
    """All traffic back to the version before, now."""
    project = project_of(config, env, sets, endpoint)
    command = c.Rollback("", reason=reason, delete=delete_failed)
    if to:
        end(headless.run(rollback_command.back_to(project, to, command, out), err))

    def asked(name: str, at: float) -> c.Command:
        return replace(command, endpoint=name, asked_at=at)

    end(headless.run(rollback_command.move(project, asked, out, quick_rollback.TAKEN_UP), err))


@app.command()
def retire(
    slot: Annotated[str, typer.Argument(help="blue or green.")],
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    reason: Why = "",
) -> None:
    """Remove a slot that has no traffic, such as one that is kept for ever."""
    end(headless.run(rollback_command.retire(project_of(config, env, sets, endpoint), slot, reason, out), err))


app.command("undo", help="Take the last rollback back, within a minute.")(_moving(c.Undo))
app.command("abort", help="Give the release up; traffic returns.")(_moving(c.Abort))
app.command("pause", help="Stay where it is, or go on.")(_telling(c.Pause))
app.command("next", help="One step on: begin it, end its hold, say yes.")(_telling(c.Next))
app.command("approve", help="Yes to the question that is open.")(_telling(partial(c.Answer, yes=True)))
app.command("reject", help="No to the question that is open: traffic returns.")(_telling(partial(c.Answer, yes=False)))


@app.command()
def load(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    profile: Annotated[str, typer.Option(help="steady, busy, peak, high, steps or custom.")] = "",
    users: Annotated[Optional[int], typer.Option(help="Users, over the profile's.")] = None,  # noqa: UP045
    spawn_rate: Annotated[Optional[float], typer.Option(help="Users a second.")] = None,  # noqa: UP045
    seconds: Annotated[Optional[float], typer.Option(help="How long; 0 until it is stopped.")] = None,  # noqa: UP045
    locustfile: Annotated[str, typer.Option(help="Your own locustfile, unchanged.")] = "",
    web: Annotated[bool, typer.Option("--web", help="Open Locust's own page too.")] = False,
    attach: Annotated[str, typer.Option(help="Follow a Locust that runs already, by the address of its page.")] = "",
    stay: Annotated[bool, typer.Option("--stay", help="It goes on when this terminal is closed.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the load that runs.")] = False,
) -> None:
    """Load on what is served, for as long as this command runs. The deck shows it too, and can change it.

    Exit code 0: within the project's limits; 1: not, or it did not run its time; 2: it can't be run like this.
    """
    project = project_of(config, env, sets, endpoint)
    if stop:
        end(headless.run(load_command.stop(project, out), err))
    overrides: dict[str, float | None] = {"users": users, "spawn_rate": spawn_rate, "duration_s": seconds}
    given: dict[str, float | None] = {key: value for key, value in overrides.items() if value is not None}
    if seconds == 0:
        given["duration_s"] = None
    try:
        wanted = load_profile(project.settings, profile, given)
    except BadInput as error:
        err(f"error: {error}")
        raise typer.Exit(error.exit_code) from None
    source = load_command.source_of(project.settings, locustfile, attach, web)
    end(headless.run(load_command.load(project, wanted, source, out, stay), err))


@app.command()
def status(config: Config = None, env: Env = None, sets: Sets = None, endpoint: OneEndpoint = None) -> None:
    """What runs where, in one screen."""
    from tui.status import lines_of  # noqa: PLC0415

    project = project_of(config, env, sets, endpoint)

    async def work() -> int:
        for line in await lines_of(project):
            out(line)
        return 0

    end(headless.run(work(), err))


@app.command()
def watch(
    config: Config = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay in this terminal, for a service unit.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End it; endpoints go on, and nobody steers.")] = False,
    install: Annotated[bool, typer.Option("--install", help="Bring the endpoints back after a reboot.")] = False,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Take that back.")] = False,
    env: NoEnv = None,
) -> None:
    """The process that steers this project's releases with every terminal closed; started where none runs."""
    from tui import watch_command  # noqa: PLC0415

    project = whole_project("watch", config, env)
    end(headless.run(watch_command.run(project, out, foreground, stop, install, uninstall), err))


@app.command()
def down(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    minimum: Annotated[
        bool,
        typer.Option("--to-minimum", help="Stop nothing: as few replicas as autoscalers may go to, 1 without one."),
    ] = False,
    confirm: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--confirm", help="Name the environment: yes to deleting what this project did not release."),
    ] = None,
) -> None:
    """Drain and stop every endpoint of the project; with --env that environment's alone. Says what costs end."""
    project = project_of(config, env, sets, endpoint)
    if minimum:
        from tui import minimum_command  # noqa: PLC0415

        end(headless.run(minimum_command.to_minimum(project, out), err))
    end(headless.run(upkeep_command.down(project, out, confirm), err))


@app.command()
def restart(config: Config = None, env: Env = None, sets: Sets = None, endpoint: OneEndpoint = None) -> None:
    """After an upgrade, or in a cluster for another key: change what serves, and the watch, under load."""
    project = project_of(config, env, sets, endpoint)
    end(headless.run(upkeep_command.restart(project, out), err))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A .tar.gz that is not there yet.")],
    config: Config = None,
    env: NoEnv = None,
) -> None:
    """The project in one file: settings, journal, registry, models, runs. It may be in use meanwhile; no keys."""
    from core.engine.backup import backup as write  # noqa: PLC0415

    project = whole_project("backup", config, env)

    async def work() -> int:
        made = write(project.settings, file)
        out(f"wrote {made.path}: {made.files} files, {size(made.size)}; 'quarterdeck restore' unpacks it")
        return 0

    end(headless.run(work(), err))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What 'quarterdeck backup' wrote.")],
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one that is made.")],
) -> None:
    """A project out of its backup, here or on another machine; nothing of it runs before its next release."""
    from core.engine.restore import restore as unpack  # noqa: PLC0415
    from core.journal.journal import me  # noqa: PLC0415

    async def work() -> int:
        unpack(file, folder, me())
        out(f"restored to {folder}; next: cd {shlex.quote(str(folder))} && quarterdeck status")
        return 0

    end(headless.run(work(), err))


@app.command()
def report(config: Config = None, env: Env = None, sets: Sets = None, endpoint: OneEndpoint = None) -> None:
    """Write the run folder of the newest release, now."""
    project = project_of(config, env, sets, endpoint)
    end(headless.run(upkeep_command.report(project, out), err))


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the project and its endpoint.")] = False,
    lines: Annotated[bool, typer.Option("--lines", help="Plain lines even on a terminal.")] = False,
) -> None:
    """The whole story on this machine: train, serve, release by canary under load, scale, roll back."""
    from tui.demo import story  # noqa: PLC0415

    end(headless.run(story(out, keep=keep, screen=sys.stdout.isatty() and not lines), err))


app.add_typer(release_cli.app)
app.add_typer(past_cli.app)
app.add_typer(alerts_cli.app)
app.add_typer(scaling_cli.app)
app.add_typer(image_cli.app)
app.add_typer(azure_cli.app)
app.add_typer(doctor_cli.app)

if __name__ == "__main__":
    output.install()
    app()

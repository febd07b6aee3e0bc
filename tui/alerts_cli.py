"""The commands of alerts."""

from typing import Annotated

import typer

from tui import headless
from tui.cli_common import Config, Env, OneEndpoint, Sets, Why, end, err, out, project_of

app = typer.Typer()


@app.command()
def alerts(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    test: Annotated[bool, typer.Option("--test", help="Send a test message to each receiver.")] = False,
) -> None:
    """Every alert rule: how far it is, since when, what it will do and when.

    Exit code 1: --test did not reach everybody.
    """
    from tui import alerts_command  # noqa: PLC0415

    project = project_of(config, env, sets, endpoint)
    end(headless.run(alerts_command.test(project, out) if test else alerts_command.alerts(project, out, json), err))


@app.command()
def silence(
    rule: Annotated[str, typer.Argument(help="As 'quarterdeck alerts' names it.")],
    lasts: Annotated[str, typer.Option("--for", help="90s, 30m, 1h or 2d.")] = "1h",
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    reason: Why = "",
) -> None:
    """An alert rule does and tells nothing for a while; a reason is asked for."""
    from tui import alerts_command  # noqa: PLC0415

    project = project_of(config, env, sets, endpoint)
    end(headless.run(alerts_command.silence(project, rule, lasts, reason, out), err))


@app.command()
def unsilence(
    rule: Annotated[str, typer.Argument(help="As 'quarterdeck alerts' names it.")],
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    reason: Why = "",
) -> None:
    """A silenced alert rule speaks again."""
    from tui import alerts_command  # noqa: PLC0415

    project = project_of(config, env, sets, endpoint)
    end(headless.run(alerts_command.silence(project, rule, "", reason, out), err))

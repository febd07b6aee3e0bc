"""The commands of scaling."""

from typing import Annotated

import typer

from core.state import commands as c
from tui import headless
from tui.cli_common import Config, Env, OneEndpoint, Sets, Why, end, err, out, project_of

app = typer.Typer()


@app.command()
def scale(
    replicas: Annotated[
        int, typer.Argument(help="How many; within the autoscaler's bounds, if any. Azure ML takes 0.")
    ],
    slot: Annotated[str, typer.Option("--slot", help="blue or green; the one that serves without it.")] = "",
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    reason: Why = "",
) -> None:
    """So many replicas, now; where an autoscaler looks after them, it goes on from there.

    Exit code 1: they did not get ready in time; 3: refused.
    """
    from tui import scale_command  # noqa: PLC0415

    project = project_of(config, env, sets, endpoint)
    end(headless.run(scale_command.scale(project, c.ScaleSlot("", replicas, slot, reason), out), err))


@app.command()
def explain(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """How many replicas there are, what the metrics ask for, and why there are not more or fewer."""
    from tui import explain_command  # noqa: PLC0415

    project = project_of(config, env, sets, endpoint)

    async def work() -> int:
        return await explain_command.explained(project, out, json)

    end(headless.run(work(), err))

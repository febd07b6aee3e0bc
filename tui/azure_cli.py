"""The commands of a workspace in Azure."""

from typing import Annotated

import typer

from tui import headless
from tui.cli_common import VERB, Config, Env, OneEndpoint, Sets, end, err, out, project_of

app = typer.Typer()
azure = typer.Typer(help="A workspace of Azure Machine Learning: what a release there needs.")
app.add_typer(azure, name="azure")


@azure.callback()
def chosen(context: typer.Context) -> None:
    """Say which of them was called."""
    VERB.set(f"azure {context.invoked_subcommand}")


@azure.command()
def setup(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    region: Annotated[str, typer.Option(help="Where, if its resource group is not there yet: westeurope.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask nobody.")] = False,
) -> None:
    """Make the workspace and the compute cluster where they are missing; says first what that costs, and asks.

    Exit code 3: nobody agreed.
    """
    from tui import azure_command  # noqa: PLC0415

    project = project_of(config, env, sets, endpoint)
    end(headless.run(azure_command.setup(project, region, yes, out), err))

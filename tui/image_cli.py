"""`quarterdeck image …`: the commands that make the image of a version and bring it to a registry."""

from pathlib import Path
from typing import Annotated

import typer

from tui import headless
from tui.cli_common import VERB, Config, Env, OneEndpoint, Sets, end, err, out, project_of

app = typer.Typer()
image = typer.Typer(help="The container image of a version: the service and the model, for a cluster.")

Number = Annotated[str, typer.Argument(metavar="[VERSION]", help="As the registry numbers it; else what serves.")]
Builder = Annotated[str, typer.Option(help="auto, docker, podman, buildah or quarterdeck, over image.builder.")]


@image.callback()
def chosen(context: typer.Context) -> None:
    """Say which of them was called."""
    VERB.set(f"image {context.invoked_subcommand}")


@image.command()
def build(
    version: Number = "",
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    builder: Builder = "",
    archive: Annotated[Path | None, typer.Option(help="Write it into one file, too, to load elsewhere.")] = None,
) -> None:
    """Make the image of a version, with what is in it beside it. The same model gives the same digest."""
    from tui import image_command  # noqa: PLC0415

    sets = [*(sets or ()), *([f"image.builder={builder}"] if builder else ())]
    end(headless.run(image_command.build(project_of(config, env, sets, endpoint), version, archive, out), err))


@image.command()
def dockerfile(
    version: Number = "",
    folder: Annotated[Path, typer.Option("-o", "--out", help="An empty folder, or one that is made.")] = Path("image"),
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
) -> None:
    """Write a Dockerfile and what it needs into a folder, to build elsewhere."""
    from tui import image_command  # noqa: PLC0415

    end(headless.run(image_command.dockerfile(project_of(config, env, sets, endpoint), version, folder, out), err))


@image.command()
def push(
    version: Number = "",
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    to: Annotated[str, typer.Option(metavar="REGISTRY/NAME", help="Over image.repository.")] = "",
) -> None:
    """Bring the image of a version to a registry, built first where it is not, and prove that it is there."""
    from tui import image_command  # noqa: PLC0415

    end(headless.run(image_command.push(project_of(config, env, sets, endpoint), version, to, out), err))


app.add_typer(image, name="image")

"""The commands that bring a version to an endpoint: release, promote, and the plan of either."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import typer

from core.config.planner import SKIPS, Wishes, checked
from core.domain.errors import BadInput
from core.engine.project import Project
from tui import headless, release_command
from tui.cli_common import Config, Env, InputData, OneEndpoint, Sets, end, err, on_a_terminal, out, project_of

app = typer.Typer()

Skip = Annotated[Optional[list[str]], typer.Option(help=f"Leave out: {', '.join(SKIPS)}.")]  # noqa: UP045
ModelUri = Annotated[str, typer.Option(help="Deploy models:/NAME@ALIAS or runs:/RUN/PATH as it is.")]
AutoApprove = Annotated[bool, typer.Option("--auto-approve", help="Say yes beforehand; not enough in production.")]
Confirm = Annotated[Optional[str], typer.Option("--confirm", help="Name the environment: yes to its traffic.")]  # noqa: UP045
StepByStep = Annotated[bool, typer.Option("--step-by-step", help="Each stage waits for n, or 'next'.")]
OnDeck = Annotated[bool, typer.Option("--deck", help="On the deck instead of in lines.")]
DryRun = Annotated[Optional[str], typer.Option("--dry-run", hidden=True)]  # noqa: UP045
Attached = Annotated[bool, typer.Option("--attached", help="Driven by this process alone, for containers.")]


def wishes_of(
    project: Project,
    skip: Sequence[str] | None,
    model_uri: str = "",
    auto_approve: bool = False,
    step_by_step: bool = False,
    confirm: str | None = None,
    attached: bool = False,
) -> Wishes:
    """What the flags of one release say; a slip in them ends the command with one line."""
    named = project.settings.environment
    if confirm not in (None, named):
        err(f"error: --confirm {confirm}: this release is to {named}")
        end(BadInput.exit_code)
    try:
        ask_s = release_command.waits_s(project.settings, attached)
        said = Wishes(checked(skip or ()), model_uri, auto_approve, step_by_step, ask_s)
        return replace(said, confirmed=confirm is not None)
    except BadInput as error:
        err(f"error: {error}")
        raise typer.Exit(error.exit_code) from None


@app.command()
def release(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    input_data: InputData = None,
    skip: Skip = None,
    model_uri: ModelUri = "",
    auto_approve: AutoApprove = False,
    confirm: Confirm = None,
    step_by_step: StepByStep = False,
    deck: OnDeck = False,
    attached: Attached = False,
    dry_run: DryRun = None,
) -> None:
    """Train, gate, register, deploy, shift traffic and load-test, as plain lines or on the deck.

    Exit code 0: done; 1: a gate or the rollout failed; 2: usage; 3: refused.
    """
    project = project_of(config, env, sets, endpoint, input_data)
    if dry_run is not None:
        plans, tries = project.typed("plan"), project.typed("export kubernetes --dry-run=server")
        err(f"error: --dry-run: {plans} says what a release would do, and {tries} what a cluster would take")
        end(BadInput.exit_code)
    wishes = wishes_of(project, skip, model_uri, auto_approve, step_by_step, confirm, attached)
    if deck:
        on_a_terminal("--deck")
        from tui.live import show  # noqa: PLC0415

        end(headless.run(show(project, wishes=wishes), err))
    end(headless.run(release_command.release(project, wishes, out, attached), err))


@app.command()
def promote(
    version: Annotated[Optional[str], typer.Argument(help="Such as 7; else what serves there now.")] = None,  # noqa: UP045
    to: Annotated[str, typer.Option("--to", help="staging or prod.")] = "",
    config: Config = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    skip: Skip = None,
    auto_approve: AutoApprove = False,
    confirm: Confirm = None,
    step_by_step: StepByStep = False,
    attached: Attached = False,
) -> None:
    """A version that serves in one environment, not trained again, on to the next, by that one's own gates."""
    from tui import promote_command  # noqa: PLC0415

    project = project_of(config, to or None, sets, endpoint)
    if not to:
        err("error: --to: say where to, staging or prod")
        end(BadInput.exit_code)
    wishes = wishes_of(project, skip, "", auto_approve, step_by_step, confirm, attached)
    end(headless.run(promote_command.promote(project, version, wishes, out, attached), err))


@app.command()
def drill(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    confirm: Confirm = None,
    on: Annotated[
        str, typer.Option("--on", help="dev or staging: on a copy there, which goes again; no user sees it.")
    ] = "",
) -> None:
    """Prove the way back before it is needed: go back and forward again under a small load, and say what it took.

    Exit code 0: both proved and no request failed; 1: not; 3: refused.
    """
    from tui import drill_command, drill_copy  # noqa: PLC0415

    project = project_of(config, env, sets, endpoint)
    if on:
        end(headless.run(drill_copy.drill(project, project_of(config, on, sets, endpoint), out), err))
    wishes = wishes_of(project, None, confirm=confirm)
    end(headless.run(drill_command.drill(project, wishes.confirmed, out), err))


@app.command()
def smoke(
    url: Annotated[str, typer.Argument(help="Such as http://127.0.0.1:8080; else what the environment serves.")] = "",
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    requests: Annotated[int, typer.Option(min=1, max=100_000, help="How many.")] = 50,
    folder: Annotated[Path, typer.Option("--out", help="Where smoke_test_results.json goes.")] = Path(),
) -> None:
    """Held-out rows to an endpoint: answers, their form and their times, by the environment's limits.

    Exit code 0: within them; 1: not.
    """
    from tui import smoke_command  # noqa: PLC0415

    end(headless.run(smoke_command.smoke(project_of(config, env, sets, endpoint), url, requests, folder, out), err))


@app.command()
def plan(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    skip: Skip = None,
    model_uri: ModelUri = "",
) -> None:
    """What a release would do, with times, gates and what it would go back to. Changes nothing.

    Exit code 0: it would begin; 1: it would fail as it is now; 2: it can't be planned.
    """
    from tui import plan_command  # noqa: PLC0415

    project = project_of(config, env, sets, endpoint)
    end(headless.run(plan_command.plan(project, wishes_of(project, skip, model_uri), out), err))

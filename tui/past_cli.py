"""The commands that look at what happened: the audit, what served when, and why somebody went back."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from core.domain.errors import BadInput
from core.state import commands as c
from tui import (
    audit_command,
    backtest_command,
    export_command,
    headless,
    pipeline_command,
    releases_command,
    replay_command,
    rollback_command,
)
from tui.cli_common import Config, Env, OneEndpoint, Sets, end, err, on_a_terminal, out, project_of

app = typer.Typer()


@app.command()
def reason(
    text: Annotated[str, typer.Argument(help="In quotes.")],
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
) -> None:
    """Say afterwards why the last rollback or abort was asked for."""
    project = project_of(config, env, sets, endpoint)
    end(headless.run(rollback_command.note(project, lambda name: c.Reason(name, text), out), err))


@app.command()
def truth(
    file: Annotated[Path, typer.Argument(help="A CSV with version, predicted and actual, a line each answer.")],
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
) -> None:
    """Tell what answers should have been, once that is known, and hear which of two versions was right more often."""
    from tui import truth_command  # noqa: PLC0415

    project = project_of(config, env, sets, endpoint)
    end(headless.run(truth_command.truth(project, file, out), err))


PIPELINE = "azureml-pipeline"
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Since = Annotated[str, typer.Option("--since", help="2026-11-20 14:00, today, 2h or 3d.")]


def _now(work: Callable[[], int]) -> None:
    """End with what a piece of work that waits for nothing says."""

    async def run() -> int:
        return work()

    end(headless.run(run(), err))


@app.command()
def audit(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    since: Since = "",
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    whole: Annotated[bool, typer.Option("--all", help="Each step of each release too.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Whether all is there as it was written.")] = False,
) -> None:
    """Who did what, when, why and from where; with --env of that environment alone.

    Exit code 1: --verify found that something was changed or cut out, and says at which place.
    """
    project = project_of(config, env, sets, endpoint)
    if csv and json:
        err("error: audit: --json or --csv, not both")
        end(BadInput.exit_code)
    if verify:
        _now(lambda: audit_command.verify(project, out))
    form = "csv" if csv else "json" if json else "text"
    _now(lambda: audit_command.audit(project, out, since, form, whole))


@app.command()
def live(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    at: Annotated[str, typer.Option("--at", help="2026-11-20 14:00, 14:00, or 2h ago; now without it.")] = "",
    json: Json = False,
) -> None:
    """Which version had which share of the traffic at a moment."""
    project = project_of(config, env, sets, endpoint)
    _now(lambda: audit_command.live(project, out, at, json))


@app.command()
def releases(
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    since: Since = "",
    json: Json = False,
) -> None:
    """All releases, and how releasing goes: how many, how long, how many failed, how fast it was put right."""
    project = project_of(config, env, sets, endpoint)
    _now(lambda: releases_command.listed(project, out, since, json))


@app.command()
def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ID|kubernetes|azureml-pipeline",
            help="A release, as 'quarterdeck releases' names it, or kubernetes, or azureml-pipeline.",
        ),
    ],
    version: Annotated[str, typer.Argument(help="With kubernetes: a version, else the one that serves.")] = "",
    path: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="The file to write; with the others a folder, else kubernetes/NAME or azureml-pipeline/NAME.",
        ),
    ] = None,
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    dry_run: Annotated[
        str,
        typer.Option(
            "--dry-run",
            metavar="server",
            help="With kubernetes: write nothing; the cluster says what an apply would change. "
            "Ends with 0 where that is nothing, 1 where something differs or could not be asked.",
        ),
    ] = "",
) -> None:
    """Write out a release, what a cluster would get, or a pipeline for Azure ML.

    A release goes into one file with what was measured, to look at elsewhere; the objects of a cluster, and the steps
    up to a registered version, into a folder. None of them holds a key. A release holds no settings either.
    """
    if what == PIPELINE and not (version or dry_run):
        _now(partial(_pipeline, config, env, [*(sets or [])], endpoint, path))
    if dry_run and (wrong := _no_dry_run(what, dry_run, path)):
        err(f"error: {wrong}")
        end(BadInput.exit_code)
    project = project_of(config, env, sets, endpoint)
    if dry_run:
        end(headless.run(export_command.against_cluster(project, version, out), err))
    if what == "kubernetes":
        _now(lambda: export_command.kubernetes(project, version, path, out))
    if path is None or version:
        err(f"error: export {what}: {f'takes no {version}' if version else 'name the file to write with -o'}")
        end(BadInput.exit_code)
    else:
        _now(lambda: replay_command.export(project, what, path, out))


def _pipeline(config: Path | None, env: str | None, sets: list[str], endpoint: str | None, path: Path | None) -> int:
    with pipeline_command.any_workspace(config):
        # Whatever trains otherwise: this one is trained there.
        project = project_of(config, env, [*sets, "train.on=azureml"], endpoint)
        return pipeline_command.azureml_pipeline(project, path, out)


def _no_dry_run(what: str, how: str, path: Path | None) -> str:
    """What is wrong with a dry run that was asked for; empty where nothing is."""
    if how != "server":
        return f"--dry-run {how}: only server is known; without it the files are written"
    if what != "kubernetes":
        return f"export {what} --dry-run: only 'export kubernetes' has one"
    return "" if path is None else f"-o {path}: --dry-run writes nothing; leave one of them out"


@app.command()
def replay(
    recording: Annotated[str, typer.Argument(help="A release, or a file that 'quarterdeck export' wrote.")],
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    speed: Annotated[float, typer.Option(help="So many times as fast, from 1 to 60.")] = 1.0,
) -> None:
    """The deck on a release that is over: space plays, arrows skip, [ ] go from event to event, : to a moment."""
    on_a_terminal("replay")

    async def work() -> int:
        found = replay_command.recorded(recording, lambda: project_of(config, env, sets, endpoint))
        return await replay_command.replay(found, speed)

    end(headless.run(work(), err))


@app.command()
def backtest(
    recordings: Annotated[list[str] | None, typer.Argument(help="Releases, or files of 'quarterdeck export'.")] = None,
    config: Config = None,
    env: Env = None,
    sets: Sets = None,
    endpoint: OneEndpoint = None,
    gates: Annotated[Path | None, typer.Option("--gates", help="A YAML file with release.gates in it.")] = None,
    whole: Annotated[bool, typer.Option("--all", help="Every release of this project.")] = False,
    json: Json = False,
) -> None:
    """What other gates would have decided, and when: of one recording, or of many with false stops and misses."""

    async def work() -> int:
        project = partial(project_of, config, env, sets, endpoint)
        wanted = backtest_command.gates_for(project, gates, env, sets or ())
        return backtest_command.run(project, list(recordings or []), wanted, whole, json, out)

    end(headless.run(work(), err))

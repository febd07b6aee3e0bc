"""`quarterdeck export`: a release in a file, or a cluster's objects in a folder; no key in either."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from core.domain.model import Observation
from core.engine.project import Project
from core.state import events as ev
from core.targets.kubernetes.dry_run import DryRun
from tests.environments import V1
from tests.targets.kubernetes_scenes import IMAGE
from tests.tui import past
from tui.cli import app

PLACE = {"context": "far away", "namespace": "flights", "image": IMAGE}


def with_cluster(project: Project, **more: Any) -> Path:
    """Its yaml with a cluster in it, which need not be where it serves; what serves has been seen."""
    with contextlib.closing(project.journal()) as journal:
        seen = Observation("blue", V1, 2, 2, 100.0)
        journal.append([ev.Observed(past.ENDPOINT, seen)], "watch", past.T + 4000)
    said = yaml.safe_load(project.path.read_text())
    said["endpoint"]["key_env"] = "LATE_KEY"
    project.path.write_text(yaml.safe_dump({**said, "kubernetes": PLACE, **more}))
    return project.path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a project with a past that serves on this machine."""
    return with_cluster(past.project(tmp_path))


def run(config: Path, *words: str, **environ: str) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(app, ["export", *words, "--config", str(config)], env=environ)


def test_the_version_that_serves_is_written_out(config: Path) -> None:
    told = run(config, "kubernetes", LATE_KEY="s3cret")
    assert told.exit_code == 0, told.output
    folder = config.parent / "kubernetes" / "late-dev"
    found = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(found) == {
        "deployment-late-dev-blue.yaml",
        "kustomization.yaml",
        "poddisruptionbudget-late-dev-blue.yaml",
        "service-late-dev.yaml",
    }
    body = yaml.safe_load(found["deployment-late-dev-blue.yaml"])
    assert body["metadata"]["annotations"]["quarterdeck.dev/number"] == V1.number
    assert "s3cret" not in told.output + "".join(found.values())
    lines = told.output.splitlines()
    assert lines[0] == f"wrote {folder}: late-dev v1 for far away/flights, 4 files"
    assert (
        "  printf %s \"$LATE_KEY\" | kubectl --context 'far away' -n flights "
        "create secret generic late-dev-key --from-file=key=/dev/stdin"
    ) in lines
    manager = "--server-side --field-manager=quarterdeck"
    assert lines[1] == f"next: kubectl --context 'far away' apply {manager} -k {folder}"


def test_a_version_is_named_and_so_is_the_folder(config: Path, tmp_path: Path) -> None:
    told = run(config, "kubernetes", "v2", "-o", str(tmp_path / "out"))
    assert told.exit_code == 0, told.output
    body = yaml.safe_load((tmp_path / "out" / "deployment-late-dev-blue.yaml").read_text())
    assert body["metadata"]["labels"]["app.kubernetes.io/version"] == "2"


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["kubernetes", "9"], 3, "no release here was of v9; 'quarterdeck releases' lists those there were"),
        (["kubernetes", "../../etc"], 3, "no release here was of v../../etc;"),
        (["kubernetes", "--env", "prod"], 3, "late serves nothing yet; name a version: quarterdeck export kubernetes"),
        (
            ["kubernetes", "--set", "kubernetes.image=null"],
            2,
            "kubernetes.image: is not set, and none of v1 was pushed from here: quarterdeck image build 1",
        ),
        (["kubernetes", "--set", "kubernetes.context=null"], 2, "kubernetes.context: is empty, and should be text"),
        (["kubernetes", "--set", "kubernetes=null"], 2, "kubernetes: is not set; write 'kubernetes: {context"),
        (["kubernetes", "--set", "endpoint.memory=null"], 2, "endpoint.memory: is not set"),
        (["r2"], 2, "export r2: name the file to write with -o"),
        (["r2", "7", "-o", "x"], 2, "export r2: takes no 7"),
    ],
)
def test_what_cannot_be_written_is_one_line(config: Path, words: list[str], code: int, line: str) -> None:
    told = run(config, *words)
    assert told.exit_code == code
    assert line in told.output.replace(f" --config {config}", "")
    assert len(told.output.strip().splitlines()) == 1
    assert not (config.parent / "kubernetes").exists()


def test_several_endpoints_have_a_folder_each(tmp_path: Path) -> None:
    project = past.project(tmp_path)
    config = with_cluster(project)
    said = yaml.safe_load(config.read_text())
    said["endpoint"].pop("name")
    config.write_text(yaml.safe_dump({**said, "endpoints": {"late": {}, "early": {}}}))
    told = run(config, "kubernetes", "-o", str(tmp_path / "out"))
    assert (told.exit_code, "early-dev serves nothing yet" in told.output) == (3, True)
    assert not (tmp_path / "out").exists()
    told = run(config, "kubernetes", "-o", str(tmp_path / "out"), "--set", "endpoint.name=late")
    assert told.exit_code == 0, told.output
    assert (tmp_path / "out" / "kustomization.yaml").is_file()


def test_a_place_is_of_the_environment_that_is_named(tmp_path: Path) -> None:
    other = {**PLACE, "namespace": "staging"}
    config = with_cluster(past.project(tmp_path), environments={"staging": {"kubernetes": other}})
    told = run(config, "kubernetes", "1", "--env", "staging", "-o", str(tmp_path / "out"))
    assert told.exit_code == 0, told.output
    body = yaml.safe_load((tmp_path / "out" / "service-late-staging.yaml").read_text())
    assert body["metadata"]["namespace"] == "staging"


def test_a_dry_run_says_what_differs_in_a_line_each_and_in_its_exit_code(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody answers that is said, and the code is the same as for a difference."""
    found = [DryRun("services/late-dev"), DryRun("deployments/late-dev-blue", changes=("~ spec.replicas: 2 → 3",))]
    monkeypatch.setattr("tui.export_command.compared", lambda *_: found)
    told = run(config, "kubernetes", "--dry-run=server")
    assert (told.exit_code, told.output.splitlines()) == (
        1,
        [
            "late-dev v1 beside what runs in far away/flights",
            "  services/late-dev: same",
            "~ deployments/late-dev-blue: differs",
            "    ~ spec.replicas: 2 → 3",
            "  secrets/late-dev-key: not compared, for LATE_KEY is not set here",
        ],
    )
    assert not (config.parent / "kubernetes").exists()
    monkeypatch.setattr("tui.export_command.compared", lambda *_: found[:1])
    assert run(config, "kubernetes", "--dry-run=server").exit_code == 0
    odd = [DryRun("deployments/a", conflict="kustomize holds spec.replicas"), DryRun("services/a", error="not ours")]
    monkeypatch.setattr("tui.export_command.compared", lambda *_: [*odd, DryRun("routes/a", new=True)])
    lines = run(config, "kubernetes", "--dry-run=server").output.splitlines()
    assert lines[1:5] == [
        "~ deployments/a: differs",
        "    ! kustomize holds spec.replicas: an apply stops at that, and changes nothing of this object",
        "! services/a: not ours",
        "+ routes/a: is new",
    ]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["kubernetes", "--dry-run=client"], "--dry-run client: only server is known"),
        (["r2", "--dry-run=server"], "export r2 --dry-run: only 'export kubernetes' has one"),
        (["kubernetes", "--dry-run=server", "-o", "x"], "-o x: --dry-run writes nothing; leave one of them out"),
    ],
)
def test_a_dry_run_that_cannot_be_is_one_line(config: Path, words: list[str], line: str) -> None:
    told = run(config, *words)
    assert (told.exit_code, line in told.output, len(told.output.splitlines())) == (2, True, 1)

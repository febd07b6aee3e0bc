"""`quarterdeck image build` and `push`: which version is meant, what is said, and what is kept."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.domain.errors import BadInput, QuarterdeckError, Refused
from core.domain.model import Observation
from core.engine.project import Project
from core.images import record
from core.state import events as ev
from tests.environments import V1
from tests.images import small
from tests.images.conftest import quick
from tests.images.registry import Registry, running
from tests.tui import past
from tui import image_command
from tui.cli import app

__all__ = ["quick"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One whose first version serves, and lies where versions lie."""
    made = past.project(tmp_path)
    with contextlib.closing(made.journal()) as journal:
        journal.append([ev.Observed(past.ENDPOINT, Observation("blue", V1, 2, 2, 100.0))], "watch", past.T + 4000)
    made.path.write_text(made.path.read_text() + "image: {builder: quarterdeck}\n")
    small.linear(made.path.parent / ".quarterdeck" / "models" / f"{V1.model}-{V1.number}")
    return made


def test_the_version_that_serves_is_built_and_all_is_said_where_it_is(project: Project, quick: None) -> None:
    said: list[str] = []
    assert asyncio.run(image_command.build(project, "", None, said.append)) == 0
    made = record.known(project.settings, V1.model, V1.number)
    assert made is not None
    layout = project.path.parent / ".quarterdeck" / "images" / "layout"
    assert said[-2].startswith(f"{V1.model} {V1.label}: {made.digest}, ")
    bill = layout.parent / f"{V1.model}-{V1.number}.cdx.json"
    assert said[-1] == f"kept as oci:{layout}:{made.tag}, made by quarterdeck; what is in it: {bill}"
    assert bill.is_file()


async def test_a_push_builds_first_and_keeps_where_a_cluster_can_pull_it(project: Project, quick: None) -> None:
    said: list[str] = []
    async with running(Registry()) as registry:
        assert await image_command.push(project, V1.label, f"{registry.host}/team/late", said.append) == 0
        place = f"{registry.host}/team/late"
        there = record.pinned(project.settings, V1.number)
        made = record.known(project.settings, V1.model, V1.number)
        assert made is not None
        assert there == f"{place}@{made.digest}"
        assert said[-1] == f"{V1.model} {V1.label} is {there}, also {place}:{made.tag}"
        said.clear()
        assert await image_command.push(project, V1.number, place, said.append) == 0
        assert said == [f"{V1.model} {V1.label} is {there}, also {place}:{made.tag}"]


def test_a_slip_is_one_line_before_anything_is_built(project: Project, tmp_path: Path) -> None:
    cases: list[tuple[str, str, type[QuarterdeckError], str]] = [
        ("three", "", BadInput, "version three: a version is named by its number, such as 3"),
        ("", "", BadInput, "no registry is named"),
        ("", "registry.example.com/Late", BadInput, "should be small letters"),
    ]
    for number, to, kind, why in cases:
        with pytest.raises(kind, match=why):
            asyncio.run(image_command.push(project, number, to, lambda _: None))
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "quarterdeck.yaml").write_text(project.path.read_text())
    with pytest.raises(Refused, match="late-dev serves nothing; name the version of late"):
        asyncio.run(image_command.build(Project(tmp_path / "new" / "quarterdeck.yaml"), "", None, lambda _: None))
    assert not (project.path.parent / ".quarterdeck" / "images").exists()


def test_an_archive_and_a_dockerfile_are_written_where_nothing_is_lost(
    project: Project, tmp_path: Path, quick: None
) -> None:
    said: list[str] = []
    archive, folder = tmp_path / "late.tar", tmp_path / "to build"
    assert asyncio.run(image_command.build(project, "1", archive, said.append)) == 0
    assert said[-1] == f"wrote {archive}; docker load, podman load and kind load image-archive take it"
    with pytest.raises(Refused, match=r"late.tar: is there already; name another file, or remove it"):
        asyncio.run(image_command.build(project, "1", archive, said.append))
    for _ in range(2):
        assert asyncio.run(image_command.dockerfile(project, "1", folder, said.append)) == 0
    assert said[-1] == f"wrote {folder}: late v1; next: docker build '{folder}'"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "Dockerfile").write_text("FROM mine\n")
    with pytest.raises(Refused, match="mine: holds other things; name an empty folder"):
        asyncio.run(image_command.dockerfile(project, "1", tmp_path / "mine", said.append))
    with pytest.raises(Refused, match=r"late.tar: is a file; name a folder"):
        asyncio.run(image_command.dockerfile(project, "1", archive, said.append))
    assert (tmp_path / "mine" / "Dockerfile").read_text() == "FROM mine\n"


def test_where_nothing_may_be_changed_a_dockerfile_can_be_had_and_no_image(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.path.write_text(project.path.read_text() + "read_only: true\n")
    monkeypatch.chdir(project.path.parent)
    said = CliRunner().invoke(app, ["image", "dockerfile", "1", "-o", str(tmp_path / "out")])
    assert (said.exit_code, (tmp_path / "out" / "Dockerfile").is_file()) == (0, True), said.output
    for verb in ("build", "push"):
        said = CliRunner().invoke(app, ["image", verb, "1"])
        assert said.exit_code == Refused.exit_code
        assert said.output.startswith(f"refused: image {verb}: dev: read-only by its settings")

"""A project in a file and back: whole, elsewhere, and safe from archives that somebody made to do harm."""

import contextlib
import gzip
import io
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.config.config import load
from core.config.settings import Settings
from core.domain.errors import BadInput
from core.domain.model import Observation
from core.engine.backup import FORMAT, backup
from core.engine.relocate import settle
from core.engine.restore import restore
from core.journal.journal import Journal
from core.state import events as ev
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from tests.environments import V1, V2, canary_plan

YAML = "data:\n  source: rows.csv\n  target: y\nendpoint:\n  name: late\n"
TABLES = """
create table experiments (artifact_location text);
create table runs (artifact_uri text);
create table model_versions (source text, storage_location text);
create table logged_models (artifact_location text);
"""


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    """A project that serves v1 while v2 is on its way."""
    root = tmp_path / "late"
    state = root / ".quarterdeck"
    (state / "models" / "late-1").mkdir(parents=True)
    (state / "mlartifacts").mkdir()
    (state / "variables").mkdir()
    (root / "runs" / "r1").mkdir(parents=True)
    (root / "quarterdeck.yaml").write_text(YAML)
    (root / "rows.csv").write_text("x,y\n" + "1,0\n2,1\n" * 20)
    (state / "models" / "late-1" / "model.json").write_text("{}")
    (state / "mlartifacts" / "weights.bin").write_bytes(bytes(100_000))
    (state / "variables" / "r1.json").write_text('{"MLFLOW_TRACKING_PASSWORD": "s3cret"}')
    (root / "runs" / "r1" / "report.md").write_text("# v1")
    (root / "runs" / "r1" / "elsewhere").symlink_to("/etc/passwd")
    registry(state / "mlflow.db", root)
    with contextlib.closing(Journal(state / "journal.db")) as journal:
        settle(journal, root, "ada")
        journal.append(
            (
                ev.Opened("late", "http://127.0.0.1:8080", "dev"),
                ev.Observed("late", Observation("blue", V1, 2, 2, 100.0)),
                ev.Routed("late", {"blue": 100.0}),
                ev.RetireDue("late", "green", 5e9),
                ev.Began("r2", "late", "dev", canary_plan()),
                ev.Chose("r2", V2),
            ),
            "ada",
            journal.clock.now(),
        )
        journal.take("late", "ada")
    return load(root / "quarterdeck.yaml")


def registry(path: Path, root: Path) -> None:
    at = (root / ".quarterdeck" / "mlartifacts").as_uri()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(TABLES)
        db.execute("insert into experiments values (?)", (at,))
        db.execute("insert into experiments values (?)", (root.as_uri() + "-other/mlartifacts",))
        db.execute("insert into runs values (?)", (f"{at}/1/artifacts",))
        db.execute("insert into model_versions values ('models:/m-1', ?)", (f"{at}/m-1",))
        db.execute("insert into logged_models values (?)", (str(root / "plain"),))
        db.commit()


def addresses(path: Path) -> list[str]:
    query = (
        "select artifact_location from experiments union all select artifact_uri from runs union all "
        "select source from model_versions union all select storage_location from model_versions union all "
        "select artifact_location from logged_models"
    )
    with contextlib.closing(sqlite3.connect(path)) as db:
        return [found for (found,) in db.execute(query)]


def state_of(root: Path) -> Snapshot:
    with contextlib.closing(Journal(root / ".quarterdeck" / "journal.db")) as journal:
        return fold_all(journal.recent(journal.clock.now()))


def nothing_runs(root: Path) -> bool:
    snapshot = state_of(root)
    endpoint = snapshot.endpoint("late")
    return (
        not endpoint.slots and not endpoint.weights and not endpoint.retire and not endpoint.url
    ) and snapshot.live_release("late") is None


def test_a_project_comes_back_whole_in_another_place(project: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="kept: no such folder; make it"):
        backup(project, tmp_path / "kept" / "late.tar.gz")
    (tmp_path / "kept").mkdir()
    made = backup(project, tmp_path / "kept" / "late.tar.gz")
    assert made.path.stat().st_mode & 0o777 == 0o600
    new = tmp_path / "elsewhere"
    back = restore(made.path, new, "ada")
    assert (back.files, back.was) == (made.files, str(tmp_path / "late"))
    assert sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()) == [
        ".quarterdeck/journal.db",
        ".quarterdeck/journal.db.reserve",
        ".quarterdeck/mlartifacts/weights.bin",
        ".quarterdeck/mlflow.db",
        ".quarterdeck/models/late-1/model.json",
        "quarterdeck.yaml",
        "rows.csv",
        "runs/r1/report.md",
    ]
    at = (new / ".quarterdeck" / "mlartifacts").as_uri()
    other = (tmp_path / "late-other/mlartifacts").as_uri()
    assert addresses(new / ".quarterdeck/mlflow.db") == [
        at, other, f"{at}/1/artifacts", "models:/m-1", f"{at}/m-1", str(new / "plain"),
    ]  # fmt: skip
    assert nothing_runs(new)
    assert state_of(new).releases["r2"].why.startswith("restored from a backup of")
    assert state_of(tmp_path / "late").live_release("late") is not None
    assert not [path for path in tmp_path.rglob(".*") if path.name != ".quarterdeck"], "nothing half-made is left"
    with contextlib.closing(Journal(new / ".quarterdeck/journal.db")) as journal:
        assert settle(journal, new, "ada") == ""


def test_a_backup_holds_no_secret_and_nothing_that_runs(project: Settings, tmp_path: Path) -> None:
    out = backup(project, tmp_path / "late.tar.gz").path
    assert b"s3cret" not in gzip.decompress(out.read_bytes())
    with tarfile.open(out) as tar:
        assert json.loads(tar.extractfile("manifest.json").read())["format"] == FORMAT  # type: ignore[union-attr]
        assert not [name for name in tar.getnames() if "variables" in name or "passwd" in name or "elsewhere" in name]


def test_nothing_is_written_over(project: Settings, tmp_path: Path) -> None:
    out = tmp_path / "late.tar.gz"
    backup(project, out)
    before = out.read_bytes()
    with pytest.raises(BadInput, match="is there already; name another file"):
        backup(project, out)
    assert out.read_bytes() == before
    with pytest.raises(BadInput, match="is not empty; name a folder that is"):
        restore(out, tmp_path / "late", "ada")


def test_what_the_registry_names_is_in_the_archive_however_late_it_came(
    project: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version is registered while the databases are copied: its file is written first, then named."""
    artifacts = project.folder / ".quarterdeck" / "mlartifacts"
    connect = sqlite3.connect

    def registered(path: Path) -> sqlite3.Connection:
        if Path(path) == artifacts.with_name("mlflow.db"):
            (artifacts / "late.bin").write_bytes(b"x")
        return connect(path)

    monkeypatch.setattr(sqlite3, "connect", registered)
    made = backup(project, tmp_path / "late.tar.gz")
    with tarfile.open(made.path) as archive:
        assert ".quarterdeck/mlartifacts/late.bin" in archive.getnames()


def test_a_project_that_released_nothing_has_nothing_to_back_up(tmp_path: Path) -> None:
    (tmp_path / "quarterdeck.yaml").write_text(YAML)
    with pytest.raises(BadInput, match="nothing was released here"):
        backup(load(tmp_path / "quarterdeck.yaml"), tmp_path / "out.tar.gz")


Edit = Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]


def named(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE) -> Edit:
    """An archive with one member more."""

    def edit(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, len(content) if kind == tarfile.REGTYPE else 0
        info.linkname = "/etc/passwd"
        members.insert(1, (info, content))

    return edit


def less(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    del members[-1]


def says(**changes: object) -> Edit:
    """An archive whose manifest says something else."""

    def edit(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info, content = members[0]
        changed = json.dumps({**json.loads(content), **changes}).encode()
        info.size = len(changed)
        members[0] = (info, changed)

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (named("../outside"), "'../outside': has no place in a backup"),
        (named("/etc/cron.d/evil"), "has no place in a backup"),
        (named("runs/../../outside"), "has no place in a backup"),
        (named("runs/link", kind=tarfile.SYMTYPE), "has no place in a backup"),
        (named("runs/hard", kind=tarfile.LNKTYPE), "has no place in a backup"),
        (named("runs/device", kind=tarfile.CHRTYPE), "has no place in a backup"),
        (named(".quarterdeck/variables/r1.json"), "has no place in a backup"),
        (named(".quarterdeck/endpoints/late/key"), "has no place in a backup"),
        (named("runs/bomb", bytes(5_000_000)), "holds more than it says"),
        (named("quarterdeck.yaml"), "is in it twice"),
        (less, "is no whole backup: "),
        (says(format=9), "of format 9; install Quarterdeck"),
        (says(bytes=1 << 60), "MB are free"),
        (says(files="many"), "is no backup of Quarterdeck's"),
        (says(root="relative"), "is no backup of Quarterdeck's"),
    ],
)
def test_an_archive_that_somebody_changed_is_refused_in_a_line(
    project: Settings, tmp_path: Path, edit: Edit, said: str
) -> None:
    good, bad = backup(project, tmp_path / "good.tar.gz").path, tmp_path / "bad.tar.gz"
    with tarfile.open(good) as tar:
        members = [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]
    edit(members)
    with tarfile.open(bad, "w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    with pytest.raises(BadInput, match=r"bad\.tar\.gz: ") as caught:
        restore(bad, tmp_path / "new", "ada")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".new*"))
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("content", [b"", b"no archive", gzip.compress(b"no tar")])
def test_what_is_no_archive_is_refused_in_a_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(BadInput, match=r"x\.tar\.gz: is no "):
        restore(tmp_path / "x.tar.gz", tmp_path / "new", "ada")


def test_an_archive_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        restore(tmp_path / "x.tar.gz", tmp_path / "new", "ada")


def test_half_an_archive_is_refused(project: Settings, tmp_path: Path) -> None:
    good = backup(project, tmp_path / "good.tar.gz").path
    (tmp_path / "half.tar.gz").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    with pytest.raises(BadInput, match="is no whole backup"):
        restore(tmp_path / "half.tar.gz", tmp_path / "new", "ada")
    assert not (tmp_path / "new").exists()


# A project that lies elsewhere


def settled(root: Path) -> str:
    with contextlib.closing(Journal(root / ".quarterdeck" / "journal.db")) as journal:
        said = settle(journal, root, "ada")
        assert settle(journal, root, "ada") == "", "it is said once"
    return said


def test_a_project_that_was_moved_goes_on_and_finds_its_artifacts(project: Settings, tmp_path: Path) -> None:
    new = tmp_path / "moved here"
    project.folder.rename(new)
    assert settled(new) == f"this project was moved here from {project.folder}; its artifacts are found here now"
    assert (new / ".quarterdeck" / "mlartifacts").as_uri() in addresses(new / ".quarterdeck/mlflow.db")
    assert state_of(new).live_release("late") is not None


def test_a_project_that_was_copied_is_another_one(project: Settings, tmp_path: Path) -> None:
    new = tmp_path / "copy"
    shutil.copytree(project.folder, new, symlinks=True)
    assert settled(new).startswith(f"this is a copy of {project.folder} and another project from now on")
    assert nothing_runs(new)
    assert settled(project.folder) == ""
    assert state_of(project.folder).live_release("late") is not None
    assert project.folder.as_uri() not in "".join(addresses(new / ".quarterdeck/mlflow.db")[2:])


@pytest.mark.parametrize("copied", [True, False])
def test_a_locked_registry_stands_in_nobodys_way_and_is_tried_again(
    project: Settings, tmp_path: Path, copied: bool
) -> None:
    new = tmp_path / "new"
    shutil.copytree(project.folder, new, symlinks=True) if copied else project.folder.rename(new)
    with (
        contextlib.closing(Journal(new / ".quarterdeck" / "journal.db")) as journal,
        contextlib.closing(sqlite3.connect(new / ".quarterdeck" / "mlflow.db", isolation_level=None)) as other,
    ):
        other.execute("begin immediate")
        assert "database is locked" in settle(journal, new, "ada")
        assert nothing_runs(new) is copied
        other.execute("rollback")
        assert "its artifacts are found here now" in settle(journal, new, "ada")
    assert (new / ".quarterdeck" / "mlartifacts").as_uri() in addresses(new / ".quarterdeck/mlflow.db")


def test_a_project_reached_by_a_link_is_the_same(project: Settings, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project.folder)
    assert settled(tmp_path / "link") == ""

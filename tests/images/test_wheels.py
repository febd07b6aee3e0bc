"""The packages of an image: what their wheels brought, checked, and no more than a service needs."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from core.domain.errors import Failed
from core.images import libraries
from core.images.tree import file
from core.images.wheels import BOOSTER, needed_by, wheel


def test_a_model_brings_the_libraries_of_its_own_forms_alone() -> None:
    assert needed_by(["model.json", "linear.json"]) == ("granian", "click", "orjson")
    assert needed_by(["model.json", "model.tl"]) == ("granian", "click", "orjson", "treelite")
    assert needed_by(["model.json", "model.ubj", "model.tl"]) == ("granian", "click", "orjson", BOOSTER, "treelite")


def test_a_package_is_what_its_wheel_brought() -> None:
    found = wheel("click")
    assert found.pin == f"click=={metadata.version('click')}"
    assert "click/core.py" in found.files
    assert found.licence
    names = {path.rpartition("/")[2] for path in found.files}
    assert "METADATA" in names
    assert not names & {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}
    assert not [path for path in found.files if path.endswith(".pyc") or path.startswith((".", "/"))]


def test_of_a_package_whose_library_alone_is_loaded_nothing_else_is_taken() -> None:
    found = wheel(BOOSTER)
    outside = [path for path in found.files if not path.split("/")[0].endswith((".dist-info", ".libs"))]
    assert all(path.startswith("xgboost/lib/") for path in outside)
    assert [path for path in outside if "libxgboost" in path]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with one in it, `shaky 1.0`, of two files."""
    info = tmp_path / "shaky-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shaky\nVersion: 1.0\n")
    (tmp_path / "shaky.py").write_bytes(b"x = 1\n")
    (info / "RECORD").write_text(
        "shaky.py,sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q,6\nshaky-1.0.dist-info/RECORD,,\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_file_that_is_not_as_its_wheel_brought_it_is_refused_by_name(installed: Path) -> None:
    assert list(wheel("shaky").files) == ["shaky.py"]
    (installed / "shaky.py").write_bytes(b"x = 2\n")
    with pytest.raises(Failed, match=r"shaky.py: is not what shaky's wheel brought; install it again"):
        wheel("shaky")
    (installed / "shaky.py").unlink()
    with pytest.raises(Failed, match=r"shaky.py: No such file or directory; shaky is not whole"):
        wheel("shaky")


def test_a_file_without_a_hash_and_a_package_that_is_not_there_are_refused(installed: Path) -> None:
    (installed / "shaky-1.0.dist-info" / "RECORD").write_text("shaky.py,,\n")
    with pytest.raises(Failed, match="shaky's record has no hash of it"):
        wheel("shaky")
    (installed / "shaky-1.0.dist-info" / "RECORD").unlink()
    with pytest.raises(Failed, match="shaky: its list of files is gone"):
        wheel("shaky")
    with pytest.raises(Failed, match="nowhere-at-all is not installed here"):
        wheel("nowhere-at-all")


def test_the_files_of_a_record_that_lead_out_of_the_folder_stay_out(installed: Path) -> None:
    record = installed / "shaky-1.0.dist-info" / "RECORD"
    record.write_text(f"{record.read_text()}../../../etc/passwd,sha256=x,1\n/etc/passwd,sha256=x,1\n")
    assert list(wheel("shaky").files) == ["shaky.py"]


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's loader")
def test_the_libraries_of_a_program_are_found_with_its_loader() -> None:
    found = libraries.libraries([Path(sys.executable)])
    assert [path for path in found if path.rpartition("/")[2].startswith("libc.")]
    assert [path for path in found if path.rpartition("/")[2].startswith("ld-")]
    assert all(entry.mode == 0o755 for entry in found.values())


def test_a_library_that_is_not_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ldd = tmp_path / "ldd"
    ldd.write_text("#!/bin/sh\nprintf '\\tlibodd.so.1 => not found\\n'\n")
    ldd.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failed, match=r"libodd.so.1 is not on this machine"):
        libraries.libraries([Path(sys.executable)])
    ldd.unlink()
    with pytest.raises(Failed, match="ldd is not on this machine"):
        libraries.libraries([Path(sys.executable)])


def test_what_is_no_program_needs_nothing() -> None:
    assert libraries.libraries([]) == {}
    assert libraries.elves({"a": file(b"text"), "b": file(Path(__file__))}) == []

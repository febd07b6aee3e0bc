"""Files for a cluster: the same bytes each time, read alike by everybody, written over nothing but themselves."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from core.domain.errors import BadInput, Failed
from core.domain.model import Version
from core.system.yaml_text import to_yaml
from core.targets.kubernetes.export import KUSTOMIZATION, MARK, files_of, write
from core.targets.kubernetes.manifests import all_of
from tests.targets.kubernetes_scenes import GATEWAY, IMAGE, SEVEN, endpoint_of

HOSTILE = Version(
    '../../etc/passwd\n---\nkind: Secret "\\',
    "1e3",
    "y",
    "# no: comment\u2028{a: &b *c} %TAG !x",
    "\x1b[31m0x10: null",
)


@pytest.mark.parametrize("place", [{}, {"create_namespace": True}, GATEWAY])
def test_what_is_written_is_read_back_as_it_was(tmp_path: Path, place: dict[str, Any]) -> None:
    objects = all_of(endpoint_of(tmp_path, place), "blue", HOSTILE, IMAGE)
    files = files_of(objects)
    assert [yaml.safe_load(text) for name, text in files.items() if name != KUSTOMIZATION] == objects
    assert yaml.safe_load(files[KUSTOMIZATION])["resources"] == [name for name in files if name != KUSTOMIZATION]
    assert all(text.startswith(MARK) for text in files.values())
    assert files_of(all_of(endpoint_of(tmp_path, place), "blue", HOSTILE, IMAGE)) == files


def test_each_object_has_a_file_that_says_what_it_is(tmp_path: Path) -> None:
    files = files_of(all_of(endpoint_of(tmp_path), "blue", SEVEN, IMAGE))
    assert list(files) == [
        "service-late.yaml",
        "deployment-late-blue.yaml",
        "poddisruptionbudget-late-blue.yaml",
        "kustomization.yaml",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "y",
        "N",
        "on",
        "1e3",
        "0o7",
        "0x10",
        "1_000",
        "12:30:45",
        "~",
        "",
        "null",
        ".inf",
        "=",
        "2026-11-27",
        "- a",
        "*a",
    ],
)
def test_text_that_some_reader_takes_for_something_else_is_quoted(text: str) -> None:
    assert to_yaml({"a": text}) == f'a: "{text}"\n'


@given(
    st.recursive(
        st.text() | st.integers() | st.booleans(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_value_survives(value: Any) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


def test_a_name_that_leads_out_of_the_folder_is_not_written(tmp_path: Path) -> None:
    for name in ("../late", "a/b", "/late", "", "late\n"):
        with pytest.raises(Failed, match="can't be the name of a file"):
            files_of(
                [{"kind": "Service", "metadata": {"name": name}}] if name else [{"kind": "", "metadata": {"name": ""}}]
            )


def test_a_file_that_is_not_ours_is_left_alone_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "b.yaml").write_text("mine: true\n")
    with pytest.raises(BadInput, match=r"b.yaml: is there and was not written by an export; name another folder"):
        write(folder, {"a.yaml": f"{MARK}a\n", "b.yaml": f"{MARK}b\n"})
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"b.yaml": "mine: true\n"}


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_not_written_through(tmp_path: Path, there: bool) -> None:
    outside, folder = tmp_path / "outside.yaml", tmp_path / "out"
    folder.mkdir()
    if there:
        outside.write_text(f"{MARK}a\n")
    (folder / "a.yaml").symlink_to(outside)
    with pytest.raises(BadInput, match=r"a.yaml: is there"):
        write(folder, {"a.yaml": f"{MARK}b\n"})
    assert outside.exists() == there


def test_written_again_it_holds_what_is_a_part_and_what_is_not_ours(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    assert write(folder, {"a.yaml": f"{MARK}a\n", "b.yaml": f"{MARK}b\n"}) == []
    (folder / "own.yaml").write_text("mine: true\n")
    assert write(folder, {"a.yaml": f"{MARK}a2\n"}) == ["b.yaml"]
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "a.yaml": f"{MARK}a2\n",
        "own.yaml": "mine: true\n",
    }


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failed, match=r"file: .*; name another folder"):
        write(tmp_path / "file", {})
    with pytest.raises(Failed, match=r"Not a directory; name another folder"):
        write(tmp_path / "file" / "out", {})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

"""How layers are packed and kept: nothing of this machine is in them, and nobody sees half of one."""

import errno
import gzip
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import Failed
from core.images import layout as layouts
from core.images.layout import MANIFEST, Layout
from core.images.tree import Entry, file
from tests.images import small


def test_a_tree_packs_to_the_same_bytes_whatever_the_files_times_owners_and_order(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("b.py", "a.py")}
    for path in paths.values():
        path.write_text("x = 1\n")
    first = small.packed(tmp_path / "one", {f"app/{name}": file(path) for name, path in paths.items()})
    for at, path in enumerate(paths.values()):
        os.utime(path, (at, 10.0**9 + at))
        path.chmod(0o600)
    again = small.packed(tmp_path / "two", {f"app/{name}": file(path) for name, path in reversed(paths.items())})
    assert again == first
    paths["a.py"].write_text("x = 2\n")
    assert small.packed(tmp_path / "two", {f"app/{name}": file(path) for name, path in paths.items()}) != first


def test_a_layer_is_a_plain_tar_of_root_with_every_folder_before_what_is_in_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with layout.writing():
        layer = layout.pack(small.TREE)
    packed = layout.path(layer.blob.digest).read_bytes()
    # Neither a name nor a time in front of what gzip packs.
    assert packed[3:8] == bytes(5)
    with tarfile.open(layout.path(layer.blob.digest)) as tar:
        found = {each.name: each for each in tar.getmembers()}
    names = list(found)
    assert names == ["app", "app/service.py", "tmp", "usr", "usr/local", "usr/local/bin", *names[6:]]
    assert {(each.uid, each.gid, each.mtime, each.uname) for each in found.values()} == {(0, 0, 0, "")}
    assert found["usr/local/bin/python"].linkname == "python3.11"
    assert {name: found[name].mode for name in ("tmp", "usr/local/bin/python3.11", "app/service.py")} == {
        "tmp": 0o1777,
        "usr/local/bin/python3.11": 0o755,
        "app/service.py": 0o644,
    }
    assert layer.unpacked == sum(each.size for each in found.values())
    assert len(gzip.decompress(packed)) % 512 == 0


def test_compiled_modules_are_the_same_in_every_process_and_are_what_the_interpreter_takes(tmp_path: Path) -> None:
    code = (
        "import sys; from core.images.bytecode import with_bytecode; from core.images.tree import file\n"
        "source = b'''NAMES = {'one', 'two', 'three'}\\ndef has(x): return x in {'one', (1, 'a')}\\n'''\n"
        "tree = with_bytecode({'app/names.py': file(source)}, 'cpython-x')\n"
        "sys.stdout.buffer.write(tree['app/__pycache__/names.cpython-x.pyc'].read())\n"
    )
    said = []
    for seed, more in (("1", ""), ("2", "import ast, json, decimal; x = ('one', 'two', 'three', 'app/names.py')\n")):
        environ = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", more + code], capture_output=True, timeout=60, check=True, env=environ
        )
        said.append(done.stdout)
    assert said[0] == said[1]
    (tmp_path / "names.pyc").write_bytes(said[0])
    told = subprocess.run(
        [sys.executable, "-c", "import names; print(names.has('one'), names.has('four'), names.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert told.stdout.split()[:2] == ["True", "False"]


def test_what_is_no_module_is_not_compiled(tmp_path: Path) -> None:
    from core.images.bytecode import with_bytecode

    tree = with_bytecode(
        {"a/template.py": file(b"{{name}} = ("), "a/data.txt": file(b"x"), "a/l.py": Entry(link="x")}, "t"
    )
    assert sorted(tree) == ["a/data.txt", "a/l.py", "a/template.py"]


def _manifest(layout: Layout, *layers: str) -> dict[str, Any]:
    config = layout.put_json(layouts.CONFIG, {"layers": list(layers)})
    return {"config": config.to_json(), "layers": [{"digest": each} for each in layers]}


def test_a_tag_keeps_what_it_needs_and_no_more(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with layout.writing():
        shared, own, other = (layout.put("x", each).digest for each in (b"shared", b"own", b"other"))
        layout.name("late-v1", layout.put_json(MANIFEST, _manifest(layout, shared, own)))
        assert not layout.path(other).exists()
        other = layout.put("x", b"other").digest
        layout.name("late-v2", layout.put_json(MANIFEST, _manifest(layout, shared, other)))
        assert all(layout.path(each).exists() for each in (shared, own, other))
        layout.name("late-v1", layout.put_json(MANIFEST, _manifest(layout, shared)))
        assert [layout.path(each).exists() for each in (shared, own, other)] == [True, False, True]
    index = json.loads((tmp_path / "index.json").read_text())
    assert [each["annotations"][layouts.NAMED] for each in index["manifests"]] == ["late-v2", "late-v1"]
    assert layout.manifest("late-v3") is None


def test_a_blob_that_was_changed_is_not_read(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with layout.writing():
        blob = layout.put("x", b"as it was")
    assert layout.read(blob.digest) == b"as it was"
    layout.path(blob.digest).write_bytes(b"as it is now")
    with pytest.raises(Failed, match="is not what its name says; build the image again"):
        layout.read(blob.digest)
    layout.path(blob.digest).unlink()
    with pytest.raises(Failed, match="No such file or directory; build the image again"):
        layout.read(blob.digest)


def test_a_full_disk_is_one_line_and_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    layout = Layout(tmp_path)
    monkeypatch.setattr(layouts._Sink, "write", full)
    with pytest.raises(Failed, match="No space left on device; the image was not written"), layout.writing():
        layout.pack(small.TREE)
    assert list((tmp_path / "blobs" / "sha256").iterdir()) == []


def test_two_writers_follow_each_other_and_one_that_does_not_end_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "LOCK_S", 0.0)
    monkeypatch.setattr(layouts, "LOOK_S", 0.001)
    first, second = Layout(tmp_path), Layout(tmp_path)
    with (
        first.writing(),
        pytest.raises(Failed, match="another process has been writing images for 0 s"),
        second.writing(),
    ):
        pass
    with second.writing():
        pass

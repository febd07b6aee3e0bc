"""The image without a builder: it serves out of its own root, and the same model gives the same digest."""

import asyncio
import json
import subprocess
from pathlib import Path

import httpx
import pytest

from core.config.settings import Settings
from core.domain.errors import BadInput, Failed
from core.images import record
from core.images.layout import Layout
from core.images.make import make
from core.images.model_files import model_files, version_in
from tests.images import running, small


class Built:
    """One image, built once for all tests of this file."""

    def __init__(self, folder: Path) -> None:
        self.settings = small.project(folder)
        self.model = small.linear(folder / "model")
        self.said: list[str] = []
        self.record = asyncio.run(make(self.settings, small.V3, self.model, self.said.append))
        self.layout = Layout(record.folder_of(self.settings) / "layout")
        self.root = folder / "root"
        self.config = running.unpacked(self.layout, self.record.tag, self.root)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("image")
    return Built(folder)


@pytest.mark.slow
def test_the_image_serves_out_of_its_own_root(built: Built) -> None:
    with running.serving(built.root, built.config) as url:
        assert httpx.get(f"{url}/health").json()["model"] == {"name": "late", "version": "3", "run_id": "run-3"}
        said = httpx.post(f"{url}/predict", json={"left": 1, "right": 2}).json()
    assert (said["predictions"], said["model"], said["version"]) == (["right"], "Linear", "3")


@pytest.mark.slow
def test_nothing_in_it_needs_to_be_written_and_all_of_it_is_compiled(built: Built) -> None:
    code = (
        "import scoring.service, sys; print(sys.prefix, [n for n, m in sys.modules.items() if hasattr(m, '__cached__')"
    )
    code += " and m.__cached__ and not __import__('os').path.exists(m.__cached__)])"
    before = sorted(built.root.rglob("*"))
    told = subprocess.run(
        running.command(built.root, built.config, "python", "-c", code),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.strip().endswith("/usr/local []")
    assert sorted(built.root.rglob("*")) == before


@pytest.mark.slow
def test_it_is_small_and_owned_by_nobody(built: Built) -> None:
    assert built.record.unpacked < 150e6
    assert built.config["User"] == "65532:65532"
    modes = {path.stat().st_mode & 0o777 for path in built.root.rglob("*") if path.is_file()}
    assert modes <= {0o644, 0o755}
    assert not [path for path in built.root.rglob("*") if path.name in ("RECORD", "rows.jsonl", "direct_url.json")]
    assert not [path for path in built.root.rglob("*.so") if "xgboost" in str(path)]


@pytest.mark.slow
def test_what_is_in_it_is_written_beside_it(built: Built) -> None:
    bill = json.loads(record.bill_of(built.settings, built.record).read_text())
    names = {one["name"] for one in bill["components"]}
    assert {"python", "granian", "click", "orjson", "libc.so.6"} <= names
    assert not {"xgboost-cpu", "treelite"} & names
    assert bill["metadata"]["component"]["bom-ref"] == built.record.digest
    refs = [one["bom-ref"] for one in bill["components"]]
    assert len(set(refs)) == len(refs)
    assert bill["dependencies"][0]["dependsOn"] == refs


def test_the_same_model_gives_the_same_digest_and_another_changes_one_layer(tmp_path: Path, quick: None) -> None:
    made = []
    for name, weight in (("one", "-1.0"), ("same", "-1.0"), ("other", "-2.0")):
        settings = small.project(small.made(tmp_path / name))
        model = small.linear(tmp_path / name / "model")
        (model / "linear.json").write_text((model / "linear.json").read_text().replace("-1.0", weight))
        done = again(settings, model)
        made.append((done.digest, _layers(Layout(record.folder_of(settings) / "layout"), done.tag)))
    (one, layers), same, (other, theirs) = made
    assert same == (one, layers)
    assert other != one
    assert [mine == their for mine, their in zip(layers, theirs, strict=True)] == [True, True, True, False]


def again(settings: Settings, model: Path) -> record.ImageRecord:
    return asyncio.run(make(settings, small.V3, model, lambda _: None))


def test_an_image_built_again_forgets_the_blobs_of_the_one_before(tmp_path: Path, quick: None) -> None:
    settings = small.project(tmp_path)
    model = small.linear(tmp_path / "model")
    again(settings, model)
    layout = Layout(record.folder_of(settings) / "layout")
    before = set((layout.folder / "blobs" / "sha256").iterdir())
    record.keep(settings, again(settings, model).with_place("registry.example.com/late@x"))
    assert set((layout.folder / "blobs" / "sha256").iterdir()) == before
    # Built again as it was, it is still in the registry; built otherwise it is not.
    assert again(settings, model).pushed == ("registry.example.com/late@x",)
    (model / "linear.json").write_text((model / "linear.json").read_text().replace("-1.0", "-2.0"))
    assert again(settings, model).pushed == ()
    after = set((layout.folder / "blobs" / "sha256").iterdir())
    # Its model, its config and its manifest are others.
    assert (len(after), len(after & before)) == (len(before), len(before) - 3)


def _layers(layout: Layout, tag: str) -> list[str]:
    named = layout.manifest(tag)
    assert named is not None
    return [each["digest"] for each in json.loads(layout.read(named.digest))["layers"]]


@pytest.mark.slow
def test_what_is_known_of_it_is_kept_until_a_cluster_can_pull_it(built: Built) -> None:
    settings = built.settings
    assert record.known(settings, "late", "3") == built.record
    with pytest.raises(BadInput, match="v4 has no image yet: quarterdeck image build 4, then image push 4"):
        record.pinned(settings, "v4")
    with pytest.raises(BadInput, match="the image of v3 is on this machine alone: quarterdeck image push 3"):
        record.pinned(settings, "3")
    place = f"registry.example.com/late@{built.record.digest}"
    record.keep(settings, built.record.with_place("elsewhere/x@sha256:1").with_place(place).with_place(place))
    assert record.pinned(settings, "3") == place
    record.keep(settings, built.record)


def test_a_model_that_its_own_packages_run_is_refused_in_a_line(tmp_path: Path) -> None:
    folder = small.linear(tmp_path / "late-3")
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**about, "task": "pyfunc", "python": "/opt/env/bin/python"}))
    with pytest.raises(Failed, match=r"^late-3: is run by its own packages.*; images take XGBoost, forests and linear"):
        model_files(folder)


def test_a_model_folder_that_is_not_whole_is_refused_in_a_line(tmp_path: Path) -> None:
    folder = small.linear(tmp_path / "late-3")
    (folder / "linear.json").unlink()
    with pytest.raises(Failed, match=r"linear.json: is gone; remove .* and it is taken from the registry anew"):
        model_files(folder)
    with pytest.raises(Failed, match=r"model.json: No such file"):
        model_files(tmp_path)


def test_a_version_is_called_as_its_folder_says_and_its_registry_is_not_told(tmp_path: Path) -> None:
    assert version_in(tmp_path, "late", "3").uri == ""
    about = {
        "model": "late",
        "number": "3",
        "run_id": "run-3",
        "uri": "models:/late/3",
        "registry": "sqlite:////home/me",
    }
    (tmp_path / "version.json").write_text(json.dumps(about))
    assert version_in(tmp_path, "late", "3") == small.V3

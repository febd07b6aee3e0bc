"""Builders that follow the Dockerfile: which is taken, what it is told, and what it saved brought into our layout."""

import asyncio
import json
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import BadInput, Failed, Refused
from core.domain.model import Version
from core.images import adopt, archive, commands, dockerfile, record
from core.images.layout import Layout
from core.images.make import layout_of, make
from tests.images import small
from tests.images.builders import Builders

BASE = f"registry.example.com/python@sha256:{'0' * 64}"


@pytest.fixture
def builders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Builders:
    return Builders(tmp_path / "bin", monkeypatch)


def made(folder: Path, said: list[str] | None = None, **image: Any) -> record.ImageRecord:
    settings = small.project(folder, **image)
    said = [] if said is None else said
    return asyncio.run(make(settings, small.V3, small.linear(folder / "model"), said.append))


@pytest.mark.parametrize("name", ["docker", "podman", "buildah"])
def test_a_builder_follows_the_dockerfile_and_its_image_is_ours_then(
    tmp_path: Path, builders: Builders, name: str
) -> None:
    builders.put(name, has=1)
    said: list[str] = []
    done = made(tmp_path, said, builder=name, base=BASE)
    assert (done.builder, done.digest) == (name, builders.digest)
    assert done.unpacked == sum(len(entry.read()) for entry in small.TREE.values())
    assert said == [f"{name} pulls {BASE}", "STEP 1", "last words"]
    _, _, pull, build, _, remove = builders.calls
    assert pull == f"{name} pull {BASE}"
    assert build.startswith(f"{name} build ")
    assert f"--build-arg BASE={BASE} --build-arg PIP_INDEX_URL -t localhost/quarterdeck/late-v3:build" in build
    assert remove.endswith("localhost/quarterdeck/late-v3:build")
    assert (name == "docker") or "--timestamp 0" in build
    settings = small.project(tmp_path)
    found = layout_of(settings).manifest("late-v3")
    assert found is not None
    assert found.digest == builders.digest
    bill = json.loads(record.bill_of(settings, done).read_text())
    assert [one["name"] for one in bill["components"]] == [BASE, "granian", "click", "orjson"]
    assert sorted(path.name for path in (builders.folder / "context").iterdir()) == [
        "Dockerfile", "model", "requirements.txt", "scoring",
    ]  # fmt: skip
    assert not list(record.folder_of(settings).glob("quarterdeck-*"))


def test_auto_takes_the_first_that_answers_and_goes_on_without_one(
    tmp_path: Path, builders: Builders, quick: None
) -> None:
    builders.put("podman")
    builders.put("buildah")
    assert made(tmp_path, builder="auto", base=BASE).builder == "podman"
    builders.put("podman", works=1)
    assert made(tmp_path, builder="auto", base=BASE).builder == "buildah"
    if sys.platform == "linux":
        builders.put("buildah", works=1)
        assert made(tmp_path, builder="auto", base=BASE).builder == "quarterdeck"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a builder is needed")
def test_without_its_usual_base_it_is_packed_here_and_with_one_that_was_named_it_fails(
    tmp_path: Path, builders: Builders, quick: None
) -> None:
    builders.put("buildah", has=1, pulls=1)
    said: list[str] = []
    assert made(tmp_path, said, builder="auto").builder == "quarterdeck"
    usual = dockerfile.usual_base()
    why = "buildah pull: exit code 1: pulling / no such host; packed without it, from this machine's interpreter"
    assert said[:2] == [f"buildah pulls {usual}", why]
    why = "buildah pull: exit code 1: pulling / no such host"
    with pytest.raises(Failed, match=why):
        made(tmp_path, builder="auto", base=BASE)
    with pytest.raises(Failed, match=f"{why}; set image.base to an image that can be had here, or image.builder"):
        made(tmp_path, builder="buildah")


def test_an_image_for_another_machine_is_asked_of_a_builder_and_of_nobody_else(
    tmp_path: Path, builders: Builders, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    other: dict[str, Any] = {"platform": "linux/arm64", "base": BASE}
    with pytest.raises(BadInput, match="none of docker, podman and buildah works here, and "):
        made(tmp_path, builder="auto", **other)
    with pytest.raises(BadInput, match=r"image.builder: .*: name docker, podman or buildah"):
        made(tmp_path, builder="quarterdeck", **other)
    builders.put("docker")
    said: list[str] = []
    assert made(tmp_path, said, builder="auto", **other).builder == "docker"
    assert said[0] == f"docker pulls {BASE} for linux/arm64"
    pull, build = [call for call in builders.calls if call.startswith(("docker pull", "docker build"))]
    assert pull == f"docker pull --platform linux/arm64 {BASE}"
    assert "--platform linux/arm64" in build


def test_a_base_that_may_mean_another_tomorrow_is_said(tmp_path: Path, builders: Builders) -> None:
    builders.put("buildah")
    said: list[str] = []
    tag = "python:3.11-slim"
    made(tmp_path, said, builder="buildah", base=tag)
    assert said[0] == f"{tag} is a tag, which may mean another image tomorrow; image.base: NAME@sha256:… pins it"


def test_a_build_that_fails_ends_with_its_last_words_and_leaves_what_was(tmp_path: Path, builders: Builders) -> None:
    builders.put("docker", builds=7)
    with pytest.raises(Failed, match=r"^docker build: exit code 7: STEP 1 / last words$"):
        made(tmp_path, builder="docker", base=BASE)
    (builders.folder / "podman").unlink()
    (builders.folder / "docker").unlink()
    settings = small.project(tmp_path)
    assert record.known(settings, "late", "3") is None


def test_a_builder_that_does_not_work_here_is_named(tmp_path: Path, builders: Builders) -> None:
    with pytest.raises(
        Failed, match=r"^docker version: exit code 1; see that docker works here, or set image.builder to"
    ):
        made(tmp_path, builder="docker", base=BASE)


def test_a_builder_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failed, match="podman is not on the PATH; see that podman works here"):
        made(tmp_path, builder="podman", base=BASE)


async def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    (tmp_path / "slow").write_text("#!/bin/sh\necho begun\nsleep 600 &\nwait\n")
    (tmp_path / "slow").chmod(0o755)
    with pytest.raises(Failed, match=r"slow build: not done within 0.5 s(: begun)?$"):
        await commands.run((str(tmp_path / "slow"), "build"), 0.5)


async def test_what_a_program_says_is_made_safe() -> None:
    said: list[str] = []
    await commands.run(("sh", "-c", r"printf 'a\033[31mred\033[0m\n\n\377\n'"), 10, said.append)
    assert said == ["ared", "\ufffd"]


def test_the_dockerfile_is_readable_pinned_and_for_nobody_in_particular(tmp_path: Path) -> None:
    packages = dockerfile.write(small.V3, tmp_path / "out", small.linear(tmp_path / "model"), BASE, "late-v3")
    text = (tmp_path / "out" / "Dockerfile").read_text()
    lines = text.splitlines()
    assert lines[0] == "# Written by quarterdeck: the service and late v3. Build it where it lies:"
    assert f"ARG BASE={BASE}" in lines
    assert lines.count("FROM ${BASE}") == lines.count("FROM ${BASE} AS packages") == 1
    assert "USER 65532:65532" in lines
    assert 'ENTRYPOINT ["python", "-m", "scoring"]' in lines
    assert json.loads(lines[-1].removeprefix("CMD "))[:5] == ["/model", "--host", "0.0.0.0", "--port", "8080"]  # noqa: S104
    assert (tmp_path / "out" / "requirements.txt").read_text().split() == [one.pin for one in packages]
    assert all("==" in one for one in dockerfile.pins(packages))
    assert not list((tmp_path / "out").rglob("*.pyc"))
    assert sorted(path.name for path in (tmp_path / "out" / "model").iterdir()) == ["linear.json", "model.json"]


@pytest.mark.parametrize("model", ['a "b"', "$HOME", "a\\b", "--x", "späte\u202eFlüge", "${BASE}"])
def test_no_name_of_a_model_breaks_out_of_its_line(model: str) -> None:
    version = Version(model, "3", "run", "models:/x/3")
    text = dockerfile.text(version, BASE, "x-v3")
    usual = dockerfile.text(small.V3, BASE, "x-v3")
    begin = [line.split(" ")[0] for line in usual.splitlines()]
    assert [line.split(" ")[0] for line in text.splitlines()] == begin
    assert f"--model={model}" in json.loads(text.splitlines()[-1].removeprefix("CMD "))
    (label,) = [line for line in text.splitlines() if line.strip().startswith("org.opencontainers.image.title=")]
    assert "$" not in label.replace("\\$", "")
    assert "\u202e" not in text.partition("\n")[0]


def test_a_file_for_others_is_the_image_and_the_same_each_time(tmp_path: Path, builders: Builders) -> None:
    layout = Layout(builders.folder / "layout")
    image = record.ImageRecord("late", "3", builders.digest, "late-v3", "x", 1, 1)
    archive.save(layout, image, tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == (builders.folder / "image.tar").read_bytes()
    with tarfile.open(tmp_path / "again.tar") as tar:
        (loaded,) = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
        names = set(tar.getnames())
    assert loaded["RepoTags"] == ["late:late-v3"]
    assert {loaded["Config"], *loaded["Layers"], "index.json", "oci-layout"} <= names
    with pytest.raises(Refused, match="is there already"):
        archive.save(layout, image, tmp_path / "again.tar")
    with pytest.raises(Failed, match="No such file or directory; the archive was not written"):
        archive.save(layout, image, tmp_path / "nowhere" / "x.tar")


def test_an_archive_that_is_not_what_it_says_is_not_taken(tmp_path: Path, builders: Builders) -> None:
    layout = Layout(tmp_path / "layout")
    with tarfile.open(builders.folder / "image.tar") as tar:
        parts = {each.name: tar.extractfile(each).read() for each in tar.getmembers()}  # type: ignore[union-attr]
    config = next(name for name, content in parts.items() if b"rootfs" in content)
    broken: list[tuple[dict[str, bytes], str]] = [
        ({name: content for name, content in parts.items() if name != "index.json"}, "no OCI image"),
        ({name: content for name, content in parts.items() if name != config}, "without its part"),
        ({**parts, config: b"{}"}, "whose part sha256:.* is another"),
        ({**parts, "index.json": b'{"manifests": []}'}, "saved 0 images where one was expected"),
    ]
    for content, why in broken:
        with tarfile.open(tmp_path / "x.tar", "w") as tar:
            for name, each in content.items():
                about = tarfile.TarInfo(name)
                about.size = len(each)
                tar.addfile(about, BytesIO(each))
        with pytest.raises(Failed, match=why):
            adopt.adopted(layout, tmp_path / "x.tar", "late-v3")
        assert layout.manifest("late-v3") is None
    assert adopt.adopted(layout, builders.folder / "image.tar", "late-v3")[0].digest == builders.digest

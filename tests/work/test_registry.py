"""Where MLflow is somewhere else, or not at all."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.errors import BadInput, Failed
from core.work.child import QUIET, Job, WorkChild
from tests.work.conftest import Project, release, settings, work

START_S = 90.0


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real `mlflow server` with one worker."""
    port = free_port()
    place = tmp_path / "server"
    place.mkdir()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", f"sqlite:///{place}/db", "--artifacts-destination", str(place / "artifacts")]
    with (place / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, *store], stdout=log, stderr=log, env=QUIET | os.environ, start_new_session=True
        )
    try:
        until = time.monotonic() + START_S
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/health").is_success:
                    break
            time.sleep(0.1)
        else:
            pytest.fail((place / "log").read_text())
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


async def test_an_mlflow_server_is_as_good_as_a_file(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    project = await release(settings(tmp_path / "project"))
    assert project.worked["check"].result["uri"] == "models:/iris/1"
    assert project.worked["register"].result["registry"] == server
    assert not (tmp_path / "project" / ".quarterdeck" / "mlflow.db").exists()
    artifacts = list((tmp_path / "server" / "artifacts").rglob("model.ubj"))
    assert len(artifacts) == 1
    child = WorkChild()
    try:
        fetched = await work(child, project.job("fetch", tmp_path / "other", uri="models:/iris@candidate"))
        assert fetched.result["version"]["number"] == "1"
    finally:
        await child.close()


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("http://user:secret@127.0.0.1:{port}", r"MLflow at http://127.0.0.1:\d+ does not answer"),
        ("file:{folder}", "MLflow at file:"),
    ],
)
async def test_a_registry_that_is_not_there_is_one_line_within_seconds(
    iris: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uri: str, says: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(port=free_port(), folder=tmp_path))
    child = WorkChild()
    try:
        await work(child, Job("data", tmp_path / "r", iris.settings, "r"))
        with pytest.raises(Failed, match=says) as failed:
            await work(child, iris.job("fetch", tmp_path / "r", uri="models:/iris@candidate"))
    finally:
        await child.close()
    assert "secret" not in str(failed.value) + (tmp_path / "r" / "work.log").read_text()
    assert "\n" not in str(failed.value)


async def test_aliases_that_mlflow_keeps_to_itself_are_refused(iris: Project, tmp_path: Path) -> None:
    child = WorkChild()
    try:
        options = {"number": "1", "alias": "v3", "previous_alias": "previous"}
        with pytest.raises(BadInput, match="alias 'v3': the registry keeps names like v3"):
            await work(child, iris.job("promote", tmp_path / "a", **options))
        with pytest.raises(BadInput, match="promote: needs the options number"):
            await work(child, iris.job("promote", tmp_path / "b", alias="x", previous_alias="y"))
        with pytest.raises(Failed, match=r"gate: .* holds no result of the step evaluate; run evaluate first"):
            await work(child, iris.job("gate", tmp_path / "b"))
        with pytest.raises(Failed, match=r"check: .* holds no version; run register or fetch first"):
            await work(child, iris.job("check", tmp_path / "b"))
    finally:
        await child.close()


async def test_a_registered_model_that_is_not_ours_or_broken_is_one_line(iris: Project, tmp_path: Path) -> None:
    broken = await release(settings(tmp_path), ("data", "preprocess", "train", "register"))
    artifacts = tmp_path / ".quarterdeck" / "mlartifacts"
    (candidate,) = artifacts.rglob("model.ubj")
    child = WorkChild()
    try:
        candidate.write_bytes(b"not a model")
        with pytest.raises(Failed, match="models:/iris/1: will not load: "):
            await work(child, broken.job("fetch", uri="models:/iris/1"))
        (candidate.parent / "model.json").unlink()
        with pytest.raises(Failed, match="models:/iris/1: not a model of Quarterdeck's"):
            await work(child, broken.job("fetch", uri="models:/iris/1"))
        for file in candidate.parents[2].rglob("*"):
            if file.is_file():
                file.unlink()
        with pytest.raises(Failed, match="models:/iris/1: "):
            await work(child, broken.job("fetch", uri="models:/iris/1"))
    finally:
        await child.close()

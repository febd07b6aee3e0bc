"""Where MLflow is somewhere else, or not at all."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.domain.errors import BadInput, Failed, QuarterdeckError
from core.work.child import QUIET, Job, WorkChild
from tests.ports import free_port
from tests.work.conftest import Project, release, settings, work

START_S = 90.0
in_one_loop = pytest.mark.asyncio(loop_scope="session")


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
            [*command, *store],
            stdout=log,
            stderr=log,
            env=QUIET | os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,
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


@in_one_loop
async def test_an_mlflow_server_is_as_good_as_a_file(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    child = WorkChild()
    try:
        project = await release(child, settings(tmp_path / "project"))
        fetched = await work(child, project.job("fetch", tmp_path / "other", uri="models:/iris@candidate"))
    finally:
        await child.close()
    assert project.worked["check"].result["uri"] == "models:/iris/1"
    assert project.worked["register"].result["registry"] == server
    assert not (tmp_path / "project" / ".quarterdeck" / "mlflow.db").exists()
    assert len(list((tmp_path / "server" / "artifacts").rglob("model.ubj"))) == 1
    assert fetched.result["version"]["number"] == "1"


@in_one_loop
@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("http://127.0.0.1:{port}", r"MLflow at http://127.0.0.1:\d+ does not answer \(Connection refused\): start it"),
        ("file:{folder}", "MLflow no longer keeps models in plain folders such as file:"),
    ],
)
async def test_a_registry_that_is_not_there_is_one_line_within_seconds(
    child: WorkChild, tmp_path: Path, uri: str, says: str
) -> None:
    elsewhere = settings(tmp_path, registry={"tracking_uri": uri.format(port=free_port(), folder=tmp_path)})
    async with asyncio.timeout(60):
        with pytest.raises(QuarterdeckError, match=says) as failed:
            await work(child, Job("fetch", tmp_path / "r", elsewhere, "r", {"uri": "models:/iris@candidate"}))
    assert "\n" not in str(failed.value)


@in_one_loop
@pytest.mark.parametrize(
    ("step", "options", "kind", "says"),
    [
        (
            "alias",
            {"number": "1", "alias": "v3", "previous_alias": "previous"},
            BadInput,
            "alias 'v3': the registry keeps names like v3",
        ),
        ("alias", {"alias": "x", "previous_alias": "y"}, BadInput, "alias: needs the options number"),
        ("gate", {}, Failed, r"gate: .* holds no result of the step evaluate; run evaluate first"),
        ("check", {}, Failed, r"check: .* holds no version; run register or fetch first"),
    ],
)
async def test_what_a_step_lacks_is_one_line(
    child: WorkChild,
    iris: Project,
    tmp_path: Path,
    step: str,
    options: dict[str, str],
    kind: type[Exception],
    says: str,
) -> None:
    with pytest.raises(kind, match=says):
        await work(child, iris.job(step, tmp_path, **options))


@in_one_loop
async def test_a_registered_model_that_is_not_ours_or_broken_is_one_line(child: WorkChild, tmp_path: Path) -> None:
    broken = await release(child, settings(tmp_path), ("data", "preprocess", "train", "register"))
    (candidate,) = (tmp_path / ".quarterdeck" / "mlartifacts").rglob("model.ubj")

    async def says(what: str) -> None:
        with pytest.raises(Failed, match=f"^models:/iris/1: {what}"):
            await work(child, broken.job("fetch", uri="models:/iris/1"))

    candidate.write_bytes(b"not a model")
    await says("will not load: ")
    (candidate.parent / "model.json").unlink()
    await says("its model folder holds no model.json")
    for file in candidate.parents[2].rglob("*"):
        if file.is_file():
            file.unlink()
    await says("")


@in_one_loop
async def test_a_check_that_fails_says_what_first(child: WorkChild, tmp_path: Path) -> None:
    strict = settings(tmp_path, thresholds={"max_regression_percent": 10.0, "max_latency_ms": 0.000001})
    made = await release(child, strict, ("data", "preprocess", "train", "register"))
    with pytest.raises(Failed, match=r"^check: latency: p95 \d.* ms a row, limit 0.000001 ms$"):
        await work(child, made.job("check"))
    other = Path(made.worked["register"].result["folder"])
    manifest = json.loads((other / "model.json").read_text())
    (other / "model.json").write_text(json.dumps(manifest | {"labels": ["a", "b", "c"]}))
    with pytest.raises(Failed, match=r"^check: one row: MLflow and the .* differently; failed too: "):
        await work(child, made.job("check"))


def test_a_password_is_never_shown() -> None:
    shown = "HTTPConnection('http://user:secret@host:5000/x') and https://token@host"
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, value in QUIET.items():
            patch.setenv(name, value)
        from core.work.registry import without_password
    assert without_password(shown) == "HTTPConnection('http://host:5000/x') and https://host"

"""A job is asked for as the official client asks for the same thing written as YAML."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from core.training.job_body import command, command_job
from core.training.package import ENTRY, NEEDED, package_files, training_conda
from tests.story.shop import HOME

YAML = Path(__file__).with_name("job.yml")
IDS = {"code": "code", "compute": "cpu-cluster", "environment": "quarterdeck-training:1"}
"""Names as the YAML has them; the client makes ids of them with the same rule as we do."""


def asked_of_sdk(*arguments: str) -> object:
    """What the client makes of a file."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.training.sdk_jobs", *arguments],
        cwd=HOME,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


def test_a_job_is_field_by_field_what_the_client_sends_for_its_yaml(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text("")
    shutil.copyfile(YAML, tmp_path / "job.yml")
    ours = command_job(
        "late-1",
        words=command(ENTRY, ("preprocess", "train")),
        label="late r1",
        experiment="late",
        ids=IDS,
        rows="LocalUpload/x/rows",
        deadline_s=1800.0,
        tags={"quarterdeck-release": "r1"},
    )
    assert ours["properties"] == asked_of_sdk(str(tmp_path / "job.yml"))


def test_the_packages_of_a_job_are_pinned_and_none_of_a_face_or_a_server() -> None:
    lines = training_conda().splitlines()
    pins = [line.strip().removeprefix("- ") for line in lines if "==" in line]
    assert [pin.partition("==")[0] for pin in pins] == list(NEEDED)
    assert not {"textual", "locust", "granian", "httpx"} & set(NEEDED)


def test_the_code_of_a_job_imports_what_it_runs_without_our_faces(tmp_path: Path) -> None:
    for name, content in package_files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    code = "import core.work.remote, core.work.train, core.work.preprocess, sys; print(core.__file__, *sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    loaded = {name.partition(".")[0] for name in told.stdout.split()}
    assert not {"tui", "themes", "textual", "locust", "httpx", "azure", "kubernetes"} & loaded
    assert told.stdout.startswith(str(tmp_path))

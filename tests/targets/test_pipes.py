"""A pipe where a file is looked for is refused in one line: nobody waits for whoever might write to it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.config.config import load
from core.domain.errors import QuarterdeckError
from core.images.credentials import credentials
from core.load.command import check_file
from core.targets.azureml.https_client import trusted
from core.targets.kubernetes.calls import ApiCalls
from tests.targets.azureml_scenes import PLACE, project


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("read", "says"),
    [
        (load, "not a file"),
        (lambda pipe: trusted(str(pipe)), "REQUESTS_CA_BUNDLE: .*pipe can't be used: it is no regular file"),
        (check_file, "pipe: is no regular file"),
        (lambda pipe: credentials("r.example", {"REGISTRY_AUTH_FILE": str(pipe)}), "can't be read .it is no regular"),
        (
            lambda pipe: ApiCalls("here", str(pipe)).ask("GET", "/version"),
            "pipe can't be used: it is no regular file",
        ),
    ],
    ids=["project", "authorities", "locustfile", "registry's login", "kubeconfig"],
)
def test_a_pipe_is_refused(read: Callable[[Path], object], says: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(QuarterdeckError, match=says):
        read(pipe)


@pytest.mark.timeout(30)
def test_a_pipe_in_place_of_the_variables_of_a_workspace_is_named(tmp_path: Path) -> None:
    """Once, though it has none of the three then."""
    path = project(tmp_path, {"poll_s": 2.0})
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if line.partition(":")[0].strip() not in PLACE))
    os.mkfifo(tmp_path / ".env")
    with pytest.raises(QuarterdeckError, match=r"^\.env: can't be read: it is no regular file$"):
        load(path, "prod", environ={})

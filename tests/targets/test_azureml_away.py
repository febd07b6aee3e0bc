"""Azure can't be reached: whose host it is, that no login would help, and that nothing is taken for gone."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.domain.model import Observation, Version
from core.engine.project import Project
from core.state import events as ev
from core.targets.azureml import beforehand
from core.targets.azureml.api_errors import LoginRefused
from core.targets.azureml.failures import login_failure
from core.targets.azureml.kind import KIND
from tests.azure.standin import AzureStandIn
from tests.environments import V1, canary_plan
from tests.kubernetes.faults import FaultKind
from tests.ports import free_port
from tests.targets.azureml_places import serving_workspace
from tests.targets.azureml_scenes import project, settings_of
from tui.status import lines_of
from tui.upkeep_command import down

TRIED = "DefaultAzureCredential failed to retrieve a token.\nAttempted credentials:\n\tEnvironmentCredential: "
CALL = "HTTPSConnection(host='login.example', port=443): "
POOL = "HTTPSConnectionPool(host='login.example', port=443): "


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            f"{CALL}Failed to resolve 'login.example' ([Errno -2] No such name)",
            "the name is not known here",
        ),
        (f"{CALL}Failed to establish a new connection: [Errno 111] Connection refused", "it refuses the connection"),
        (f"{POOL}Read timed out. (read timeout=10)", "no answer in time"),
        ("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol", "the connection broke off"),
        ("('Connection aborted.', ConnectionResetError(104, 'reset by peer'))", "the connection broke off"),
        (f"{POOL}Max retries exceeded (SSLError [SSL: CERTIFICATE_VERIFY_FAILED])", "its certificate is not trusted"),
    ],
)
def test_a_host_of_logins_that_is_away_is_named_and_no_login_is_asked_for(text: str, why: str) -> None:
    error = login_failure("ws", f"{TRIED}Authentication failed: {text}", "https://login.example/")
    assert not isinstance(error, LoginRefused)
    assert str(error).startswith(
        f"azureml ws: login.example, which gives the login's tokens, is not to be reached: {why}"
    )
    assert "az login" not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "AADSTS7000215: Invalid client secret provided.",
        "AzureCliCredential: Please run 'az login' to set up an account",
        "ManagedIdentityCredential: HTTPConnection(host='169.254.169.254', port=80): Connection to it timed out",
    ],
)
def test_a_login_that_is_missing_or_refused_asks_for_one(text: str) -> None:
    error = login_failure("ws", f"{TRIED}{text}")
    assert isinstance(error, LoginRefused)
    assert "call 'az login'" in str(error)


@pytest.fixture
def logged_in(azure: AzureStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has a login whatever becomes of the resource manager."""
    for name, value in azure.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    """A workspace."""
    with serving_workspace(tmp_path_factory.mktemp("azure")) as one:
        yield one


def _away(azure: AzureStandIn, how: str) -> dict[str, object]:
    """The settings of a workspace whose resource manager is away in a way, and what serves tokens is not."""
    manager = {
        "refused": f"https://127.0.0.1:{free_port()}",
        "no such name": "https://management.none.invalid",
        "hangs": azure.url,
    }
    return {"cloud": {"resource_manager": manager[how]}, "call_s": 30}


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("refused", "127.0.0.1:"),
        ("no such name", "management.none.invalid is not to be reached"),
        ("hangs", "no answer from localhost:"),
    ],
)
async def test_status_names_the_host_and_waits_for_a_bounded_time(
    tmp_path: Path, azure: AzureStandIn, monkeypatch: pytest.MonkeyPatch, how: str, words: str
) -> None:
    monkeypatch.setattr(beforehand, "LOOK_S", 0.5)
    fault = azure.fault(FaultKind.HANG, "GET", "/onlineEndpoints/", seconds=60) if how == "hangs" else None
    try:
        (seen,) = await KIND.standing(tmp_path, [settings_of(tmp_path, _away(azure, how))])
    finally:
        azure.take_back()
    assert fault is None or fault.met
    assert words in seen.unknown
    assert "az login" not in seen.unknown


async def test_a_login_that_is_mute_ends_the_look_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beforehand, "WITHIN_S", 0.2)
    monkeypatch.setattr("core.targets.azureml.credentials.AzureLogin.token", lambda *_: time.sleep(5))
    (seen,) = await KIND.standing(tmp_path, [settings_of(tmp_path)])
    assert seen.unknown == "azureml ws: no answer within 0.2 s"


def _released(here: Project) -> None:
    """A release to all traffic, as the journal tells it."""
    with contextlib.closing(here.journal()) as journal:
        released: list[ev.Body] = [
            ev.Began("r1", "late", "", canary_plan()),
            ev.Chose("r1", V1),
            ev.Placed("r1", "blue", None, None),
            ev.Opened("late", "https://late", "prod", here.settings.where, production=True),
            ev.Routed("late", {"blue": 100.0}),
            ev.Ended("r1", ev.Outcome.DONE, ""),
        ]
        journal.append(released, "watch", journal.clock.now())


@pytest.mark.usefixtures("logged_in")
async def test_a_workspace_that_was_deleted_is_said_and_down_expects_nothing_there_any_more(
    tmp_path: Path, azure: AzureStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure.foundations, "workspace_there", value=False)
    here = Project(project(tmp_path, {"cloud": {"resource_manager": azure.url}}), "prod")
    _released(here)
    lines = await lines_of(here)
    assert any("azure    " in line and "there is no such workspace in the group" in line for line in lines), lines
    assert any("nobody answers all requests" in line for line in lines), lines
    said: list[str] = []
    assert await down(here, said.append) == 0
    assert said == ["late: was not running"]
    assert not any("deleted" in line for line in await lines_of(here))


@pytest.mark.usefixtures("logged_in")
async def test_down_of_what_somebody_deleted_expects_nothing_there_any_more(
    tmp_path: Path, azure: AzureStandIn
) -> None:
    """Before it `status` says that callers get no answer."""
    place = {"cloud": {"resource_manager": azure.url}}
    here = Project(project(tmp_path, place), "prod")
    _released(here)
    before = await lines_of(here)
    assert any("nobody answers all requests" in line for line in before), before
    said: list[str] = []
    assert await down(here, said.append) == 0
    assert said == ["late: nothing stands there any more, whoever deleted it; nothing is expected there from now on"]
    assert not any("deleted" in line for line in await lines_of(here))
    said.clear()
    assert await down(here, said.append) == 0
    assert said == ["nothing runs here"]


@pytest.mark.usefixtures("logged_in")
async def test_down_leaves_what_it_can_not_ask_for_and_takes_it_for_nothing(
    tmp_path: Path, azure: AzureStandIn
) -> None:
    here = Project(project(tmp_path, _away(azure, "refused")), "prod")
    with contextlib.closing(here.journal()) as journal:
        seen = ev.Observed("late", Observation("blue", Version("late", "1"), 1, 1, 100.0))
        opened = ev.Opened("late", "https://late", "prod", here.settings.where, production=True)
        journal.append((opened, seen, ev.Routed("late", {"blue": 100.0})), "watch", journal.clock.now())
    said: list[str] = []
    assert await down(here, said.append) == 1
    (line,) = said
    assert "127.0.0.1:" in line
    assert line.endswith("; nothing was taken down there, and all of it stays; try again")
    known = [line.strip() for line in await lines_of(here) if "known" in line]
    assert known[0].startswith("known    blue late v1 100 %, 1/1 ready, as of ")

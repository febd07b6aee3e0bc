"""A login by a command: what it gives is used, what is wrong with it is said, and nothing of it outlives its end."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import Unreachable
from core.targets.kubernetes import login
from core.targets.kubernetes.login import logged_in
from tests.kubernetes.waiting import until

API = "client.authentication.k8s.io/v1"
TOKEN = "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtY2VudHJhbC0x"


def _user(folder: Path, script: str, **more: Any) -> dict[str, Any]:
    """A user whose command is this script, beside a kubeconfig."""
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return {"exec": {"apiVersion": API, "command": "./plugin", **more}, "name": "ada"}


def _answer(version: str = API, **status: str) -> str:
    return f"cat <<'END'\n{json.dumps({'apiVersion': version, 'kind': 'ExecCredential', 'status': status})}\nEND"


def test_a_token_or_a_certificate_takes_the_commands_place(tmp_path: Path) -> None:
    found = logged_in("far", _user(tmp_path, _answer(token=TOKEN)), str(tmp_path), None)
    assert found == {"name": "ada", "token": TOKEN}
    pair = _answer(clientCertificateData="CERT", clientKeyData="KEY")
    found = logged_in("far", _user(tmp_path, pair), str(tmp_path), None)
    assert found == {"name": "ada", "client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ"}


def test_it_is_told_what_it_asks_for(tmp_path: Path) -> None:
    script = f'printf %s "$KUBERNETES_EXEC_INFO $REGION $1" > told\n{_answer(token=TOKEN)}'
    env = [{"name": "REGION", "value": "north"}]
    user = _user(tmp_path, script, args=["get-token"], env=env, provideClusterInfo=True)
    logged_in("far", user, str(tmp_path), {"server": "https://far"})
    told = (tmp_path / "told").read_text()
    assert told.endswith(" north get-token")
    assert json.loads(told.removesuffix(" north get-token"))["spec"] == {
        "interactive": False,
        "cluster": {"server": "https://far"},
    }


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"echo '\033[31mtoken {TOKEN} is expired\033[0m' >&2; exit 3", "ended with 3: token … is expired; log in"),
        ("exit 4", "ended with 4 and said nothing; log in"),
        ("echo hello", "gave what can't be read as a login; log in"),
        (_answer("client.authentication.k8s.io/v1beta1", token=TOKEN), f"gave no login of {API}; log in"),
        (_answer(), "gave neither a token nor a certificate; log in"),
    ],
    ids=["complains", "says nothing", "garbage", "another version", "empty"],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(Unreachable) as told:
        logged_in("far", _user(tmp_path, script), str(tmp_path), None)
    assert str(told.value).startswith(f"kubernetes far: the login command './plugin' {said}")


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": API, "command": "aws-nope"}}
    with pytest.raises(Unreachable, match=r"the login command 'aws-nope' is not there: install it, or name another"):
        logged_in("far", user, str(tmp_path), None)


def test_one_that_hangs_ends_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "LOGIN_S", 0.5)
    user = _user(tmp_path, "sleep 300 &\necho $! > child\nwait")
    with pytest.raises(Unreachable, match=r"the login command './plugin' gave nothing within 0.5 s; log in"):
        logged_in("far", user, str(tmp_path), None)
    child = int((tmp_path / "child").read_text())
    until(lambda: not _runs(child), "its child has ended")


def _runs(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

"""A login whose token is slow: who closes it waits for nobody, and nothing of it stays open."""

import threading
import time
from pathlib import Path

import pytest

from core.domain.errors import Unreachable
from core.targets.azureml import credentials
from core.targets.azureml.credentials import AzureLogin
from tests.targets.azureml_scenes import endpoint_of

SCOPE, WAIT_S = "https://management.example/.default", 10.0


class SlowCredential:
    """Gives a token, or an error, once it is let."""

    def __init__(self, fails: bool) -> None:
        self.asked, self.let, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.fails = fails
        self.token, self.expires_on = "a token", time.time() + 3600

    def get_token(self, _: str) -> "SlowCredential":
        self.asked.set()
        assert self.let.wait(WAIT_S)
        if self.fails:
            raise RuntimeError("nobody is logged in")
        return self

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("fails", [False, True])
def test_who_closes_a_login_does_not_wait_for_its_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    slow, found = SlowCredential(fails), list[str]()
    monkeypatch.setattr(credentials, "_credential", lambda *_: slow)
    login = AzureLogin(endpoint_of(tmp_path).place)

    def ask() -> None:
        try:
            found.append(login.token(SCOPE))
        except Unreachable:
            found.append("refused")

    asking = threading.Thread(target=ask)
    asking.start()
    assert slow.asked.wait(WAIT_S)
    closing = threading.Thread(target=login.close)
    closing.start()
    closing.join(WAIT_S / 2)
    assert not closing.is_alive()
    assert not slow.closed.is_set(), "it is in use"
    slow.let.set()
    asking.join(WAIT_S)
    assert slow.closed.wait(WAIT_S)
    assert found == ["refused" if fails else "a token"]
    again = SlowCredential(fails=False)
    again.let.set()
    monkeypatch.setattr(credentials, "_credential", lambda *_: again)
    login.forget()
    assert login.token(SCOPE) == "a token"
    login.close()
    assert again.closed.is_set()

"""Calls to Azure that break off: whoever closes takes no number of a connection away from the thread that reads it."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import certifi
import httpx
import pytest

from core.domain.errors import BadInput
from core.targets.azureml.https_client import HttpsClient, trusted
from tests.azure.certificates import LoopbackCertificates, certified

WAIT_S = 10.0


class LateServer:
    """Takes one request, and answers it once it is told to."""

    def __init__(self, certificates: LoopbackCertificates) -> None:
        self.answers = threading.Event()
        self._context = certificates.context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listening.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer, and be gone."""
        self.answers.set()
        self._thread.join(WAIT_S)
        self._listening.close()

    def _serve(self) -> None:
        with self._context.wrap_socket(self._listening.accept()[0], server_side=True) as caller:
            caller.recv(4096)
            self.answers.wait(WAIT_S)
            try:
                caller.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                caller.recv(4096)
            except OSError:
                return  # It has left.


class Caller(threading.Thread):
    """One call in a thread, and what came of it."""

    def __init__(self, client: HttpsClient, url: str) -> None:
        super().__init__(daemon=True)
        self._client, self._url = client, url
        self.answer: httpx.Response | None = None
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        """Ask."""
        try:
            self.answer = self._client.request("GET", self._url, timeout=WAIT_S)
        except httpx.HTTPError as error:
            self.error = error

    def reads(self) -> bool:
        """Whether it waits for an answer to come."""
        frame = sys._current_frames().get(self.ident or 0)
        return frame is not None and (frame.f_code.co_name, frame.f_globals["__name__"]) == ("read", "ssl")


@pytest.fixture
def certificates(tmp_path: Path) -> LoopbackCertificates:
    return certified(tmp_path)


@pytest.fixture
def server(certificates: LoopbackCertificates) -> Iterator[LateServer]:
    server = LateServer(certificates)
    yield server
    server.close()


def reading(client: HttpsClient, server: LateServer) -> Caller:
    """A call that waits for its answer."""
    caller, until_s = Caller(client, server.url), time.monotonic() + WAIT_S
    while not caller.reads():
        assert time.monotonic() < until_s
        time.sleep(0.01)
    return caller


def test_a_file_that_is_opened_once_a_call_broke_off_is_not_taken_for_its_connection(
    server: LateServer, certificates: LoopbackCertificates, tmp_path: Path
) -> None:
    client = HttpsClient(str(certificates.ca))
    caller = reading(client, server)
    other = tmp_path / "journal"
    other.write_bytes(b"x" * 4096)
    client.close()
    opened = [os.open(other, os.O_RDWR) for _ in range(8)]
    server.answers.set()
    caller.join(WAIT_S)
    assert {os.lseek(one, 0, os.SEEK_CUR) for one in opened} == {0}
    assert other.read_bytes() == b"x" * 4096
    for one in opened:
        os.close(one)


def test_a_call_breaks_off_at_once_and_no_other_is_begun(
    server: LateServer, certificates: LoopbackCertificates
) -> None:
    client = HttpsClient(str(certificates.ca))
    caller = reading(client, server)
    client.close()
    caller.join(WAIT_S / 2)
    assert caller.answer is None
    assert isinstance(caller.error, httpx.TransportError)
    with pytest.raises(RuntimeError, match="closed"):
        client.request("GET", server.url)


def test_authorities_that_cannot_be_used_are_named_by_their_file(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    lines = Path(certifi.where()).read_text(encoding="utf-8").splitlines()
    begins = lines.index("-----BEGIN CERTIFICATE-----")
    broken.write_text("\n".join(lines[begins : begins + 3]), encoding="utf-8")
    with pytest.raises(BadInput, match=f"SSL_CERT_FILE, REQUESTS_CA_BUNDLE: {broken} can't be used"):
        trusted(str(broken))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(broken))
        with pytest.raises(BadInput, match=f"the package certifi: {broken} can't be used"):
            trusted("")

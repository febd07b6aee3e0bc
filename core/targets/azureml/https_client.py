"""HTTPS for threads: one client that is made with its first call, and leaves no connection behind once it is closed."""

import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

import certifi
import httpx

from core.domain.errors import BadInput
from core.system.files import check_regular


class HttpsClient:
    """Any thread may call. Follows nobody elsewhere; raises httpx's errors, RuntimeError once it is closed."""

    def __init__(self, ca: str = "") -> None:
        self._ca = ca
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._calls = 0
        self._closed = False

    def request(self, method: str, url: httpx.URL | str, **more: Any) -> httpx.Response:
        """One call."""
        client = self._begun()
        try:
            return client.request(method, url, extensions={"trace": self._connected}, **more)
        finally:
            self._ended(client)

    def close(self) -> None:
        """Let go of the connections; a call in use breaks off, and the last of them lets go."""
        with self._lock:
            self._closed = True
            if self._client is not None and not self._calls:
                self._client.close()
            for one in list(self._sockets):
                _break_off(one)

    def _begun(self) -> httpx.Client:
        # Reading the authorities takes so long that whoever closes on a loop is not to wait for it.
        context = trusted(self._ca) if self._client is None and not self._closed else None
        with self._lock:
            if self._closed:
                raise RuntimeError("closed")
            if self._client is None:
                self._client = httpx.Client(verify=context or trusted(self._ca), follow_redirects=False)
            self._calls += 1
            return self._client

    def _ended(self, client: httpx.Client) -> None:
        with self._lock:
            self._calls -= 1
            if self._closed and not self._calls:
                client.close()

    def _connected(self, name: str, info: Mapping[str, Any]) -> None:
        """What httpx tells of a call on its way: a connection is noted before anything is sent on it."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            made = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.add(made)
                if self._closed:
                    _break_off(made)


def _break_off(one: socket.socket) -> None:
    # Closed under a thread that reads it its number would be given to the next file, and that thread would read the
    # file, and write an alert of TLS into it.
    with suppress(OSError):
        socket.socket.shutdown(one, socket.SHUT_RDWR)


def trusted(ca: str) -> ssl.SSLContext:
    """What this machine trusts, and the authorities in a file; raises BadInput."""
    file, named = ca, "SSL_CERT_FILE, REQUESTS_CA_BUNDLE"
    try:
        if ca:
            # A context reads what the first of them names as soon as it is made.
            check_regular(Path(ca))
        context = ssl.create_default_context()
        if ca:
            context.load_verify_locations(cafile=ca)
        file, named = certifi.where(), "the package certifi"
        context.load_verify_locations(cafile=file)
    except OSError as error:
        raise BadInput(f"{named}: {file} can't be used: {error.strerror or error}") from None
    return context
